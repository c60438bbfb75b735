"""The end of the ladder, by the agency's choice; and how an invoice is resolved after it."""

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, JULY, card, checkout, days, mails, order_states, orders, statuses

SHORT = [1, 2]


def test_left_open_it_may_still_be_paid(diary: Diary) -> None:
    """Nothing is tried automatically any more; a new card is charged at once and starts a new ladder."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": SHORT})
    diary.go("2026-06-10")
    assert len(days(diary)) == 3
    assert statuses(diary) == [("2026-06-01", "open", 0)]
    card(diary, "2026-06-11", "decline:processing_error")
    diary.go("2026-06-15")
    assert [day for day, _ in days(diary)[3:]] == ["2026-06-11", "2026-06-12", "2026-06-13"]
    assert [day for day, _, audience in mails(diary, "dunning_exhausted") if audience == "agency"] == [
        "2026-06-03",
        "2026-06-13",
    ]
    card(diary, "2026-06-16", "ok")
    assert orders(diary) == [("2026-06-01", "2026-06-16")]


def test_marked_uncollectible_its_orders_stay_held_until_it_is_paid(diary: Diary) -> None:
    """The series stops and says so once; a late payment lets the order go and the series goes on automatically."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": SHORT, "on_exhausted": "mark_uncollectible"})
    diary.go("2026-07-03")
    assert statuses(diary) == [("2026-06-01", "uncollectible", 0)]
    assert order_states(diary)[0] == ("2026-06-01", "held", "invoice_uncollectible")
    assert told(diary.cycles("sub", "invoice"), "starts_on") == ["2026-06-01"]  # stopped before July was due
    assert mails(diary, "series_stopped") == [("2026-06-03", "series_stopped", "agency")]
    card(diary, "2026-07-04", "ok")
    assert len(days(diary)) == 3  # given up is given up: a new card is not charged for it
    diary.say("invoice.paid", "2026-07-05", invoice_id=INVOICE)
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert orders(diary) == [("2026-06-01", "2026-07-05")]
    diary.go("2026-08-02")
    assert statuses(diary)[1:] == [("2026-08-01", "paid", 11900)]


def test_marked_uncollectible_and_voided_its_order_is_skipped(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": SHORT, "on_exhausted": "mark_uncollectible"})
    diary.say("invoice.voided", "2026-06-10", invoice_id=INVOICE)
    assert statuses(diary) == [("2026-06-01", "void", 0)]
    assert order_states(diary) == [("2026-06-01", "skipped", "invoice_void")]


def test_cancelled_by_dunning_is_final(diary: Diary) -> None:
    """No later cycle, whatever upstream says afterwards; what was held before still goes out once it is paid."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": SHORT, "on_exhausted": "cancel"})
    diary.go("2026-06-05")
    assert diary.ask("SELECT ended_reason FROM subscriptions") == [("dunning_exhausted",)]
    assert len(diary.events("subscription.ended")) == 1
    diary.say("subscription.upserted", "2026-06-06", status="active", quantity=2)
    diary.say("subscription.resumed", "2026-06-07")
    card(diary, "2026-06-08", "ok")
    diary.go("2026-07-03")
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert orders(diary) == [("2026-06-01", "2026-06-08")]
    assert order_states(diary) == [("2026-06-01", "done", None)]


def test_the_agency_is_told_what_became_of_the_invoice(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": [], "on_exhausted": "mark_uncollectible"})
    diary.go("2026-06-02")
    written = [each.read_text() for each in sorted(diary.mails.glob("*office@agency*.eml"))]
    assert [mails(diary, what) != [] for what in ("dunning_exhausted", "series_stopped")] == [True, True]
    assert len([each for each in written if "The invoice was marked uncollectible." in each]) == 1


def test_what_is_held_for_a_manual_order_is_created_when_its_invoice_is_voided(diary: Diary) -> None:
    """Voided is resolved: the order was held by that invoice alone, and is not tied to its period."""
    diary.open(card="decline:insufficient_funds", agency={"dunning": {"retry_days": SHORT}})
    diary.say("subscription.upserted", "2026-06-03", checkout="manual", collection="automatic", starts_on="2026-06-03")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-01", status="paid")
    diary.go("2026-07-05")
    assert order_states(diary)[1:] == [("2026-07-03", "held", "payment_failed")]
    diary.say("invoice.voided", "2026-07-06", invoice_id=JULY)
    assert orders(diary)[1:] == [("2026-07-03", "2026-07-06")]
    assert diary.events("cycle.released_late") == []
