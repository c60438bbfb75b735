"""The cluster's figures: right on a healthy ledger, bounded in their labels, and never older than they look."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from scheduler.figures import DESCRIBED, Exporter, samples_of
from shared.domain.states import UNSETTLED_REASONS
from shared.store import charges, figures, notice_desk, notices
from shared.store.database import FixedClock, Store
from shared.store.notices import NewNotice, Sending
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
    assert (told["duecycle_charges", "planned"], told["duecycle_charges", "due"]) == (1, 0)  # on the 11th
    assert told["duecycle_inbox_messages", "rejected"] == 1
    assert told["duecycle_late_releases",] == told["duecycle_refused_duplicates",] == 0
    assert {key[0] for key in told} <= set(DESCRIBED)


def test_the_age_of_the_oldest_due_cycle_is_that_of_one_nobody_holds(store: Store, clock: FixedClock) -> None:
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


@pytest.fixture
def counting(store: Store) -> "Counting":
    return Counting(store)


class Counting(Exporter):
    """An exporter with a clock of its own, whose counts can be made to fail."""

    def __init__(self, store: Store) -> None:
        self.now, self.error = 0.0, Exception()
        super().__init__(store, clock=lambda: self.now)

    def fail(self, error: Exception) -> None:
        def broken(*_: object) -> Iterator[None]:
            raise error

        working, self._store = self._store, type("Gone", (), {"transaction": broken})()
        self.count()
        self._store = working

    def names(self) -> list[str]:
        return [each.metric for each in self.samples()]

    def up(self) -> float:
        return next(each.value for each in self.samples() if each.metric == "duecycle_figures_up")


def test_without_a_database_there_are_no_figures_instead_of_old_ones(counting: Counting) -> None:
    """What nobody can know is not told; that it is so is. The first good count brings them back."""
    assert (counting.names(), counting.up()) == (["duecycle_figures_up"], 0.0)  # not counted yet
    counting.count()
    assert counting.up() == 1.0
    assert "duecycle_oldest_due_seconds" in counting.names()

    counting.fail(OSError("away"))

    assert (counting.names(), counting.up()) == (["duecycle_figures_up"], 0.0)
    counting.count()
    assert counting.up() == 1.0


def test_figures_that_are_too_old_are_dropped_whatever_keeps_the_count(counting: Counting) -> None:
    """A single count that fails changes nothing; without three in a row, or when one hangs, there are no figures."""
    counting.count()
    counting.now = 20.0
    counting.fail(ValueError("a bug"))
    assert counting.up() == 1.0

    counting.now = 31.0

    assert (counting.names(), counting.up()) == (["duecycle_figures_up"], 0.0)


def test_due_means_that_the_time_has_come(store: Store, clock: FixedClock, tmp_path) -> None:
    """An attempt of tomorrow and a mail that is tried again in an hour are planned; they are due when that time has come."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20", card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-06-01", subscription_id="poor")
    diary.go("2026-06-01")
    later = clock.at + timedelta(hours=1)
    with store.transaction() as tx:
        notices.insert(
            tx,
            "ag",
            [
                NewNotice(
                    key="n-1",
                    occasion="invoice_paid",
                    audience="client",
                    recipient="a@b.example",
                    subscription_id=None,
                    invoice_id=None,
                    context="{}",
                )
            ],
        )
        notices.settle(
            tx,
            "ag",
            [
                Sending(
                    key="n-1",
                    state="due",
                    subject=None,
                    message_id=None,
                    reason="away",
                    wake_at=later,
                    sent_at=None,
                    tries=1,
                    outcome="away",
                    tried_at=clock.at,
                    refused_since=clock.at,
                )
            ],
        )

    def counted() -> list[float]:
        with store.transaction() as tx:
            found = {(each.metric, *each.labels): each.value for each in samples_of(figures.snapshot(tx))}
            listed = [each["state"] for each in charges.unended(tx, None, None, None, 9)]
            mails = [each.state for each in notice_desk.listed(tx, notice_desk.Wanted(), 9)]
            assert len(charges.unended(tx, None, listed[0], None, 9)) == len(listed)
            assert len(notice_desk.listed(tx, notice_desk.Wanted(state=mails[0]), 9)) == len(mails)
        assert {*listed, *mails} == {"due" if found["duecycle_charges", "due"] else "planned"}
        return [
            found[each]
            for each in (
                ("duecycle_charges", "planned"),
                ("duecycle_charges", "due"),
                ("duecycle_notices_due",),
                ("duecycle_notices", "away"),
                ("duecycle_oldest_notice_seconds",),
            )
        ]

    assert counted() == [1, 0, 0, 1, 0]
    clock.at += timedelta(days=2)
    assert counted() == [0, 1, 1, 1, 47 * 3600]
