"""Upstream's messages into the database: batch by batch, acknowledged after the commit, through every outage."""

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic
from typing import Protocol

import structlog

from shared.broker.backoff import Backoff
from shared.broker.changes import Delivery
from shared.error_words import safe_words
from shared.store.transaction import Store
from workers.intake.receive_batch import receive_batch

log = structlog.get_logger()


class Consumer(Protocol):
    """Where messages come from."""

    def take(self, stop: Event) -> Sequence[Delivery]: ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...

    def give_back(self) -> None: ...


Received = Callable[[dict[str, int], float], None]
"""(counts by what became of the messages, seconds): a batch is committed."""


def run(store: Store, consumer: Consumer, stop: Event, on_batch: Received = lambda _counts, _seconds: None) -> None:
    """Take, apply, acknowledge, until `stop` is set.

    When a batch can't be stored (the database is away) it is given back whole, and no other is taken until one look at the
    database succeeds: messages must not go round and round meanwhile.
    """
    backoff = Backoff()
    while not stop.is_set():
        deliveries = consumer.take(stop)
        if not deliveries:
            continue
        began = monotonic()
        try:
            received = receive_batch(store, [delivery.body for delivery in deliveries])
        except Exception as error:  # noqa: BLE001 - whatever it is, the messages are still in the queue
            log.error("changes.given_back", messages=len(deliveries), reason=safe_words(error))
            consumer.give_back()
            _wait_for_database(store, backoff, stop)
            continue
        backoff.reset()
        consumer.acknowledge(deliveries)
        counts = dict(Counter(each.state for each in received))
        seconds = monotonic() - began
        log.info("changes.received", seconds=round(seconds, 4), **counts)
        on_batch(counts, seconds)
    consumer.give_back()


def _wait_for_database(store: Store, backoff: Backoff, stop: Event) -> None:
    while not backoff.wait(stop):
        try:
            with store.transaction() as tx:
                tx.scalar("SELECT 1")
        except Exception:  # noqa: BLE001, S112 - told once above; here it is only waited for
            continue
        return
