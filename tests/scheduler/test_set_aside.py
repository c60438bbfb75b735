"""What fails for good is set aside, with delays that double: everything else goes on, in the same tick."""

from datetime import timedelta

import pytest

from scheduler import plan, recheck
from scheduler.tick import Scheduler
from shared.billing.halving import TooManyBadRowsError
from shared.store import figures, rechecks
from shared.store.database import FixedClock, Store, Transaction
from shared.store.rechecks import NewRecheck
from tests.scheduler.rows import due_cycles, schedule
from tests.scheduler.test_dispatch import RecordingQueue

BAD = "s000002"


def bad_subscription(monkeypatch: pytest.MonkeyPatch, *bad: str) -> None:
    """Planning any of these raises, as a bug would."""
    real = plan.catch_up

    def catch_up(schedule, limits, until):
        if schedule.subscription_id in bad:
            raise ValueError("month must be in 1..12")
        return real(schedule, limits, until)

    monkeypatch.setattr(plan, "catch_up", catch_up)


def planned(store: Store) -> list[str]:
    with store.transaction() as tx:
        return [row[0] for row in tx.rows("SELECT subscription_id FROM cycles WHERE stream = 'order' ORDER BY 1")]


def with_schedules(store: Store, count: int) -> Scheduler:
    due_cycles(store, "a", count)
    for number in range(1, count + 1):
        schedule(store, "a", f"s{number:06}", next_at="2026-06-01T00:00:00Z")
    return Scheduler(store, RecordingQueue(), lambda: 0)


def test_a_schedule_that_can_not_be_planned_stops_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the oldest of a pass: the others of the pass are planned, and what is due is dispatched."""
    bad_subscription(monkeypatch, BAD)
    scheduler = with_schedules(store, 4)

    scheduler.tick()

    assert planned(store) == ["s000001", "s000003", "s000004"]
    assert scheduler.work_queue.dispatched_for("a") == 2  # type: ignore[attr-defined]
    with store.transaction() as tx:
        assert figures.snapshot(tx).schedules_failing.rows == 1


def test_a_bad_schedule_is_tried_again_after_delays_that_double(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And planned as soon as it can be."""
    bad_subscription(monkeypatch, BAD)
    scheduler = with_schedules(store, 2)
    failures = []
    for _ in range(8):  # every half a minute
        scheduler.tick()
        with store.transaction() as tx:
            failures.append(tx.scalar("SELECT max(failures) FROM schedules"))
        clock.at += timedelta(seconds=30)
    assert failures == [1, 1, 2, 2, 2, 2, 3, 3]  # after one minute, and two minutes later

    monkeypatch.undo()
    clock.at += timedelta(hours=6)
    scheduler.tick()

    assert set(planned(store)) == {"s000001", BAD}
    with store.transaction() as tx:
        assert figures.snapshot(tx).schedules_failing.rows == 0


def test_a_bug_in_planning_keeps_nothing_from_being_dispatched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every schedule fails: the tick says so, after it has dispatched what is due."""
    bad_subscription(monkeypatch, *(f"s{number:06}" for number in range(1, 9)))
    scheduler = with_schedules(store, 8)

    with pytest.raises(TooManyBadRowsError, match="3 bad rows in one batch"):
        scheduler.tick()

    assert scheduler.work_queue.dispatched_for("a") == 1  # type: ignore[attr-defined]


def add(store: Store, *new: tuple[str, str]) -> None:
    with store.transaction() as tx:
        rechecks.add_all(tx, [NewRecheck("a", kind, ref, tx.as_of) for kind, ref in new])  # type: ignore[arg-type]


def test_a_recheck_that_fails_stops_no_other_and_holds_back_its_own_fact(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later changes of the same fact wait behind it; the tick goes on with everything else."""
    due_cycles(store, "a", 3)
    looked: list[str] = []

    def look(_tx: Transaction, found: rechecks.Recheck, _ids: object) -> None:
        if found.ref == "s000001":
            raise ValueError("a bug")
        looked.append(found.ref)

    monkeypatch.setattr(recheck, "_check", look)
    add(store, ("subscription", "s000001"), ("subscription", "s000002"), ("subscription", "s000001"))
    scheduler = Scheduler(store, RecordingQueue(), lambda: 0)

    for _ in range(3):
        scheduler.tick()
        clock.at += timedelta(seconds=10)

    assert looked == ["s000002"]
    with store.transaction() as tx:
        found = figures.snapshot(tx)
    assert (found.rechecks.rows, found.rechecks_failing.rows) == (2, 1)

    monkeypatch.setattr(recheck, "_check", lambda _tx, found, _ids: looked.append(found.ref))
    clock.at += timedelta(minutes=1)
    scheduler.tick()
    assert looked == ["s000002", "s000001", "s000001"]
