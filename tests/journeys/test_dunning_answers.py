"""Answers of a gateway that are neither yes nor no: not sent, pending, lost; and what happens to the invoice meanwhile."""

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, checkout, days, mails, moved, order_states, orders, statuses


def test_an_attempt_that_was_not_sent_goes_out_again_under_the_same_key(diary: Diary) -> None:
    """No failure, no notice, no second attempt: when the gateway is back, the first attempt succeeds."""
    checkout(diary, "outage_until:2026-06-03")
    diary.go("2026-06-02")
    (before,) = diary.charges()
    assert (before.outcome, before.attempt) == ("not_sent", 1)
    assert moved(diary) == []
    assert order_states(diary) == [("2026-06-01", "waiting", "invoice_unpaid")]
    assert diary.ask("SELECT failing_since, status FROM invoices") == [(None, "open")]
    diary.go("2026-06-03")
    (after,) = diary.charges()
    assert (after.outcome, after.attempt, after.key) == ("succeeded", 1, before.key)
    assert moved(diary) == [(before.key, 11900, "succeeded")]
    assert mails(diary) == [("2026-06-03", "invoice_paid", "client")]
    assert len(diary.events("charge.not_sent")) == 1


def test_a_pending_attempt_is_waited_for(diary: Diary) -> None:
    """Neither failing nor charged again; the order waits silently, and is created the day the money settles."""
    checkout(diary, "pending:3")
    diary.go("2026-06-03")
    assert days(diary) == [("2026-06-01", "pending")]
    assert order_states(diary) == [("2026-06-01", "waiting", "invoice_unpaid")]
    assert mails(diary) == []
    diary.go("2026-06-05")
    assert days(diary) == [("2026-06-01", "succeeded")]
    assert orders(diary) == [("2026-06-01", "2026-06-04")]
    assert len(moved(diary)) == 1


def test_a_lost_answer_is_looked_up_and_the_money_taken_once(diary: Diary) -> None:
    checkout(diary, "unknown_then_ok")
    diary.go("2026-06-03")
    assert [(amount, outcome) for _key, amount, outcome in moved(diary)] == [(11900, "succeeded")]
    assert days(diary) == [("2026-06-01", "succeeded")]
    assert [each.type for each in diary.rows("events") if each.type.startswith("charge.")] == [
        "charge.unknown",
        "charge.succeeded",
    ]
    assert mails(diary) == [("2026-06-01", "invoice_paid", "client")]


def test_a_lost_answer_that_was_a_decline_is_one_failure(diary: Diary) -> None:
    """Found by the lookup; the ladder goes on from there, with one attempt on each retry day."""
    checkout(diary, "unknown_then_declined")
    diary.go("2026-06-02")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-02", "declined")]
    assert len(moved(diary)) == 2
    assert mails(diary) == [("2026-06-01", "payment_failed", "agency"), ("2026-06-01", "payment_failed", "client")]


def test_a_void_waits_for_money_in_flight_and_is_refused_when_it_arrives(diary: Diary) -> None:
    checkout(diary, "pending:2")
    assert diary.say("invoice.voided", "2026-06-02", invoice_id=INVOICE).state == "waiting"
    diary.go("2026-06-02")
    assert statuses(diary) == [("2026-06-01", "open", 0)]
    diary.go("2026-06-04")
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert told(diary.rows("rejected"), "field reason") == [
        ("data.invoice_id", "the invoice is paid; refund it instead"),
    ]


def test_a_void_waits_for_an_attempt_in_flight_and_counts_when_it_fails(diary: Diary) -> None:
    """No retry goes out, nobody is dunned any more, and the order of the voided period is skipped."""
    checkout(diary, "unknown_then_declined")
    diary.go("2026-05-31T22:00:30Z")
    assert diary.say("invoice.voided", invoice_id=INVOICE).state == "waiting"
    diary.go("2026-06-03")
    assert statuses(diary) == [("2026-06-01", "void", 0)]
    assert len(moved(diary)) == 1
    assert order_states(diary) == [("2026-06-01", "skipped", "invoice_void")]


def test_the_clients_own_payment_counts_at_once_though_a_charge_is_in_flight(diary: Diary) -> None:
    """The order goes out; when the charge settles too, its money is surplus and the agency is told."""
    checkout(diary, "pending:3")
    diary.say("invoice.paid", "2026-06-02", invoice_id=INVOICE, reference="bank-1")
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert orders(diary) == [("2026-06-01", "2026-06-02")]
    diary.go("2026-06-05")
    assert statuses(diary) == [("2026-06-01", "paid", 23800)]
    assert mails(diary, "surplus_payment") == [("2026-06-04", "surplus_payment", "agency")]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [11900]
    assert len(mails(diary, "invoice_paid")) == 1


def test_a_decline_that_comes_after_the_client_paid_is_no_failure(diary: Diary) -> None:
    checkout(diary, "unknown_then_declined")
    diary.go("2026-05-31T22:00:30Z")
    diary.say("invoice.paid", invoice_id=INVOICE)
    diary.go("2026-06-03")
    assert days(diary) == [("2026-06-01", "declined")]
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert mails(diary) == [("2026-06-01", "invoice_paid", "client")]


def test_fifteen_declined_attempts_of_a_method_and_amount_are_the_most_in_30_days(diary: Diary) -> None:
    """However often a charge is asked for; who asks for the sixteenth is told when it can be. The ladder ends on time, and
    nothing goes out after that automatically: when the first has left the window, it can be asked for again."""
    checkout(diary, "decline:insufficient_funds")
    diary.go("2026-06-01T06:00:00Z")
    for _ in range(20):
        answer = diary.say("charge.requested", invoice_id=INVOICE)
        diary.settle()
    assert (answer.state, answer.field) == ("rejected", "data.invoice_id")
    assert "declined 15 times in 30 days" in (answer.reason or "")
    assert "before 2026-06-30" in (answer.reason or "")
    assert len(moved(diary)) == 15
    diary.say("subscription.upserted", "2026-06-29", cancel_on="2026-07-01")  # July's invoice would take the free place
    assert len(moved(diary)) == 15
    diary.go("2026-06-30T22:30:00Z")
    assert len(moved(diary)) == 15
    assert [day for day, _, _ in mails(diary, "dunning_exhausted")] == ["2026-06-15", "2026-06-15"]
    assert diary.say("charge.requested", invoice_id=INVOICE).state == "applied"
    diary.settle()
    assert len(moved(diary)) == 16
