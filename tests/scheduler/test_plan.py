"""Plan writes every cycle that should exist, once, whoever runs it how often."""

from datetime import UTC, datetime

from scheduler.plan import plan
from shared.store.database import FixedClock, Store
from tests.scheduler.rows import due_cycles, schedule


def _starts(store: Store) -> list[str]:
    with store.transaction() as tx:
        rows = tx.rows("SELECT starts_on FROM cycles WHERE stream = 'order' ORDER BY starts_on")
        return [row[0].isoformat() for row in rows]


def test_an_outage_of_three_months_is_planned_cycle_by_cycle(store: Store, clock: FixedClock) -> None:
    """Three missed months are three rows, each with its own period; a second pass adds nothing."""
    due_cycles(store, "a", 1)
    schedule(store, "a", "s000001", next_at="2026-05-31T22:00:00Z")
    clock.at = datetime(2026, 8, 15, tzinfo=UTC)

    assert plan(store) == 1
    assert plan(store) == 0

    assert _starts(store) == ["2026-06-01", "2026-07-01", "2026-08-01"]
    with store.transaction() as tx:
        row = tx.rows("SELECT next_index, next_at, planned_until FROM schedules")[0]
    assert (row[0], row[1].isoformat(), row[2].isoformat()) == (3, "2026-08-31T22:00:00+00:00", "2026-09-01")


def test_a_long_backlog_is_planned_in_steps_of_36(store: Store, clock: FixedClock) -> None:
    """One schedule far behind can't make a transaction without end: each pass takes 36, and says there is more."""
    due_cycles(store, "a", 1)
    schedule(store, "a", "s000001", next_at="2026-05-31T22:00:00Z", unit="day")
    clock.at = datetime(2026, 8, 15, tzinfo=UTC)

    counts = []
    while plan(store):
        counts.append(len(_starts(store)))

    assert counts == [36, 72, 76]  # 1 June to 15 August are 30 + 31 + 15 days


def test_a_schedule_that_is_not_due_is_left_alone(store: Store) -> None:
    """The clock stands at 1 June 00:00 UTC; the schedule's next instant is a second later."""
    due_cycles(store, "a", 1)
    schedule(store, "a", "s000001", next_at="2026-06-01T00:00:01Z")

    assert plan(store) == 0
    assert _starts(store) == []
