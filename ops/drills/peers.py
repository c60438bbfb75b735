"""Slow and hostile peers, for the drill: each begins when it is entered, and stops when it is left."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from uuid import uuid4

import pika

from shared.broker.names import CHANGES_EXCHANGE, EVENTS_EXCHANGE
from shared.broker.publisher import Outgoing, Publisher

SILENT = 200
FORGED = 45
LARGE = 200
LARGE_BYTES = 1_000_000
TARPIT_SECONDS = 8.0


@contextmanager
def silent_connections(port: int) -> Iterator[None]:
    """200 connections that say nothing; one that is closed is opened again at once."""
    over = threading.Event()
    threads = [threading.Thread(target=_stay_silent, args=(port, over), daemon=True) for _ in range(SILENT)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(5)


def _stay_silent(port: int, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1, ("127.0.0.2", 0)) as connection:
            while not over.is_set():
                with suppress(TimeoutError):
                    if connection.recv(1) == b"":
                        break
        over.wait(0.1)


class SilentServer:
    """Takes every connection and never answers: a provider that hangs."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]

    def close(self) -> None:
        """Connections that wait are reset."""
        self._listening.close()


@contextmanager
def forged_webhooks(port: int, agency_id: str) -> Iterator[None]:
    """45 callers, each sending one forged PayPal webhook after the other for an agency."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_forge, args=(port, agency_id, number, over), daemon=True) for number in range(FORGED)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(15)


def _forge(port: int, agency_id: str, caller: int, over: threading.Event) -> None:
    headers = {
        "Content-Type": "application/json",
        "PAYPAL-TRANSMISSION-ID": str(uuid4()),
        "PAYPAL-TRANSMISSION-TIME": "2026-06-01T00:00:00Z",
        "PAYPAL-TRANSMISSION-SIG": "forged",
        "PAYPAL-CERT-URL": "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
    }
    number = 0
    while not over.is_set():
        number += 1
        event = {"id": f"WH-{caller}-{number}", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "forged"}}
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", port, timeout=15, source_address=("127.0.0.3", 0))
            connection.request("POST", f"/webhooks/paypal/{agency_id}", json.dumps(event), headers)
            connection.getresponse().read()
            connection.close()
        over.wait(0.2)


@contextmanager
def full_queue(broker_url: str) -> Iterator[None]:
    """A consumer's queue for all events that holds one message, refuses the next, and is never read."""
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    try:
        channel = connection.channel()
        channel.queue_declare("drill-full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        channel.queue_bind("drill-full", EVENTS_EXCHANGE, "#")
    finally:
        connection.close()
    try:
        yield
    finally:
        connection = pika.BlockingConnection(pika.URLParameters(broker_url))
        connection.channel().queue_delete("drill-full")
        connection.close()


@contextmanager
def large_changes(broker_url: str, agency_id: str) -> Iterator[None]:
    """200 legal changes of a megabyte each, published at once."""
    publisher = Publisher([broker_url], "drill large", "upstream")
    publisher.start()
    try:
        for first in range(0, LARGE, 10):
            numbers = range(first, first + 10)
            publisher.publish_all(
                [Outgoing(exchange=CHANGES_EXCHANGE, routing_key="drill", body=_large(agency_id, n)) for n in numbers],
                timeout=60,
            )
    finally:
        publisher.close()
    yield


def _large(agency_id: str, number: int) -> bytes:
    data = {
        "agency_id": agency_id,
        "client_id": f"large-{number}",
        "revision": 1,
        "name": "L",
        "email": "l@drill.example",
    }
    change = {"specversion": "1.0", "id": f"large-{number}", "source": "/large", "type": "duecycle.client.upserted.v1"}
    return json.dumps({**change, "time": "2026-06-01T00:00:00Z", "padding": "x" * LARGE_BYTES, "data": data}).encode()


class _Mails(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class MailServer:
    """Takes every mail. As a tarpit it waits eight seconds before each of its lines."""

    def __init__(self) -> None:
        self.slow = threading.Event()
        self.taken = 0
        self._server = _Mails(("127.0.0.1", 0), partial(_MailSession, self))
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @contextmanager
    def tarpit(self) -> Iterator[None]:
        """A tarpit, until it is left."""
        self.slow.set()
        try:
            yield
        finally:
            self.slow.clear()

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _MailSession(socketserver.StreamRequestHandler):
    def __init__(self, owner: MailServer, *args: object) -> None:
        self._owner = owner
        super().__init__(*args)  # type: ignore[arg-type]

    def handle(self) -> None:
        with suppress(OSError):
            self._say("220 drill")
            while line := self.rfile.readline():
                word = line.strip().upper()
                if word == b"DATA":
                    self._say("354 go on")
                    while self.rfile.readline() not in (b".\r\n", b""):
                        pass
                    self._owner.taken += 1
                self._say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

    def _say(self, reply: str) -> None:
        if self._owner.slow.is_set():
            time.sleep(TARPIT_SECONDS)
        self.wfile.write(f"{reply}\r\n".encode())
