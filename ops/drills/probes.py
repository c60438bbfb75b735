"""What well-behaved peers see meanwhile: a page, a webhook and a change, requested again and again."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import NamedTuple

import pika

from shared.broker.names import CHANGES_EXCHANGE, EVENTS_EXCHANGE
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.topology import declare
from shared.domain.keys import message_subject

EVERY_SECONDS = 0.25
PATIENCE = 60.0


class Seen(NamedTuple):
    """One answer: when it was asked for (monotonic seconds), how long it took, and what was wrong with it ("" if nothing)."""

    asked: float
    seconds: float
    wrong: str


class Probe:
    """Asks in a thread of its own, one question after the other, until it is closed."""

    def __init__(self, name: str, ask: Callable[[], str]) -> None:
        self.name, self._ask = name, ask
        self.seen: list[Seen] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            asked = time.monotonic()
            try:
                wrong = self._ask()
            except OSError as error:
                wrong = type(error).__name__
            self.seen.append(Seen(asked, time.monotonic() - asked, wrong))

    def close(self) -> None:
        """Let the last question be answered, and ask no more."""
        self._over.set()
        self._thread.join(PATIENCE + 5)


def ask_page(port: int, path: str) -> str:
    """Open an invoice's page. Returns what is wrong."""
    return _asked(port, "GET", path, b"", {})


class Webhooks:
    """A provider's signed webhooks for one agency."""

    def __init__(self, port: int, agency_id: str, secret: str) -> None:
        self._port, self._path, self._secret = port, f"/webhooks/stripe/{agency_id}", secret
        self._number = 0

    def ask(self) -> str:
        """Send the next one. Returns what is wrong."""
        self._number += 1
        at = int(time.time())
        event = {"id": f"evt_{self._number}", "object": "event", "type": "customer.updated", "created": at}
        body = json.dumps({**event, "data": {"object": {"id": "cus_1", "object": "customer"}}}).encode()
        signed = hmac.new(self._secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return _asked(self._port, "POST", self._path, body, {"Stripe-Signature": f"t={at},v1={signed}"})


def _asked(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return "" if answer.status == 200 else f"HTTP {answer.status}"
    finally:
        connection.close()


class Changes:
    """Small changes of one agency, each with its answer as any consumer of events gets it."""

    def __init__(self, broker_url: str, agency_id: str) -> None:
        self._agency_id, self._number, self.repeats = agency_id, 0, 0
        self._answered: set[str] = set()
        self._news = threading.Condition()
        self._publisher = Publisher([broker_url], "drill upstream", "upstream")
        self._publisher.start()
        self._connection = pika.BlockingConnection(pika.URLParameters(broker_url))
        declare(self._connection, "scheduler")
        channel = self._connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, EVENTS_EXCHANGE, "#")
        channel.basic_consume(queue, self._take, auto_ack=True)
        self._ids: set[str] = set()
        self._channel = channel
        threading.Thread(target=channel.start_consuming, daemon=True).start()

    def _take(self, _channel: object, _method: object, _properties: object, body: bytes) -> None:
        event = json.loads(body)
        with self._news:
            self.repeats += event["id"] in self._ids
            self._ids.add(event["id"])
            if event["type"].startswith("duecycle.change."):
                self._answered.add(event["subject"])
                self._news.notify_all()

    def ask(self) -> str:
        """Publish the next change and wait for its answer. Returns what is wrong."""
        self._number += 1
        id_ = f"probe-{self._number}"
        subject = message_subject("/probe", id_)
        data = {"agency_id": self._agency_id, "client_id": "probe", "revision": self._number, "name": "P"}
        change = {"specversion": "1.0", "id": id_, "source": "/probe", "type": "duecycle.client.upserted.v1"}
        whole = {**change, "time": "2026-06-01T00:00:00Z", "data": {**data, "email": "p@drill.example"}}
        self._publisher.publish_all(
            [Outgoing(exchange=CHANGES_EXCHANGE, routing_key="drill", body=json.dumps(whole).encode())],
            timeout=PATIENCE,
        )
        with self._news:
            answered = self._news.wait_for(lambda: subject in self._answered, PATIENCE)
        return "" if answered else "no answer"

    def close(self) -> None:
        """Take no more events."""
        self._publisher.close()
        self._connection.add_callback_threadsafe(self._channel.stop_consuming)
