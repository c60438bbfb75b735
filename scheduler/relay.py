"""Events → the exchange, for whoever listens: one relay at a time, unpublished rows by id, never a cursor."""

from collections.abc import Sequence
from typing import Protocol

from shared.store import events
from shared.store.events import Unpublished
from shared.store.locks import try_lock_role
from shared.store.transaction import Store

EVENTS_PER_PASS = 500


class Exchange(Protocol):
    """Where events go."""

    def publish(self, batch: Sequence[Unpublished]) -> Sequence[Unpublished]:
        """Publish in order; returns the events that were confirmed. After a refusal, later ones of that subject too stay."""
        ...


def relay(store: Store, exchange: Exchange, *, batch: int = EVENTS_PER_PASS) -> int:
    """Publish what is unpublished, oldest first. Returns how many were confirmed; 0 if another relay is at work.

    An event that was published but not marked goes out again: consumers see that by `subject_seq`.
    """
    with store.transaction() as tx:
        if not try_lock_role(tx, "relay"):
            return 0
        waiting = events.unpublished(tx, batch)
        confirmed = exchange.publish(waiting) if waiting else ()
        if confirmed:
            events.mark_published(tx, confirmed)
        return len(confirmed)
