"""The tick: plan waits for intake after a gap, a commit wakes the loop, and a failing tick does not end it."""

from datetime import timedelta
from threading import Event, Thread

from scheduler.loop import loop
from scheduler.tick import GAP, Scheduler
from shared.store.listening import Listener
from shared.store.transaction import FixedClock, Store
from tests.scheduler.rows import due_cycles, schedule
from tests.scheduler.test_dispatch import Belfry
from tests.scheduler.test_relay import Ears


def _planned(store: Store) -> int:
    with store.transaction() as tx:
        return tx.scalar("SELECT count(*) FROM cycles WHERE stream = 'order'")


def test_after_a_gap_nothing_is_planned_before_intake_has_caught_up(store: Store, clock: FixedClock) -> None:
    """What changed during an outage is still in the queue, and counts from when it became true."""
    due_cycles(store, "a", 1)
    waiting = [0]
    scheduler = Scheduler(store, Belfry(), Ears(), lambda: waiting[0])
    scheduler.tick()
    schedule(store, "a", "s000001", next_at="2026-06-01T00:00:00Z")
    clock.at += GAP + timedelta(seconds=1)
    waiting[0] = 7

    scheduler.tick()
    scheduler.tick()
    before = _planned(store)
    waiting[0] = 0
    scheduler.tick()

    assert (before, _planned(store)) == (0, 1)


def test_a_queue_that_is_busy_in_normal_times_holds_nothing_up(store: Store, clock: FixedClock) -> None:
    """Without a gap the scheduler plans, however many messages are on their way."""
    due_cycles(store, "a", 1)
    scheduler = Scheduler(store, Belfry(), Ears(), lambda: 1_000)
    scheduler.tick()
    schedule(store, "a", "s000001", next_at="2026-06-01T00:00:00Z")
    clock.at += timedelta(seconds=1)

    scheduler.tick()

    assert _planned(store) == 1


def test_a_commit_that_leaves_events_behind_wakes_whoever_listens(store: Store, database_url: str) -> None:
    """Nobody has to wait for the next second when there is work."""
    listener = Listener(database_url)
    assert listener.wait(0) is False

    with store.transaction() as tx:
        tx.record("a", "order.created", "s/1", {})

    assert listener.wait(20) is True
    assert listener.wait(0) is False
    listener.close()


def test_the_loop_outlives_a_tick_that_fails(store: Store) -> None:
    """A database that is away for a moment ends no scheduler."""
    failing, stop = [2], Event()

    class Fragile(Ears):
        def publish(self, batch):
            failing[0] -= 1
            if failing[0] >= 0:
                raise OSError("away")
            stop.set()
            return super().publish(batch)

    with store.transaction() as tx:
        tx.record("a", "order.created", "s/1", {})
    ears = Fragile()
    thread = Thread(target=loop, args=(Scheduler(store, Belfry(), ears, lambda: 0), stop.wait, stop))
    thread.start()
    thread.join(30)

    assert not thread.is_alive()
    assert ears.heard == [("s/1", 1)]
