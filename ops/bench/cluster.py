"""The whole way through the cluster: due schedules to open invoices, through RabbitMQ, by real processes."""

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ops.bench.seed import connect
from ops.cluster.members import Members
from ops.servers.rabbitmq import PrivateRabbitmq

WORKERS = 2
PATIENCE_SECONDS = 900
_LEFT = """
SELECT (SELECT count(*) FROM schedules WHERE next_at <= now()) + (SELECT count(*) FROM cycles WHERE wake_at IS NOT NULL)"""


class Ran(NamedTuple):
    """A run: seconds from the scheduler's first tick to the last invoice, and to the last event that was published."""

    seconds: float
    seconds_to_events: float


def run(url: str, rabbitmq: PrivateRabbitmq, folder: Path, threads: int = 4) -> Ran:
    """Issue everything that is due, with one scheduler and two processes of the invoices pool.

    The scheduler also publishes every event meanwhile. Charges are dispatched too, and wait: no pool collects here.
    """
    environ = {
        **os.environ,
        "DUECYCLE_DATABASE_URL": url,
        "DUECYCLE_BROKER_URL": rabbitmq.url,
        "DUECYCLE_THREADS": str(threads),
        "DUECYCLE_LOG_LEVEL": "info",
    }
    members = Members(environ, folder / f"logs-{time.monotonic_ns()}")
    try:
        members.scale("invoices", WORKERS)
        for worker in members.of("invoices"):
            said(worker.log, "process.began")
        members.scale("scheduler", 1)
        began = said(members.of("scheduler")[0].log, "process.began")
        with connect(url) as session:
            until(lambda: session.execute(_LEFT).fetchone() == (0,))
            issued = session.execute("SELECT max(settled_at) FROM cycles").fetchone()
            until(lambda: session.execute("SELECT count(*) FROM events WHERE published_at IS NULL").fetchone() == (0,))
            published = session.execute("SELECT max(published_at) FROM events").fetchone()
    finally:
        members.stop()
    if issued is None or published is None:
        raise RuntimeError("nothing was issued")
    return Ran((issued[0] - began).total_seconds(), (published[0] - began).total_seconds())


def said(log: Path, event: str) -> datetime:
    """When a process logged an event."""
    found: list[datetime] = []

    def look() -> bool:
        for line in log.read_text().splitlines():
            told = json.loads(line)
            if told["event"] == event:
                found.append(datetime.fromisoformat(told["timestamp"]))
        return bool(found)

    until(look)
    return found[0]


def until(true: Callable[[], bool]) -> None:
    """Wait until it is. Raises RuntimeError if that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the cluster did not get there within {PATIENCE_SECONDS} s")
        time.sleep(0.05)
