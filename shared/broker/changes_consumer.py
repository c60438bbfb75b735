"""Upstream's messages from the queue of changes, in batches, each acknowledged only after its commit."""

import contextlib
from collections.abc import Sequence
from itertools import chain
from threading import Event
from time import monotonic
from typing import Any, NamedTuple

import pika
import structlog
from pika.exceptions import AMQPError

from shared.broker.address import parameters
from shared.broker.answer_timeout import answered_within
from shared.broker.backoff import Backoff
from shared.broker.errors import BrokerError
from shared.broker.names import CHANGES_QUEUE, UNROUTED_QUEUE
from shared.broker.startup_check import explain
from shared.broker.topology import declare
from shared.messages.binary_mode import structured

BATCH = 200
# A batch ends with the message that reaches this. Nothing is read from the connection while a batch is applied, so what is
# prefetched beyond it stays with the kernel and the broker, and this bounds our memory, whatever lies in the queue.
BATCH_BYTES = 4 << 20
GATHER_SECONDS = 0.05  # after the first message, how long to wait for more
IDLE_SECONDS = 0.5
SILENT_SECONDS = 30.0  # without a message: subscribe again
log = structlog.get_logger()


class Delivery(NamedTuple):
    """A message in structured mode, and the tag by which it is acknowledged."""

    tag: int
    body: bytes


class ChangesConsumer:
    """Consumes for one thread. It connects automatically, with waits that grow; what was not acknowledged comes again.

    A batch is applied within a few seconds, well within a heartbeat. When that can't be (the database is away) the caller
    gives everything back: a message held for long would be taken away by the broker, and each time count as a delivery.
    """

    def __init__(self, urls: Sequence[str], name: str, *, batch: int = BATCH) -> None:
        self._urls, self._name, self._batch = tuple(urls), name, batch
        self._backoff = Backoff()
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None
        self._deliveries: Any = None
        self._busy_at = 0.0

    def take(self, stop: Event) -> list[Delivery]:
        """The next batch; empty after a moment without messages, or when there is no connection."""
        try:
            if self._connection is None:
                self._connect()
            taken = self._gather_unrouted() if self._deliveries is None else self._gather(stop)
            if taken:
                self._busy_at = monotonic()
            elif monotonic() - self._busy_at > SILENT_SECONDS:
                # RabbitMQ 3.10 was seen to forget a consumer whose queue was deleted and made again at once.
                self.give_back()
            return taken
        except (AMQPError, OSError, AssertionError) as error:
            words = str(error) if isinstance(error, BrokerError) else explain(error, self._urls[0])
            log.warning("changes.disconnected", reason=words)
            self.give_back()
            self._backoff.wait(stop)
            return []

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """These are committed. If the connection is gone they come again, and are repeats then."""
        with contextlib.suppress(AMQPError, OSError):
            self._channel.basic_ack(deliveries[-1].tag, multiple=True)

    def give_back(self) -> None:
        """Everything unacknowledged goes back to the queue; the next `take` connects again."""
        connection, self._connection = self._connection, None
        self._channel = self._deliveries = None
        if connection is not None and connection.is_open:
            with contextlib.suppress(AMQPError, OSError, AssertionError):
                connection.close()

    close = give_back

    def _connect(self) -> None:
        connection = pika.BlockingConnection(parameters(self._urls, self._name))
        self._connection = connection
        with answered_within(connection):
            declare(connection, "intake")
            self._channel = connection.channel()
            self._channel.basic_qos(prefetch_count=self._batch)
        self._backoff.reset()
        self._busy_at = monotonic()

    def _gather_unrouted(self) -> list[Delivery]:
        """What came while there was no queue of changes, batch by batch; when nothing is left, subscribe to the queue.

        Whoever takes away that queue or its binding ends our consumption sooner or later: then we come by here.
        """
        taken: list[Delivery] = []
        with answered_within(self._connection):
            while len(taken) < self._batch and _size(taken) < BATCH_BYTES:
                method, properties, body = self._channel.basic_get(UNROUTED_QUEUE)
                if method is None:
                    break
                taken.append(_delivery(method, properties, body))
            if not taken:
                deliveries = self._channel.consume(CHANGES_QUEUE, inactivity_timeout=GATHER_SECONDS)
                # Asking for the first delivery is what subscribes.
                self._deliveries = chain([next(deliveries)], deliveries)
        return taken

    def _gather(self, stop: Event) -> list[Delivery]:
        taken: list[Delivery] = []
        until = monotonic() + IDLE_SECONDS
        size = 0
        while len(taken) < self._batch and size < BATCH_BYTES and not stop.is_set():
            found = next(self._deliveries, None)
            if found is None:  # the queue was deleted, or its leader moved
                raise BrokerError(f"the broker ended the consumption of {CHANGES_QUEUE}")
            method, properties, body = found
            if method is not None:
                taken.append(_delivery(method, properties, body))
                size += len(body)
            elif taken or monotonic() > until:
                break
        return taken


def _delivery(method: Any, properties: Any, body: bytes) -> Delivery:
    return Delivery(method.delivery_tag, structured(body, properties.headers, properties.content_type))


def _size(taken: Sequence[Delivery]) -> int:
    return sum(len(each.body) for each in taken)
