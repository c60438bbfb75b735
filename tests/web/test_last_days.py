"""Nothing waits without a last day, and somebody hears of it."""

from datetime import timedelta

import pytest

from tests.forced import unguarded
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop

INVOICE = "inv:sub:2026-06-01"


def age(shop: Shop, table: str) -> None:
    """It has been so for a month."""
    with shop.diary.store.transaction() as tx, unguarded(tx):
        tx.run(f"UPDATE {table} SET doubtful_since = :at", at=shop.clock.at - timedelta(days=30))  # noqa: S608


def test_a_debit_that_was_accepted_and_never_settles_is_asked_about(shop: Shop) -> None:
    shop.open("pm_processing")
    age(shop, "charges")
    shop.wait(hours=12)
    assert [each.audience for each in shop.diary.notices("charge_in_doubt")] == ["agency"]
    assert shop.diary.ask("SELECT state, code FROM charges") == [("pending", "needs_a_person")]


def test_a_refund_that_was_accepted_and_never_settles_is_asked_about(shop: Shop) -> None:
    shop.open("pm_ok")
    assert isinstance(shop.provider, StripeLike)
    shop.provider.refunds_are = "pending"
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    age(shop, "refunds")
    shop.wait(hours=12)
    assert [each.audience for each in shop.diary.notices("refund_in_doubt")] == ["agency"]
    assert shop.diary.ask("SELECT state, code FROM refunds") == [("pending", "needs_a_person")]


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_an_order_that_was_made_and_not_captured_is_asked_for_in_the_same_words(shop: Shop) -> None:
    """PayPal slows us down before the capture, then before the order; a part is paid meanwhile, and only the outstanding amount
    is taken."""
    shop.provider.weather += ["fine", "rate_limited", "rate_limited"]
    shop.open("later", until="2026-05-31T22:01:30Z")
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, amount_minor=900, reference="bank")
    shop.wait(hours=12)
    assert (shop.status(), shop.money()) == ("paid", ["110.00"])
