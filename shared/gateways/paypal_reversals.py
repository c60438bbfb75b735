"""Money that PayPal took back: by a dispute decided for the buyer, by a reversal, or a capture that was denied in the end.

Disputes are those of PayPal's customer disputes v1 (`dispute_outcome`: what was decided, and what the buyer got back); a
reversal is told as a refund that nobody asked for, and can be asked for like one (payments v2).
"""

from collections.abc import Mapping
from typing import Any

from shared.gateways.amounts import paypal_minor
from shared.gateways.port import NotYetKnowable, TakenBack

DISPUTES = "/v1/customer/disputes"
BUYERS = "RESOLVED_BUYER_FAVOUR"


def part_of(dispute_id: str, payment: str, *, of: int) -> str:
    """What is asked about one payment of a dispute: of several ones each is a question of its own."""
    return dispute_id if of == 1 else f"{dispute_id}#{payment}"


def of_dispute(dispute: Mapping[str, Any], payment: str) -> TakenBack | NotYetKnowable:
    """Until a dispute is decided for the buyer the money counts as ours. `payment`: the one that is asked about, of several."""
    outcome = dispute.get("dispute_outcome") or {}
    money = outcome.get("amount_refunded") or dispute["dispute_amount"]
    lost = dispute.get("status") == "RESOLVED" and outcome.get("outcome_code") == BUYERS
    if not payment:
        return _gone(money, gone=lost)
    gross = {each["seller_transaction_id"]: _gone(each["gross_amount"], gone=True) for each in _several(dispute)}
    if lost and _gone(money, gone=True).amount_minor < sum(each.amount_minor for each in gross.values()):
        return NotYetKnowable("a part of the payments is gone, and of which is not said")
    return gross[payment] if lost else gross[payment]._replace(amount_minor=0)


def _several(dispute: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = dispute["disputed_transactions"]
    return found


def of_reversal(refund: Mapping[str, Any]) -> TakenBack | NotYetKnowable:
    """A reversal that was called off has taken nothing."""
    if refund.get("status") == "PENDING":
        return NotYetKnowable("the reversal is pending")
    return _gone(refund["amount"], gone=refund.get("status") == "COMPLETED")


def of_denied(capture: Mapping[str, Any]) -> TakenBack | NotYetKnowable:
    """A capture that was there and is denied now has taken all of itself with it."""
    if capture.get("status") == "PENDING":
        return NotYetKnowable("the capture is pending")
    return _gone(capture["amount"], gone=capture.get("status") in ("DECLINED", "FAILED"))


def _gone(money: Mapping[str, Any], *, gone: bool) -> TakenBack:
    currency = str(money["currency_code"])
    return TakenBack(paypal_minor(str(money["value"]), currency) if gone else 0, currency)
