"""Charges per second through the cluster, against a provider that takes its time: at the accounts' default rate and without."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ops.bench import engine
from ops.bench.cluster import said, until
from ops.bench.seed import connect
from ops.cluster.members import Members
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.domain.pacing import DEFAULT_RATE

LATENCY_SECONDS = 0.3
AGENCIES = 4
CHARGES = 1_200
WORKERS = 2
_LEFT = "SELECT count(*) FROM charges WHERE state <> 'succeeded'"


class Charged(NamedTuple):
    """How many attempts went out, over how many seconds, and at how many a second the accounts let them."""

    charges: int
    seconds: float
    allowed_rate: int | None


def prepare(url: str) -> None:
    """Issue every due invoice; then each agency collects by an account of its own with the stand-in."""
    engine.run(url)
    with connect(url) as session:
        session.execute("UPDATE agencies SET gateway = 'stripe'")
        # They were dispatched before a worker ran: without this the bench would measure their lease.
        session.execute("UPDATE charges SET wake_at = now(), dispatches = 0")
        session.execute("UPDATE payment_methods SET provider = 'stripe', token = 'pm_bench'")


def run(url: str, rabbitmq: PrivateRabbitmq, folder: Path, *, paced: bool) -> Charged:
    """Collect every open invoice, with one scheduler and two processes of the charges pool."""
    with connect(url) as session:
        session.execute(
            "INSERT INTO gateway_accounts (agency_id, provider, secret, test, rate_per_second)"
            " SELECT agency_id, 'stripe', 'bench', true, %s FROM agencies",
            (DEFAULT_RATE if paced else None,),
        )
        row = session.execute(_LEFT).fetchone()
        charges = row[0] if row else 0
    with _slow_provider() as address:
        environ = {
            **os.environ,
            "DUECYCLE_DATABASE_URL": url,
            "DUECYCLE_BROKER_URL": rabbitmq.url,
            "DUECYCLE_STRIPE_API": address,
            "DUECYCLE_SECRET_BENCH": "sk_test_bench",
            "DUECYCLE_LOG_LEVEL": "info",
        }
        members = Members(environ, folder / f"logs-{time.monotonic_ns()}")
        try:
            members.scale("charges", WORKERS)
            for worker in members.of("charges"):
                said(worker.log, "process.began")
            members.scale("scheduler", 1)
            began = said(members.of("scheduler")[0].log, "process.began")
            with connect(url) as session:
                until(lambda: session.execute(_LEFT).fetchone() == (0,))
                ended = session.execute("SELECT max(settled_at) FROM charges").fetchone()
        finally:
            members.stop()
    if ended is None:
        raise RuntimeError("nothing was charged")
    return Charged(charges, (ended[0] - began).total_seconds(), DEFAULT_RATE * AGENCIES if paced else None)


@contextmanager
def _slow_provider() -> Iterator[str]:
    """Whatever it is asked for succeeds, after a while."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    numbers = count(1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(LATENCY_SECONDS)
        intent: dict[str, Any] = {
            "id": f"pi_{next(_Server.numbers)}",
            "object": "payment_intent",
            "status": "succeeded",
        }
        body = json.dumps(intent).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # one write: with two, kept connections wait for acknowledgements

    def log_message(self, *_words: object) -> None:
        """Nothing: there are thousands of them."""
