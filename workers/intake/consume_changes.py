"""Upstream's messages into the database: batch by batch, acknowledged after the commit, through every outage."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event
from time import monotonic
from typing import Protocol

import structlog

from shared.broker.backoff import Backoff
from shared.broker.changes_consumer import Delivery
from shared.error_words import safe_words
from shared.store import pauses
from shared.store.database import Store
from workers.intake.receive_batch import receive_batch

PAUSE_SECONDS = 1.0  # how long a new pause, or its end, may go unseen
log = structlog.get_logger()


class Consumer(Protocol):
    """Where messages come from."""

    def take(self, stop: Event) -> Sequence[Delivery]: ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...

    def give_back(self) -> None: ...


Received = Callable[[dict[str, int], float], None]
"""(counts by what became of the messages, seconds): a batch is committed."""


class Gate:
    """Whether an operator has paused intake; asked of the database at most once in PAUSE_SECONDS."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked_at = float("-inf")
        self._closed_since: datetime | None = None

    def words(self) -> str | None:
        """What the readiness probe says about it; None while messages are taken."""
        since = self._closed_since
        return None if since is None else pauses.told("intake", pauses.EVERYBODY, f"{since:%Y-%m-%dT%H:%M:%SZ}", None)

    def closed(self) -> bool:
        """Check, unless that was done a moment ago. Raises what the database does."""
        if monotonic() - self._asked_at >= PAUSE_SECONDS:
            with self._store.transaction() as tx:
                found = pauses.listed(tx, "intake")
            self._asked_at = monotonic()
            self._tell(found[0] if found else None)
        return self._closed_since is not None

    def _tell(self, pause: pauses.Pause | None) -> None:
        if pause is not None and self._closed_since is None:
            log.warning("changes.paused", reason=pause.reason)
        elif pause is None and self._closed_since is not None:
            log.warning("changes.resumed")
        self._closed_since = None if pause is None else pause.paused_at


def run(
    store: Store,
    consumer: Consumer,
    stop: Event,
    on_batch: Received = lambda _counts, _seconds: None,
    gate: Gate | None = None,
) -> None:
    """Take, apply, acknowledge, until `stop` is set.

    While intake is paused nothing is taken, and what was held goes back to the queue. When a batch can't be stored (the
    database is away) it is given back whole, and no other is taken until one check of the database succeeds: messages must not
    go round and round meanwhile.
    """
    backoff = Backoff()
    gate = gate or Gate(store)
    while not stop.is_set():
        if _stands_still(store, consumer, gate, backoff, stop):
            continue
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
        counts: dict[str, int] = Counter(each.state for each in received)
        seconds = monotonic() - began
        log.info("changes.received", seconds=round(seconds, 4), **counts)
        on_batch(counts, seconds)
    consumer.give_back()


def _stands_still(store: Store, consumer: Consumer, gate: Gate, backoff: Backoff, stop: Event) -> bool:
    """Wait for a moment if intake is paused, or until the database can be asked. Returns whether it did."""
    try:
        if not gate.closed():
            return False
    except Exception as error:  # noqa: BLE001 - the database is away, or answers too late
        log.warning("changes.interrupted", reason=safe_words(error))
        consumer.give_back()
        _wait_for_database(store, backoff, stop)
        return True
    consumer.give_back()
    stop.wait(PAUSE_SECONDS)
    return True


def _wait_for_database(store: Store, backoff: Backoff, stop: Event) -> None:
    while not backoff.wait(stop):
        try:
            with store.transaction() as tx:
                tx.scalar("SELECT 1")
        except Exception:  # noqa: BLE001, S112 - logged once above; here it is only waited for
            continue
        return
