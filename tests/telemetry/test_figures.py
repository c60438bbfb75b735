"""The cluster's figures: right on a healthy ledger, bounded in their labels, and never older than they look."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from scheduler.figures import DESCRIBED, Exporter, samples_of
from shared.domain.states import UNSETTLED_REASONS
from shared.store import figures
from shared.store.transaction import FixedClock, Store
from tests.journeys.diary import Diary


@pytest.fixture
def told(store: Store, clock: FixedClock, tmp_path) -> dict[tuple[str, ...], float]:
    """The samples of a ledger with a failing invoice, a held order and a blocked invoice, on 10 July 2026."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20", card="decline:insufficient_funds")
    diary.say("service.upserted", service_id="audit", price_minor=None)
    diary.say("subscription.upserted", "2026-06-01", subscription_id="poor")
    diary.say("subscription.upserted", subscription_id="audit", service_id="audit")
    diary.hear(b"garbage")
    diary.go("2026-06-10")
    with store.transaction() as tx:
        return {(each.metric, *each.labels): each.value for each in samples_of(figures.snapshot(tx))}


def test_what_is_stuck_is_counted_by_stream_state_and_reason(told: dict[tuple[str, ...], float]) -> None:
    assert told["duecycle_cycles", "invoice", "blocked", "price_missing"] == 1
    assert told["duecycle_cycles", "order", "held", "payment_failed"] == 1
    assert told["duecycle_cycles", "order", "waiting", "invoice_blocked"] == 1
    assert told["duecycle_cycles", "order", "due", ""] == 0
    assert told["duecycle_failing_invoices",] == 1
    assert told["duecycle_charges", "due"] == 1
    assert told["duecycle_inbox_messages", "rejected"] == 1
    assert told["duecycle_late_releases",] == told["duecycle_refused_duplicates",] == 0
    assert {key[0] for key in told} <= set(DESCRIBED)


def test_the_age_of_the_oldest_due_cycle_is_that_of_one_nobody_holds(store: Store, clock: FixedClock) -> None:
    from datetime import timedelta

    from tests.scheduler.rows import due_cycles

    due_cycles(store, "a", 2)
    clock.at += timedelta(minutes=11)
    with store.transaction() as tx:
        found = {(each.metric, *each.labels): each.value for each in samples_of(figures.snapshot(tx))}
    assert found["duecycle_oldest_due_seconds", "invoice"] == 660
    assert found["duecycle_oldest_due_seconds", "order"] == 0


def test_a_reason_that_nobody_knows_counts_as_other(store: Store) -> None:
    """Labels are bounded, whatever stands in a row."""
    from tests.scheduler.rows import due_cycles

    due_cycles(store, "a", 1)
    with store.transaction() as tx:
        tx.run("UPDATE cycles SET state = 'blocked', reason = 'something new'")
        found = {(each.metric, *each.labels): each.value for each in samples_of(figures.snapshot(tx))}
    assert found["duecycle_cycles", "invoice", "blocked", "other"] == 1
    assert "something new" not in UNSETTLED_REASONS


def test_figures_that_could_not_be_counted_say_so_and_grow_old(store: Store, engine: Engine) -> None:
    """Old figures must not look fresh."""
    now = [0.0]
    exporter = Exporter(store, clock=lambda: now[0])
    assert [each.value for each in exporter.samples()] == [0.0]  # not counted yet: not up
    exporter.count()
    now[0] = 40.0
    engine.dispose()

    def broken(*_: object) -> Iterator[None]:
        raise OSError("away")

    exporter._store = type("Gone", (), {"transaction": broken})()  # type: ignore[assignment]
    exporter.count()
    found = {each.metric: each.value for each in exporter.samples()}

    assert found["duecycle_figures_up"] == 0.0
    assert found["duecycle_figures_age_seconds"] == 40.0
