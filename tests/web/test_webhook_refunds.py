"""Webhooks about money that went back, and about money that is disputed."""

from typing import Any

import requests

from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both

FINE = {"stripe": "pm_ok", "paypal": "ok"}


def refund_told(shop: Shop, refund: dict[str, Any], capture: str) -> requests.Response:
    if shop.name == "stripe":
        return shop.hook("refund.created", refund)
    link = {"rel": "up", "href": f"https://api.paypal.example/v2/payments/captures/{capture}", "method": "GET"}
    return shop.hook("PAYMENT.CAPTURE.REFUNDED", {**refund, "links": [link]}, "refund")


@both
def test_what_the_agency_gave_back_at_the_provider_is_recorded(shop: Shop) -> None:
    """Not by us: in its own account there. The refund is asked for, gets its credit note, and is recorded once."""
    shop.open(FINE[shop.name])
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments")
    provider = shop.provider
    if isinstance(provider, StripeLike):
        refund: dict[str, Any] = {
            "id": "re_dashboard",
            "object": "refund",
            "amount": 1900,
            "currency": "eur",
            "payment_intent": payment,
            "metadata": {},
            "created": 1,
            "status": "succeeded",
        }
    else:
        amount = {"value": "19.00", "currency_code": "EUR"}
        refund = {"id": "REFUND9999", "status": "COMPLETED", "of": payment, "amount": amount}
    provider.refunds[refund["id"]] = refund
    for _ in range(3):
        assert refund_told(shop, refund, payment).status_code == 200
    shop.wait(seconds=1)
    rows = shop.diary.ask("SELECT origin, state, amount_minor, reference FROM refunds")
    assert rows == [("provider", "succeeded", 1900, refund["id"])]
    assert shop.diary.ask("SELECT total_minor FROM credit_notes") == [(1900,)]


@both
def test_a_refund_of_ours_is_known_by_its_key(shop: Shop) -> None:
    """The answer was lost, and its webhook comes before we ask: no second refund, none is recorded twice."""
    shop.open(FINE[shop.name])
    shop.provider.weather.append("drop_after")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id="inv:sub:2026-06-01", amount_minor=1000)
    shop.wait(seconds=1)
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments")
    (refund,) = shop.provider.refunds.values()
    assert refund_told(shop, refund, payment).status_code == 200
    shop.wait(hours=1)
    assert shop.diary.ask("SELECT state, reference FROM refunds") == [("succeeded", refund["id"])]
    assert len(shop.provider.returned) == 1


def test_a_refund_that_the_clients_bank_sends_back_is_told_to_the_agency(shop: Shop) -> None:
    shop.open(FINE["stripe"])
    shop.diary.say("refund.requested", shop.clock.at, invoice_id="inv:sub:2026-06-01", amount_minor=1000)
    shop.wait(seconds=1)
    (refund,) = shop.provider.refunds.values()
    assert shop.hook("refund.failed", {**refund, "status": "failed"}).status_code == 200
    shop.wait(seconds=1)
    assert shop.diary.notices("refund_failed", "agency") == []  # the provider, asked, says otherwise
    refund["status"] = "failed"
    for _ in range(2):
        assert shop.hook("refund.failed", refund).status_code == 200
    shop.wait(seconds=1)
    assert len(shop.diary.notices("refund_failed", "agency")) == 1


@both
def test_a_dispute_is_told_to_the_agency_once(shop: Shop) -> None:
    """Money is not touched: whether it goes back is decided at the provider."""
    shop.open(FINE[shop.name])
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments")
    for _ in range(2):
        if shop.name == "stripe":
            about = {"id": "dp_1", "object": "dispute", "amount": 11900, "currency": "eur", "payment_intent": payment}
            assert shop.hook("charge.dispute.created", about).status_code == 200
        else:
            about = {
                "dispute_id": "PP-D-1",
                "dispute_amount": {"value": "119.00", "currency_code": "EUR"},
                "disputed_transactions": [{"seller_transaction_id": payment}],
            }
            assert shop.hook("CUSTOMER.DISPUTE.CREATED", about, "dispute").status_code == 200
    shop.wait(seconds=1)
    assert [each.audience for each in shop.diary.notices("payment_disputed")] == ["agency"]
    assert shop.diary.events("payment.disputed")[0].data["amount_minor"] == 11900
    assert shop.status() == "paid"
