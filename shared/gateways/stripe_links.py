"""Stripe's Checkout Sessions: pages of Stripe's where a client pays one invoice, once.

Fields and states are those of docs.stripe.com/api/checkout/sessions; a session can be completed only while it is open.
"""

from typing import Any

import stripe

from shared.gateways.amounts import stripe_amount
from shared.gateways.port import Expired, Found, LinkRequest, NotYetKnowable, Pending, Succeeded


def checkout_session(request: LinkRequest) -> Any:
    """The parameters of a session, from the frozen request alone. Raises UnpayableAmountError."""
    about = {"agency_id": request.agency_id, "invoice_id": request.invoice_id, "key": request.key}
    price = {
        "currency": request.currency.lower(),
        "unit_amount": stripe_amount(request.amount_minor, request.currency),
        "product_data": {"name": request.description},
    }
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": request.invoice_id[:200],
        "metadata": about,
        "payment_intent_data": {"description": request.description, "metadata": about},
        "expires_at": int(request.expires_at.timestamp()),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
    }


def of_session(session: stripe.checkout.Session) -> Found | Expired:
    """What a session's state means."""
    intent = session.payment_intent
    reference = intent if isinstance(intent, str) or intent is None else intent.id
    if session.status == "expired":
        return Expired()
    if session.status == "complete" and reference is not None:
        return Succeeded(reference) if session.payment_status == "paid" else Pending(reference)
    return NotYetKnowable(f"the session is {session.status}")
