"""PayPal orders that a client approves himself: we send him there, and take the money once he has agreed.

`experience_context` and the states of an order are those of PayPal's orders v2; an order that nobody approves is
forgotten after three hours, which is why links live shorter.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.keys import fitted
from shared.gateways.amounts import paypal_value
from shared.gateways.paypal_answers import of_order
from shared.gateways.port import ActionRequired, Declined, Expired, Found, LinkRequest, NotYetKnowable

INVOICE_ID_MAX = 127
WAITING = ("CREATED", "SAVED", "PAYER_ACTION_REQUIRED")  # for the client: nothing can be taken yet


def approval_order(request: LinkRequest) -> dict[str, Any]:
    """The order, from the frozen request alone. Raises UnpayableAmountError.

    What the client pays by is not kept: the description of orders v2 at hand knows no vaulting with a purchase.
    """
    amount = {"currency_code": request.currency, "value": paypal_value(request.amount_minor, request.currency)}
    unit = {
        "amount": amount,
        "invoice_id": fitted(request.invoice_id, INVOICE_ID_MAX),
        "custom_id": request.key,
        "description": request.description[:127],
    }
    context = {"return_url": request.success_url, "cancel_url": request.cancel_url, "user_action": "PAY_NOW"}
    source = {"paypal": {"experience_context": context}}
    return {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": source}


def approval_url(order: Mapping[str, Any]) -> str:
    """Where the client approves. Raises KeyError if the order names no such address."""
    links = {link["rel"]: str(link["href"]) for link in order.get("links", [])}
    return links["payer-action"] if "payer-action" in links else links["approve"]


def of_approval(order: Mapping[str, Any]) -> Found | Expired:
    """What an order means that is not approved: still waiting for the client, or at its end."""
    if order.get("status") in WAITING:
        return NotYetKnowable(f"the order is {order['status']}")
    found = of_order(order)
    # Declined or sent back to the client after he had agreed: he has to be told, and to come again.
    return Declined(found.code) if isinstance(found, ActionRequired) else found
