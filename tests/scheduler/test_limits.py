"""A pass of the scheduler that is too much for the database is done in parts, and one pool's trouble is not the others'."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from scheduler import plan, recheck
from scheduler.dispatch import dispatch
from scheduler.tick import Scheduler
from shared.store import due_rows, rechecks
from shared.store.database import Store
from shared.store.rechecks import NewRecheck
from tests.limits import timed_out
from tests.scheduler.rows import due_cycles, schedule
from tests.scheduler.test_dispatch import RecordingQueue


def breaks(monkeypatch: pytest.MonkeyPatch, where: object, name: str, when: Callable[..., bool]) -> None:
    """A function meets the limit of a statement's time whenever `when` says so of its arguments."""
    kept = getattr(where, name)

    def limited(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise timed_out()
        return kept(*args, **kwargs)

    monkeypatch.setattr(where, name, limited)


def test_planning_that_takes_too_long_is_done_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    due_cycles(store, "a", 8)
    for number in range(1, 9):
        schedule(store, "a", f"s{number:06}", next_at="2026-06-01T00:00:00Z")
    breaks(monkeypatch, plan, "write", lambda _tx, due: len(due) > 3)

    Scheduler(store, RecordingQueue(), lambda: 0).tick()

    with store.transaction() as tx:
        assert tx.scalar("SELECT count(*) FROM cycles WHERE stream = 'order'") == 8


def test_a_schedule_that_takes_too_long_alone_is_set_aside(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tick goes on: seven are planned, and what is due is dispatched."""
    due_cycles(store, "a", 8)
    for number in range(1, 9):
        schedule(store, "a", f"s{number:06}", next_at="2026-06-01T00:00:00Z")
    breaks(monkeypatch, plan, "write", lambda _tx, due: any(each.schedule.subscription_id == "s000003" for each in due))
    work_queue = RecordingQueue()

    Scheduler(store, work_queue, lambda: 0).tick()

    with store.transaction() as tx:
        assert tx.scalar("SELECT count(*) FROM cycles WHERE stream = 'order'") == 7
        assert tx.scalar("SELECT subscription_id FROM schedules WHERE retry_at IS NOT NULL") == "s000003"
    assert work_queue.dispatched_for("a") == 2


def test_a_database_that_plans_nothing_in_time_sets_nothing_aside_and_dispatches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_cycles(store, "a", 8)
    for number in range(1, 9):
        schedule(store, "a", f"s{number:06}", next_at="2026-06-01T00:00:00Z")
    breaks(monkeypatch, plan, "write", lambda _tx, _due: True)
    work_queue = RecordingQueue()

    with pytest.raises(OperationalError):
        Scheduler(store, work_queue, lambda: 0).tick()

    with store.transaction() as tx:
        assert tx.scalar("SELECT count(*) FROM schedules WHERE retry_at IS NOT NULL") == 0
    assert work_queue.dispatched_for("a") == 1


def test_a_recheck_that_takes_too_long_is_done_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    due_cycles(store, "a", 8)
    looked: list[list[str]] = []
    monkeypatch.setattr(recheck, "_check", lambda _tx, _found, ids: looked.append(list(ids)))
    breaks(monkeypatch, recheck, "_check", lambda _tx, _found, ids: len(ids) > 2)
    with store.transaction() as tx:
        rechecks.add_all(tx, [NewRecheck("a", "agency", "a", tx.as_of)])

    while recheck.recheck(store, batch=8):
        pass

    assert sorted(id_ for ids in looked for id_ in ids) == [f"s{number:06}" for number in range(1, 9)]
    assert max(map(len, looked)) == 2


def test_rows_that_can_not_be_taken_at_once_are_taken_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for agency_id in ("a", "b", "c", "d"):
        due_cycles(store, agency_id, 2)
    breaks(monkeypatch, due_rows, "take_due", lambda _tx, _pool, room, *_rest: room > 2)
    work_queue = RecordingQueue()

    dispatch(store, work_queue, ["invoices"])

    assert sorted(message.agency_id for message in work_queue.published) == ["a", "b", "c", "d"]


def test_a_pool_whose_rows_can_not_be_taken_keeps_no_other_from_being_dispatched(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_cycles(store, "a", 2)
    due_cycles(store, "b", 2, stream="order")
    breaks(monkeypatch, due_rows, "take_due", lambda _tx, pool, *_rest: pool == "invoices")
    work_queue = RecordingQueue()

    with pytest.raises(OperationalError):
        dispatch(store, work_queue, ["invoices", "orders"])

    assert [message.pool for message in work_queue.published] == ["orders"]
