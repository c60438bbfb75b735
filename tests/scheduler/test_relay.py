"""The relay: every event goes out, in order within its subject, at least once."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from threading import Event, Thread

from structlog.testing import capture_logs

from scheduler.relay import RETRIES_PER_PASS, Passed, Relaying, Told, relay, relay_pass
from shared.store import figures
from shared.store.database import FixedClock, Store
from shared.store.events import Unpublished
from tests.event_shapes import leave


class Ears:
    """An exchange that remembers, and refuses every event of subjects that begin with `refuse`: no later one is tried."""

    def __init__(self, refuse: str = "-") -> None:
        self.refuse = refuse
        self.heard: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []

    def publish(self, batch: Sequence[Unpublished]) -> Told:
        taken = [event for event in batch if not event.subject.startswith(self.refuse)]
        first = {event.subject: event for event in reversed(batch) if event not in taken}
        self.heard += [(event.subject, event.subject_seq) for event in taken]
        self.refused += [(event.subject, event.subject_seq) for event in first.values()]
        return Told(taken, list(first.values()))


def _record(store: Store, *subjects: str) -> None:
    with store.transaction() as tx:
        for subject in subjects:
            leave(tx, "order.created", subject)


def test_events_go_out_once_and_in_order(store: Store) -> None:
    """What was confirmed is not sent again."""
    _record(store, "s/1", "s/2", "s/1")
    ears = Ears()

    assert relay(store, ears) == 3
    assert relay(store, ears) == 0

    assert ears.heard == [("s/1", 1), ("s/2", 1), ("s/1", 2)]


def test_what_the_exchange_refuses_is_offered_again_after_a_delay(store: Store, clock: FixedClock) -> None:
    """A refused event stays unpublished and keeps its number."""
    _record(store, "s/1", "s/2")

    assert relay(store, Ears(refuse="s/1")) == 1
    assert relay(store, Ears()) == 0
    clock.at += timedelta(seconds=10)
    again = Ears()
    assert relay(store, again) == 1

    assert again.heard == [("s/1", 1)]


def test_the_delays_of_a_refused_event_double_up_to_an_hour(store: Store, clock: FixedClock) -> None:
    """A full queue costs the healthy ones ten repeats in two hours and a half, not one each second."""
    _record(store, "s/1")
    full = Ears(refuse="s/1")
    began, tries = clock.at, []

    while clock.at < began + timedelta(hours=3):
        before = len(full.refused)
        relay(store, full)
        if len(full.refused) > before:
            tries.append(round((clock.at - began).total_seconds()))
        clock.at += timedelta(seconds=10)

    assert tries == [0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 8710]


def test_a_refused_event_holds_back_its_own_subject_alone(store: Store, clock: FixedClock) -> None:
    """Later events of that subject wait behind it, in order, however often others go out meanwhile."""
    _record(store, "s/1", "s/1", "s/2")
    full = Ears(refuse="s/1")
    relay(store, full)
    _record(store, "s/1", "s/2")
    relay(store, full)
    assert (full.heard, full.refused) == ([("s/2", 1), ("s/2", 2)], [("s/1", 1)])

    clock.at += timedelta(seconds=10)
    free = Ears()
    while relay_pass(store, free).more:
        pass

    assert free.heard == [("s/1", 1), ("s/1", 2), ("s/1", 3)]
    assert relay(store, free) == 0


def test_many_stuck_subjects_starve_nobody(store: Store) -> None:
    """750 subjects that nobody takes, and then 20 others: they go out in the next pass."""
    _record(store, *(f"full/{number}" for number in range(750)))
    ears = Ears(refuse="full")
    while relay_pass(store, ears).more:
        pass
    _record(store, *(f"s/{number}" for number in range(20)))

    assert relay(store, ears) == 20
    assert max(Counter(ears.refused).values()) == 1


def test_refused_events_are_tried_again_a_few_at_a_time(store: Store, clock: FixedClock) -> None:
    """However many wait, a pass repeats few of them to those who have them already."""
    _record(store, *(f"full/{number}" for number in range(100)))
    ears = Ears(refuse="full")
    relay(store, ears)
    clock.at += timedelta(hours=1)

    relay(store, ears)

    assert len(ears.refused) == 100 + RETRIES_PER_PASS


def test_when_a_queue_has_room_again_all_is_published_at_once(store: Store, clock: FixedClock) -> None:
    """Nobody waits for the end of a long delay: each event that is taken calls two others."""
    _record(store, *(f"full/{number}" for number in range(300)), *(f"full/{number}" for number in range(300)))
    ears = Ears(refuse="full")
    for _ in range(1000):
        relay(store, ears)
        clock.at += timedelta(seconds=10)
    free = Ears()
    for _ in range(400):  # the next try of any of them is due within an hour
        while relay_pass(store, free).more:
            pass
        if free.heard:
            break
        clock.at += timedelta(seconds=10)

    assert len(free.heard) == 600
    assert [seq for subject, seq in free.heard if subject == "full/7"] == [1, 2]


def test_refused_events_are_counted_with_their_age(store: Store, clock: FixedClock) -> None:
    _record(store, "s/1", "s/1", "s/2")
    relay(store, Ears(refuse="s/1"))
    relay(store, Ears(refuse="s/1"))

    with store.transaction() as tx:
        found = figures.snapshot(tx)
    assert found.events_unpublished.rows == 2
    assert (found.events_refused.rows, found.events_refused.oldest_at) == (1, clock.at)


def test_refusals_are_told_at_once_each_minute_and_when_they_end() -> None:
    event = Unpublished(agency_id="a", event_id=1, type="order.created", subject="s/1", subject_seq=1, at=None, data={})  # type: ignore[arg-type]
    now = [100.0]
    refusing = Passed(0, [event])
    passes = [refusing, refusing, refusing, Passed(1, cleared=True)]
    relaying = Relaying(lambda: passes.pop(0), lambda: now[0])

    with capture_logs() as logs:
        for _ in range(4):
            relaying.run(Event())
            now[0] += 40

    told = [(each["event"], each.get("times")) for each in logs if each["event"] != "events.published"]
    assert told == [("events.refused", 1), ("events.refused", 2), ("events.accepted", None)]


def test_a_failing_exchange_loses_nothing(store: Store) -> None:
    """An exchange that breaks in the middle leaves every event to be sent."""
    _record(store, "s/1")

    class Broken:
        def publish(self, batch: Sequence[Unpublished]) -> Told:
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
        def publish(self, batch: Sequence[Unpublished]) -> Told:
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
