"""Disputes at the providers on loopback: a client's bank takes money back, and may give it back after all."""

from decimal import Decimal
from typing import Any

from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike

OUTCOMES = {"lost": "RESOLVED_BUYER_FAVOUR", "won": "RESOLVED_SELLER_FAVOUR"}


def stand(provider: StripeLike | PayPalLike, id_: str, payment: str, amount_minor: int, status: str) -> dict[str, Any]:
    """A dispute about a payment in EUR stands `lost`, `won` or `under_review`; what the provider says of it."""
    about: dict[str, Any]
    if isinstance(provider, StripeLike):
        about = {"id": id_, "object": "dispute", "amount": amount_minor, "currency": "eur", "status": status}
        about["payment_intent"] = payment
    else:
        money = {"value": f"{amount_minor / 100:.2f}", "currency_code": "EUR"}
        about = {
            "dispute_id": id_,
            "status": "RESOLVED" if status in OUTCOMES else "UNDER_REVIEW",
            "dispute_amount": money,
            "disputed_transactions": [{"seller_transaction_id": payment}],
        }
        if status in OUTCOMES:
            about["dispute_outcome"] = {"outcome_code": OUTCOMES[status], "amount_refunded": money}
    provider.disputes[id_] = about
    return about


def lost_of(provider: StripeLike | PayPalLike, payment: str) -> int:
    """How much of a payment is lost by disputes, in minor units: never more than refunds have left of it."""
    if isinstance(provider, StripeLike):
        lost = sum(
            each["amount"]
            for each in provider.disputes.values()
            if each["payment_intent"] == payment and each["status"] == "lost"
        )
        intent = provider.intents[payment]
        back = sum(each["amount"] for each in provider.refunds.values() if each["payment_intent"] == payment)
        return int(min(lost, intent["amount"] - back))
    lost = sum(
        _cents(each["dispute_amount"]["value"])
        for each in provider.disputes.values()
        if each["disputed_transactions"][0]["seller_transaction_id"] == payment
        and each.get("dispute_outcome", {}).get("outcome_code") == OUTCOMES["lost"]
    )
    took = next(_cents(each.amount) for each in provider.ledger if each.reference == payment)
    back = sum(_cents(each["amount"]["value"]) for each in provider.refunds.values() if each["of"] == payment)
    return min(lost, took - back)


def _cents(value: str) -> int:
    return int(Decimal(value) * 100)
