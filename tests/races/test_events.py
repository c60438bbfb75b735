"""Events on their way out, whatever the order in which their transactions end."""

from collections.abc import Callable, Sequence

from scheduler.relay import Told, relay
from shared.store import events
from shared.store.database import Store, Transaction
from shared.store.events import Unpublished
from tests.event_shapes import leave
from tests.races.sessions import Stage


class Exchange:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def publish(self, batch: Sequence[Unpublished]) -> Told:
        self.told += [event.subject for event in batch]
        return Told(batch)


def _record(subject: str) -> Callable[[Store], None]:
    def work(store: Store) -> None:
        with store.transaction() as tx:
            leave(tx, "order.created", subject)

    return work


class _Cursor:
    """A relay that goes on behind the last id it has seen: what it must not be."""

    def __init__(self) -> None:
        self.seen = 0
        self.unpublished = events.unpublished

    def __call__(self, tx: Transaction, limit: int) -> list[Unpublished]:
        found = [event for event in self.unpublished(tx, limit) if event.event_id > self.seen]
        self.seen = max((event.event_id for event in found), default=self.seen)
        return found


def test_an_event_committed_late_with_a_lower_id(series: Stage) -> None:
    """It has the lower id but was still uncommitted when its successor went out: the next pass publishes it all the same."""
    if not series.locked:
        series.monkeypatch.setattr(events, "unpublished", _Cursor())
    exchange = Exchange()
    written = series.stop(events, "write", "slow")
    slow = series.start("slow", _record("slow"))
    written.reached(slow)
    fast = series.start("fast", _record("fast"))
    series.end(fast)
    assert relay(series.store, exchange) == 1
    written.go()
    series.end(slow)
    relay(series.store, exchange)
    relay(series.store, exchange)

    assert series.ask("SELECT subject FROM events ORDER BY event_id") == [("slow",), ("fast",)]
    series.verdict(exchange.told, ["fast", "slow"])


def test_two_relays_publish_nothing_twice(stage: Stage) -> None:
    """While one publishes, another passes: each event goes out once."""
    for subject in ("one", "two"):
        _record(subject)(stage.store)
    exchange = Exchange()
    told = stage.stop(exchange, "publish", "first")
    first = stage.start("first", lambda store: relay(store, exchange))
    told.reached(first)
    assert relay(stage.store, exchange) == 0
    told.go()
    stage.end(first)
    assert (first.result, exchange.told) == (2, ["one", "two"])
    assert relay(stage.store, exchange) == 0
