"""Events → the exchange, for whoever listens: one relay at a time, unpublished rows by id, never a cursor.

An event that is not taken (a full queue refuses it, or does not answer) waits on its own, with delays that double; the later
ones of its subject wait behind it, and nobody else's.
"""

from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic
from typing import NamedTuple, Protocol

import structlog

from shared.error_words import safe_words
from shared.store import events, refused_events
from shared.store.database import Store
from shared.store.errors import limit_of
from shared.store.events import Unpublished
from shared.store.locks import try_lock_role

EVENTS_PER_PASS = 500
# Every try of a refused event reaches the healthy queues again: so many repeats a second at most, and never the whole pass.
RETRIES_PER_PASS = 25
TOLD_EVERY_SECONDS = 60.0
log = structlog.get_logger()


class Told(NamedTuple):
    """What became of events: those in neither list were not tried, for one of their subject was refused or time was up."""

    confirmed: Sequence[Unpublished]
    refused: Sequence[Unpublished] = ()


class Exchange(Protocol):
    """Where events go."""

    def publish(self, batch: Sequence[Unpublished]) -> Told:
        """Publish in order; after a refusal no later one of that subject is tried. Raises OSError if nothing got through."""
        ...


class Passed(NamedTuple):
    """What a pass did; `more`: there is something left to do at once. `cleared`: no event is refused any more."""

    published: int = 0
    refused: Sequence[Unpublished] = ()
    more: bool = False
    cleared: bool = False


def relay(store: Store, exchange: Exchange, *, batch: int = EVENTS_PER_PASS) -> int:
    """One pass. Returns how many events were confirmed; 0 if another relay is at work."""
    return relay_pass(store, exchange, batch=batch).published


def relay_pass(store: Store, exchange: Exchange, *, batch: int = EVENTS_PER_PASS) -> Passed:
    """Publish what is unpublished, oldest first, and try what was refused again; with half as much at a time while that is too
    much for the database, down to one.

    An event that was published but not marked goes out again: consumers see that by its id.
    """
    while True:
        try:
            return _pass(store, exchange, batch)
        except Exception as error:
            if limit_of(error) is None or batch <= 1:
                raise
            log.warning("batch.halved", what="events", rows=batch, error=safe_words(error))
            batch //= 2


def _pass(store: Store, exchange: Exchange, batch: int) -> Passed:
    with store.transaction() as tx:
        if not try_lock_role(tx, "relay"):
            return Passed()
        again = refused_events.due(tx, RETRIES_PER_PASS)
        fresh = events.unpublished(tx, batch)
        behind = refused_events.wait_behind(tx, fresh) if fresh else set()
        going = [*again, *(event for event in fresh if (event.agency_id, event.event_id) not in behind)]
        told = exchange.publish(going) if going else Told(())
        events.mark_published(tx, told.confirmed)
        tried = {(event.agency_id, event.event_id) for event in again}
        taken = [event for event in told.confirmed if (event.agency_id, event.event_id) in tried]
        released = refused_events.release(tx, taken)
        refused_events.refuse(tx, told.refused)
        done = len(told.confirmed) + len(told.refused) + len(behind)
        return Passed(
            len(told.confirmed),
            told.refused,
            more=released > 0 or (len(fresh) == batch and done > 0),
            cleared=released > 0 and not told.refused and refused_events.none(tx),
        )


class Relaying:
    """Pass after pass, told in the log: what was published, and when events begin and cease to be refused."""

    def __init__(self, one_pass: Callable[[], Passed], clock: Callable[[], float] = monotonic) -> None:
        self._one_pass, self._clock = one_pass, clock
        self._tell_at = 0.0
        self._refused = 0

    def run(self, stop: Event) -> tuple[int, int]:
        """Go on while there is more than one pass takes. Returns how many events were published, and how many refused."""
        published = refused = 0
        while not stop.is_set():
            passed = self._one_pass()
            published += passed.published
            refused += len(passed.refused)
            self._tell(passed)
            if not passed.more:
                break
        if published:
            log.info("events.published", count=published)
        return published, refused

    def _tell(self, passed: Passed) -> None:
        """Say that events are refused: at once, then each minute with how often since; and when none is any more."""
        self._refused += len(passed.refused)
        if passed.refused and self._clock() >= self._tell_at:
            first = passed.refused[0]
            log.warning(
                "events.refused",
                times=self._refused,
                agency_id=first.agency_id,
                subject=first.subject,
                type=first.type,
                fix="a queue bound to duecycle.events is full or does not answer: rabbitmqctl list_queues name messages state",
            )
            self._tell_at, self._refused = self._clock() + TOLD_EVERY_SECONDS, 0
        if passed.cleared:
            log.info("events.accepted", reason="every event that was refused is published")
            self._tell_at = 0.0
