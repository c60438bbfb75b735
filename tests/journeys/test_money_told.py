"""Money that was told to us is never dropped: it pays an invoice, or the agency hears that none asks for it."""

from typing import Any

import pytest

from tests.journeys.diary import Diary, told

JUNE, JULY = "inv:sub:2026-06-01", "inv:sub:2026-07-01"


def checkout(
    reference: str = "pi", amount_minor: int = 11900, currency: str = "EUR", at: str = "2026-05-20"
) -> dict[str, Any]:
    return {
        "provider": "sandbox",
        "reference": reference,
        "amount_minor": amount_minor,
        "currency": currency,
        "paid_at": f"{at}T08:00:00Z",
    }


def test_one_transfer_pays_two_invoices(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-07-01")
    for id_ in (JUNE, JULY):
        said = {"invoice_id": id_, "reference": "SEPA 4711", "amount_minor": 11900}
        assert diary.say("invoice.paid", "2026-07-02", **said).state == "applied"
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)] * 2
    diary.check()


def test_one_checkout_pays_the_first_invoice_of_two_subscriptions(diary: Diary) -> None:
    diary.open()
    for id_ in ("one", "two"):
        diary.say("subscription.upserted", "2026-06-01", subscription_id=id_, initial_payment=checkout())
    diary.go("2026-06-02")
    assert told(diary.rows("invoices"), "subscription_id status") == [("one", "paid"), ("two", "paid")]
    assert diary.charges() == []
    diary.check()


def test_two_systems_may_use_one_reference(diary: Diary) -> None:
    """The source is upstream's own: bank A's transfer 1 is not bank B's."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-01")
    for source in ("/bank-a", "/bank-b"):
        paid = diary.message(
            "invoice.paid", "2026-06-01", source=source, invoice_id=JUNE, reference="1", amount_minor=4000
        )
        assert diary.hear(paid).state == "applied"
    assert told(diary.invoices(), "status collected_minor") == [("open", 8000)]


def test_money_in_another_currency_than_the_invoice_is_refused(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-01")
    for name in ("invoice.paid", "invoice.refunded", "refund.requested"):
        received = diary.say(name, "2026-06-02", invoice_id=JUNE, amount_minor=11900, currency="JPY")
        assert (received.state, received.field) == ("rejected", "data.currency")
    assert (
        diary.say("invoice.paid", "2026-06-02", invoice_id=JUNE, amount_minor=11900, currency="EUR").state == "applied"
    )


def test_a_part_that_was_paid_before_a_void_is_told_as_surplus(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-01")
    diary.say("invoice.paid", "2026-06-02", invoice_id=JUNE, amount_minor=4000)
    diary.say("invoice.voided", "2026-06-03", invoice_id=JUNE)
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [4000]
    assert told(diary.notices("surplus_payment"), "audience invoice_number") == [("agency", "00001")]


def test_a_checkout_told_in_a_later_revision_ends_the_ladder(diary: Diary) -> None:
    diary.open(card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-02", initial_payment=checkout(at="2026-06-01"))
    diary.go("2026-06-30")
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01"]
    assert told(diary.charges(), "outcome code") == [
        ("declined", "insufficient_funds"),
        ("declined", "insufficient_funds"),  # the retry of that morning
        ("not_sent", "invoice_paid"),
    ]
    diary.check()


def test_a_checkout_told_by_an_older_revision_that_comes_late_counts_too(diary: Diary) -> None:
    diary.open(card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-06-01", revision=5)
    late = diary.say("subscription.upserted", "2026-06-02", revision=4, initial_payment=checkout(at="2026-06-01"))
    assert late.state == "stale"
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]


def test_a_checkout_that_a_later_revision_does_not_repeat_is_not_forgotten(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-05-20", initial_payment=checkout())
    diary.say("subscription.upserted", "2026-05-21", initial_payment=None, quantity=2)
    diary.go("2026-06-01")
    assert told(diary.invoices(), "total_minor collected_minor") == [(23800, 23800)]
    assert told(diary.charges(), "amount_minor outcome") == [(11900, "succeeded")]


def test_a_late_checkout_in_another_currency_than_the_first_invoice_is_refused(diary: Diary) -> None:
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-01")
    received = diary.say("subscription.upserted", "2026-06-02", initial_payment=checkout(currency="USD"))
    assert (received.state, received.field) == ("rejected", "data.initial_payment.currency")


@pytest.mark.parametrize(
    ("status", "reason"), [("cancelled", "subscription_cancelled"), ("paused", "paused")], ids=["cancelled", "paused"]
)
def test_a_checkout_whose_subscription_never_begins_is_told_to_the_agency(
    diary: Diary, status: str, reason: str
) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-05-20", initial_payment=checkout())
    diary.say("subscription.upserted", "2026-05-25", status=status)
    diary.go("2026-06-02")
    assert diary.invoices() == []
    (event,) = diary.events("payment.unapplied")
    assert (event.data["amount_minor"], event.data["reason"]) == (11900, reason)
    (notice,) = diary.notices("surplus_payment")
    assert (notice.audience, notice.subscription_id) == ("agency", "sub")
    (mail,) = [each.read_text() for each in diary.mails.rglob("*.eml") if "without an invoice" in each.read_text()]
    assert "119.00 EUR" in mail
    diary.check()


def test_a_checkout_of_a_period_that_ended_before_we_knew_it_is_told(diary: Diary) -> None:
    """The import names what was paid for the first month, which is not ours to bill."""
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-08-10", initial_payment=checkout(), collection="manual")
    assert [each.data["reason"] for each in diary.events("payment.unapplied")] == ["before_known"]
    diary.check()


def test_a_checkout_of_a_manual_order_that_is_cancelled_before_its_first_invoice_is_told(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", initial_payment=checkout())
    diary.say("subscription.upserted", "2026-06-02", status="cancelled")
    assert [each.data["reason"] for each in diary.events("payment.unapplied")] == ["subscription_cancelled"]


def test_a_refund_told_twice_under_its_reference_is_recorded_once(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01")
    said = {"invoice_id": JUNE, "amount_minor": 1000, "reference": "transfer 9"}
    assert [diary.say("invoice.refunded", "2026-06-02", **said).state for _ in range(2)] == ["applied", "repeated"]
    other = diary.say("invoice.refunded", "2026-06-02", **{**said, "amount_minor": 999})
    assert (other.state, other.field) == ("rejected", "data.amount_minor")
    assert diary.ask("SELECT sum(amount_minor)::bigint FROM refunds") == [(1000,)]


@pytest.mark.parametrize(
    ("said", "status"),
    [({"name": "invoice.voided"}, "void"), ({"name": "invoice.paid"}, "paid")],
    ids=["void", "paid"],
)
def test_an_invoice_that_was_void_or_paid_before_its_issue_asks_nobody_to_pay(
    diary: Diary, said: dict[str, str], status: str
) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-05-20", collection="manual")
    diary.say(said["name"], "2026-05-25", subscription_id="sub", period_starts_on="2026-06-01")
    diary.go("2026-06-02")
    assert told(diary.invoices(), "status") == [status]
    assert diary.notices("invoice_open") == []
    diary.check()
