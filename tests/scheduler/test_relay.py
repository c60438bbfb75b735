"""The relay: every event goes out, in order within its subject, at least once."""

from collections.abc import Sequence
from threading import Event, Thread

from scheduler.relay import relay
from shared.store.events import Unpublished
from shared.store.transaction import Store


class Ears:
    """An exchange that remembers, and refuses everything from a given subject on request."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.heard: list[tuple[str, int]] = []

    def publish(self, batch: Sequence[Unpublished]) -> Sequence[Unpublished]:
        taken = [event for event in batch if event.subject != self.refuse]
        self.heard += [(event.subject, event.subject_seq) for event in taken]
        return taken


def _record(store: Store, *subjects: str) -> None:
    with store.transaction() as tx:
        for subject in subjects:
            tx.record("a", "order.created", subject, {"n": 1})


def test_events_go_out_once_and_in_order(store: Store) -> None:
    """What was confirmed is not sent again."""
    _record(store, "s/1", "s/2", "s/1")
    ears = Ears()

    assert relay(store, ears) == 3
    assert relay(store, ears) == 0

    assert ears.heard == [("s/1", 1), ("s/2", 1), ("s/1", 2)]


def test_what_the_exchange_refuses_is_offered_again(store: Store) -> None:
    """A refused event stays unpublished and keeps its number."""
    _record(store, "s/1", "s/2")

    assert relay(store, Ears(refuse="s/1")) == 1
    again = Ears()
    assert relay(store, again) == 1

    assert again.heard == [("s/1", 1)]


def test_a_failing_exchange_loses_nothing(store: Store) -> None:
    """An exchange that breaks in the middle leaves every event to be sent."""
    _record(store, "s/1")

    class Broken:
        def publish(self, batch: Sequence[Unpublished]) -> Sequence[Unpublished]:
            raise OSError("the broker is away")

    try:
        relay(store, Broken())
    except OSError:
        pass
    else:
        raise AssertionError("the failure was swallowed")
    assert relay(store, Ears()) == 1


def test_only_one_relay_is_at_work(store: Store) -> None:
    """A second relay at the same time does nothing, so that order within a subject holds."""
    _record(store, "s/1")
    publishing, go_on = Event(), Event()

    class Slow(Ears):
        def publish(self, batch: Sequence[Unpublished]) -> Sequence[Unpublished]:
            publishing.set()
            go_on.wait(20)
            return super().publish(batch)

    slow, second = Slow(), Ears()
    thread = Thread(target=relay, args=(store, slow))
    thread.start()
    assert publishing.wait(20)
    counted = relay(store, second)
    go_on.set()
    thread.join(20)

    assert (counted, second.heard, slow.heard) == (0, [], [("s/1", 1)])
