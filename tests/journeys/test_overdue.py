"""An agency may hold orders on an invoice that is past its due date, not only on a failed payment."""

from tests.journeys.diary import Diary, told


def billed_by_hand(diary: Diary, hold_on: str, terms: int = 14) -> None:
    diary.open(agency={"hold_on": hold_on, "payment_terms_days": terms})
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")


def test_an_overdue_invoice_holds_the_next_order_until_it_is_paid(diary: Diary) -> None:
    billed_by_hand(diary, "overdue")
    diary.go("2026-07-01")
    assert told(diary.cycles(stream="order"), "starts_on state reason blocking_starts_on blocking_invoice_id") == [
        ("2026-06-01", "done", None, None, None),
        ("2026-07-01", "held", "invoice_overdue", "2026-06-03", "by-hand-1"),
    ]
    diary.say("invoice.paid", "2026-07-10", invoice_id="by-hand-1")
    assert told(diary.orders(), "cycle_starts_on created_at")[1:] == [("2026-07-01", "2026-07-10T10:00Z")]


def test_an_invoice_is_not_overdue_on_its_due_date_itself(diary: Diary) -> None:
    billed_by_hand(diary, "overdue", terms=28)
    diary.go("2026-07-01")
    assert told(diary.invoices(), "due_on") == ["2026-07-01"]
    assert told(diary.cycles(stream="order"), "state") == ["done", "done"]


def test_without_that_choice_an_unpaid_manual_invoice_holds_nothing(diary: Diary) -> None:
    billed_by_hand(diary, "failure")
    diary.go("2026-08-01")
    assert told(diary.cycles(stream="order"), "state") == ["done", "done", "done"]


def test_choosing_failure_again_releases_what_was_held_as_overdue(diary: Diary) -> None:
    billed_by_hand(diary, "overdue")
    diary.say("agency.upserted", "2026-07-05", hold_on="failure")
    assert told(diary.orders(), "cycle_starts_on created_at")[1:] == [("2026-07-01", "2026-07-05T10:00Z")]


def test_holding_on_overdue_adds_to_holding_on_failure(diary: Diary) -> None:
    diary.open(card="decline:insufficient_funds", agency={"hold_on": "overdue"})
    diary.say("subscription.upserted", "2026-06-01")
    assert told(diary.cycles(stream="order"), "state reason") == [("held", "payment_failed")]


def test_voiding_an_overdue_invoice_releases_the_manual_order(diary: Diary) -> None:
    billed_by_hand(diary, "overdue")
    diary.go("2026-07-01")
    diary.say("invoice.voided", "2026-07-02", invoice_id="by-hand-1")
    assert told(diary.orders(), "cycle_starts_on created_at")[1:] == [("2026-07-01", "2026-07-02T10:00Z")]
