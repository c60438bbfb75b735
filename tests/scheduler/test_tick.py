"""The tick: plan waits for intake after a gap, a commit wakes the loop, and a failing tick does not end it."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from unittest import mock

import pytest
from structlog.testing import capture_logs

from scheduler import tick
from scheduler.loop import loop
from scheduler.tick import GAP, PASSES_MAX, Scheduler
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.database import FixedClock, Store
from shared.store.notifications import Listener
from tests.event_shapes import event
from tests.scheduler.rows import due_cycles, schedule
from tests.scheduler.test_dispatch import RecordingQueue


def _planned(store: Store) -> int:
    with store.transaction() as tx:
        return tx.scalar("SELECT count(*) FROM cycles WHERE stream = 'order'")


def test_after_a_gap_nothing_is_planned_before_intake_has_caught_up(store: Store, clock: FixedClock) -> None:
    """What changed during an outage is still in the queue, and counts from when it became true."""
    due_cycles(store, "a", 1)
    waiting = [0]
    scheduler = Scheduler(store, RecordingQueue(), lambda: waiting[0])
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
    scheduler = Scheduler(store, RecordingQueue(), lambda: 1_000)
    scheduler.tick()
    schedule(store, "a", "s000001", next_at="2026-06-01T00:00:00Z")
    clock.at += timedelta(seconds=1)

    scheduler.tick()

    assert _planned(store) == 1


def test_a_giant_backlog_delays_nobody_elses_plan(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the giant fell due before: the small agency's cycle is planned in the first tick all the same."""
    monkeypatch.setattr(tick, "SCHEDULES_PER_PASS", 10)
    due_cycles(store, "giant", 200)
    due_cycles(store, "small", 1)
    for number in range(1, 201):
        schedule(store, "giant", f"s{number:06}", next_at="2026-05-31T00:00:00Z")
    schedule(store, "small", "s000001", next_at="2026-06-01T00:00:00Z")
    scheduler = Scheduler(store, RecordingQueue(), lambda: 0)

    scheduler.tick()

    with store.transaction() as tx:
        planned = dict(map(tuple, tx.rows("SELECT agency_id, count(*) FROM cycles WHERE stream = 'order' GROUP BY 1")))
    assert planned == {"giant": 10 * (PASSES_MAX - 1), "small": 1}


def test_a_commit_that_leaves_events_behind_wakes_whoever_listens(store: Store, database_url: str) -> None:
    """Nobody has to wait for the next second when there is work."""
    listener = Listener(database_url)
    assert listener.wait(0) is True  # it just connected: whatever was said before, nobody heard
    assert listener.wait(0) is False

    with store.transaction() as tx:
        tx.record(event("order.created"))

    assert listener.wait(20) is True
    assert listener.wait(0) is False
    listener.close()


def test_the_loop_outlives_steps_that_fail() -> None:
    """A database or broker that is away for a moment ends no loop; the outage is told when it begins and when it ends."""
    errors: list[Exception | None] = [OSError("away"), OSError("away"), ValueError("a bug"), None]
    stop, went_well = Event(), list[bool]()

    def step() -> bool:
        error = errors.pop(0)
        if error is not None:
            raise error
        stop.set()
        return False

    with capture_logs() as told:
        loop("tick", step, stop.wait, stop, went_well.append)

    assert went_well == [False, False, False, True]
    assert [line["event"] for line in told] == ["tick.interrupted", "tick.failed", "tick.recovered"]


def test_the_loop_waits_only_when_nothing_is_left() -> None:
    """A step that was cut short is followed by the next one at once."""
    left = [True, True, False, True, False]
    stop, done = Event(), list[str]()

    def step() -> bool:
        done.append("step")
        return left.pop(0)

    def wait(_seconds: int) -> None:
        done.append("wait")
        if not left:
            stop.set()

    loop("tick", step, wait, stop)

    assert done == ["step", "step", "step", "wait", "step", "step", "wait"]


def test_pools_have_work_while_a_long_backlog_is_still_planned(store: Store) -> None:
    """A tick plans a part of what is due, dispatches it, and says that there is more."""
    due_cycles(store, "a", PASSES_MAX * 2)
    for number in range(1, PASSES_MAX * 2 + 1):
        schedule(store, "a", f"s{number:06}", next_at="2026-06-01T00:00:00Z")
    work_queue = RecordingQueue()

    with mock.patch("scheduler.tick.SCHEDULES_PER_PASS", 1):
        ticked = Scheduler(store, work_queue, lambda: 0).tick()

    assert ticked.more
    assert 0 < sum(len(message.ids) for message in work_queue.published if message.pool == "orders") <= PASSES_MAX


def test_a_broker_that_is_away_keeps_nothing_else_from_being_done(store: Store) -> None:
    """Cycles are planned as ever; every row stays due, and is dispatched as soon as the broker is back."""

    class Mute(RecordingQueue):
        def load(self, pool: Pool) -> Load:
            raise OSError("no broker")

    due_cycles(store, "a", 1)
    schedule(store, "a", "s000001", next_at="2026-06-01T00:00:00Z")

    with pytest.raises(OSError, match="no broker"):
        Scheduler(store, Mute(), lambda: 0).tick()
    assert _planned(store) == 1
    work_queue = RecordingQueue()
    Scheduler(store, work_queue, lambda: 0).tick()

    assert {(message.pool, message.again) for message in work_queue.published} == {
        ("invoices", False),
        ("orders", False),
    }


def test_a_publish_that_fails_costs_not_even_a_lease(store: Store) -> None:
    """Rows that were taken for a message nobody took are due again at once."""

    class Broken(RecordingQueue):
        def publish(self, messages: Sequence[Due]) -> None:
            raise OSError("refused")

    due_cycles(store, "a", 3)
    with pytest.raises(OSError, match="refused"):
        Scheduler(store, Broken(), lambda: 0).tick()
    work_queue = RecordingQueue()
    Scheduler(store, work_queue, lambda: 0).tick()

    assert work_queue.published[0].ids == ["s000001", "s000002", "s000003"]
