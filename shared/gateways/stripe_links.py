"""Stripe's Checkout Sessions: pages of Stripe's where a client pays one invoice, once.

Fields and states are those of docs.stripe.com/api/checkout/sessions; a session can be completed only while it is open.
"""

from typing import Any

import stripe

from shared.domain.keys import fitted
from shared.gateways.amounts import stripe_amount
from shared.gateways.port import (
    KEY_IN_USE,
    Declined,
    Expired,
    Found,
    LinkRequest,
    NotSent,
    NotYetKnowable,
    Pending,
    Saved,
    Succeeded,
    Unknown,
)
from shared.gateways.stripe_account import of_error, of_refusal

REFERENCE_MAX = 200


def _keeping(request: LinkRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """For a client who wants his other invoices to be paid by the same: what to say of the payment, and of the customer.

    docs.stripe.com/payments/save-during-payment: what is kept belongs to a customer, a new one if there is none.
    """
    if not request.keeps_method:
        return {}, {}
    whose = {"customer_creation": "always"} if request.customer is None else {"customer": request.customer}
    return {"setup_future_usage": "off_session"}, whose


def checkout_session(request: LinkRequest) -> Any:
    """The parameters of a session, from the frozen request alone. Raises UnpayableAmountError."""
    about = {"agency_id": request.agency_id, "invoice_id": request.invoice_id, "key": request.key}
    kept, customer = _keeping(request)
    price = {
        "currency": request.currency.lower(),
        "unit_amount": stripe_amount(request.amount_minor, request.currency),
        "product_data": {"name": request.description},
    }
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": fitted(request.invoice_id, REFERENCE_MAX),
        "metadata": about,
        "payment_intent_data": {"description": request.description, "metadata": about, **kept},
        "expires_at": int(request.expires_at.timestamp()),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        **customer,
    }


def saved_method(session: stripe.checkout.Session) -> Saved | None:
    """What was paid by, if Stripe keeps it for payments off-session; without a customer it can't be used again."""
    intent, customer = session.payment_intent, session.customer
    if not isinstance(intent, stripe.PaymentIntent) or intent.setup_future_usage != "off_session" or customer is None:
        return None
    method = intent.payment_method
    token = method if isinstance(method, str) or method is None else method.id
    return None if token is None else Saved(token, customer if isinstance(customer, str) else customer.id)


def of_session(session: stripe.checkout.Session) -> Found | Expired:
    """What the state of a session, with its payment intent in it, means.

    A session that was completed with a debit stays complete when that bounces; its intent then asks for another method
    (docs.stripe.com/payments/checkout/fulfill-orders, on payment methods that are not immediate).
    """
    intent = session.payment_intent
    if session.status == "expired":
        return Expired()
    if session.status != "complete" or not isinstance(intent, stripe.PaymentIntent):
        return NotYetKnowable(f"the session is {session.status}")
    if session.payment_status == "paid":
        return Succeeded(intent.id)
    return Expired() if intent.status in ("requires_payment_method", "canceled") else Pending(intent.id)


def of_refused_link(error: stripe.StripeError) -> NotSent | Unknown:
    """What it means that a payment page was refused: as for a charge, but nothing was collected that could be declined."""
    found = of_refusal(error)
    found = of_error(error) if isinstance(found, Declined) else found
    lost = Unknown(KEY_IN_USE if error.http_status == 409 else "the answer was lost")
    return found if isinstance(found, NotSent) else lost
