"""A checkout's payment that is told again: the same is known, another amount refused, another payment is money of its own."""

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.test_money_told import checkout

PAYMENTS = "SELECT reference, amount_minor FROM payments ORDER BY reference"


def _begun(diary: Diary, **said: object) -> None:
    """The first invoice is issued; `said`: of the subscription."""
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-20", **{"collection": "manual", **said})
    diary.go("2026-06-01")


@pytest.mark.parametrize("revision", [5, 1], ids=["later", "late"])
def test_a_recorded_payment_with_another_amount_is_refused(diary: Diary, revision: int) -> None:
    _begun(diary, revision=2, initial_payment=checkout(amount_minor=10000))
    said = {"revision": revision, "initial_payment": checkout(amount_minor=12000)}
    received = diary.say("subscription.upserted", "2026-06-02", **said)
    assert (received.state, received.field) == ("rejected", "data.initial_payment.amount_minor")
    assert "10000 EUR" in received.reason
    assert diary.ask(PAYMENTS) == [("pi", 10000)]
    same = diary.say("subscription.upserted", "2026-06-02", revision=6, initial_payment=checkout(amount_minor=10000))
    assert same.state == "applied"


@pytest.mark.parametrize(("revision", "state"), [(5, "applied"), (1, "stale")])
def test_a_second_payment_beside_a_recorded_one_is_recorded_too(diary: Diary, revision: int, state: str) -> None:
    _begun(diary, revision=2, initial_payment=checkout("pi_a"))
    second = checkout("pi_b", amount_minor=5000)
    assert diary.say("subscription.upserted", "2026-06-02", revision=revision, initial_payment=second).state == state
    assert diary.ask(PAYMENTS) == [("pi_a", 11900), ("pi_b", 5000)]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [5000]
    diary.check()


@pytest.mark.parametrize("revision", [5, 1], ids=["later", "late"])
def test_a_payment_that_is_not_recorded_yet_is_not_replaced_by_another(diary: Diary, revision: int) -> None:
    """The refusal says where the second one is to be sent, and what it says works."""
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-20", revision=2, initial_payment=checkout("pi_a", amount_minor=4000))
    received = diary.say("subscription.upserted", revision=revision, initial_payment=checkout("pi_b"))
    assert (received.state, received.field) == ("rejected", "data.initial_payment.reference")
    assert "pi_a" in received.reason
    assert "invoice.paid" in received.reason
    of = {"subscription_id": "sub", "period_starts_on": "2026-06-01"}
    diary.say("invoice.paid", **of, reference="pi_b", amount_minor=7900)
    diary.go("2026-06-01")
    assert diary.ask(PAYMENTS) == [("pi_a", 4000), ("pi_b", 7900)]
    assert told(diary.invoices(), "status") == ["paid"]
    diary.check()


def test_an_amount_that_is_not_recorded_yet_can_be_corrected(diary: Diary) -> None:
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-20", initial_payment=checkout(amount_minor=100))
    assert diary.say("subscription.upserted", initial_payment=checkout()).state == "applied"
    diary.go("2026-06-01")
    assert diary.ask(PAYMENTS) == [("pi", 11900)]


def test_a_late_revision_with_money_in_another_currency_than_the_first_invoice_is_refused(diary: Diary) -> None:
    _begun(diary, revision=2)
    late = diary.say("subscription.upserted", "2026-06-02", revision=1, initial_payment=checkout(currency="USD"))
    assert (late.state, late.field) == ("rejected", "data.initial_payment.currency")


def test_money_kept_without_an_invoice_keeps_its_amount_too(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-05-20", initial_payment=checkout())
    diary.say("subscription.upserted", "2026-05-25", status="paused")
    diary.go("2026-06-02")
    received = diary.say("subscription.upserted", initial_payment=checkout(amount_minor=1))
    assert (received.state, received.field) == ("rejected", "data.initial_payment.amount_minor")
    diary.check()


def test_what_a_late_revision_says_is_kept_whole_or_refused_whole(diary: Diary) -> None:
    """It tells of money, and of a date that would take a document back: nothing of it is kept."""
    _begun(diary, revision=3)
    received = diary.say(
        "subscription.upserted", "2026-06-02", revision=2, initial_payment=checkout(), bill_from="2026-07-01"
    )
    assert (received.state, received.field) == ("rejected", "data.bill_from")
    assert diary.ask("SELECT initial_payment, bill_from FROM subscriptions") == [(None, None)]
    assert diary.ask("SELECT count(*) FROM payments WHERE reference = 'pi'") == [(0,)]
