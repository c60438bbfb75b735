"""What the checkout of a manual order took is never lost, whatever its first invoice says."""

from typing import Any

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.test_money_told import checkout


def _order(diary: Diary, **said: Any) -> None:
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-20", checkout="manual", initial_payment=checkout(**said))


PAYMENTS = "SELECT source, reference, amount_minor FROM payments ORDER BY source"


def test_the_checkouts_money_is_part_of_a_first_invoice_that_is_told_as_paid(diary: Diary) -> None:
    _order(diary)
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03", status="paid")
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]
    assert diary.ask(PAYMENTS) == [("sandbox", "pi", 11900)]
    diary.check()


def test_what_a_paid_first_invoice_asks_for_beyond_the_checkout_came_in_outside(diary: Diary) -> None:
    _order(diary, amount_minor=4000)
    diary.say("invoice.issued", "2026-06-03", id="hand", issued_on="2026-06-03", status="paid")
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]
    assert diary.ask(PAYMENTS) == [("sandbox", "pi", 4000), ("upstream:/portal", "/portal/hand", 7900)]
    diary.check()


@pytest.mark.parametrize("status", ["open", "paid"])
def test_a_first_invoice_over_nothing_makes_the_checkouts_money_a_surplus(diary: Diary, status: str) -> None:
    _order(diary)
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03", status=status, total_minor=0, currency="EUR")
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [11900]
    diary.check()


def test_money_in_another_currency_than_the_first_invoice_is_kept_and_told(diary: Diary) -> None:
    _order(diary, currency="USD")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    assert told(diary.invoices(), "status collected_minor") == [("open", 0)]
    (event,) = diary.events("payment.unapplied")
    assert (event.data["amount_minor"], event.data["currency"], event.data["reason"]) == (
        11900,
        "USD",
        "other_currency",
    )
    (mail,) = [each.read_text() for each in diary.mails.rglob("*.eml") if "without an invoice" in each.read_text()]
    assert "119.00 USD" in mail
    diary.check()
