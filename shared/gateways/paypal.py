"""PayPal behind the port: orders v2 with a vaulted payment source and our own `PayPal-Request-Id`; errors become outcomes.

A method's token names what is charged: a vaulted wallet by its id, a vaulted card as `card/<id>`, a billing agreement as `B-…`.

PayPal's behaviour is from its REST specifications (orders v2 2.13, payments v2 2.5): an order may be COMPLETED while its
capture is not, so the capture decides.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, timedelta
from typing import Any, Final
from urllib.parse import quote

from paypalrestsdk import exceptions

from shared.gateways.amounts import UnpayableAmountError, paypal_value
from shared.gateways.network import CONNECT_SECONDS, READ_SECONDS, certainly_not_sent
from shared.gateways.paypal_transport import NoTokenError, PayPalTransport
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotSent,
    NotYetKnowable,
    Outcome,
    Pending,
    RefundRequest,
    Sent,
    Succeeded,
    Unknown,
)

LIVE: Final = "https://api-m.paypal.com"
SANDBOX: Final = "https://api-m.sandbox.paypal.com"
ORDERS: Final = "/v2/checkout/orders"
CAPTURES: Final = "/v2/payments/captures"
REFUNDS: Final = "/v2/payments/refunds"
EVENTS: Final = "/v1/notifications/webhooks-events"
CLOCK_SKEW = timedelta(minutes=5)
PAGE = 300

_ACTION: Final = frozenset({"PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"})
# Money may have moved already: asked about, never tried anew.
_DOUBTFUL: Final = frozenset({"ORDER_ALREADY_CAPTURED", "DUPLICATE_INVOICE_ID", "ORDER_COMPLETION_IN_PROGRESS"})
# The payer's side refuses. Every other issue of a request that is not understood is a matter of ours or of the account.
_PAYERS: Final = frozenset(
    {
        *(
            "INSTRUMENT_DECLINED",
            "TRANSACTION_REFUSED",
            "TRANSACTION_LIMIT_EXCEEDED",
            "PAYER_CANNOT_PAY",
            "CARD_EXPIRED",
        ),
        *("PAYMENT_SOURCE_DECLINED_BY_PROCESSOR", "AGREEMENT_ALREADY_CANCELLED", "BILLING_AGREEMENT_NOT_FOUND"),
        *("TOKEN_ID_NOT_FOUND", "PAYER_ACCOUNT_LOCKED_OR_CLOSED", "PAYER_ACCOUNT_RESTRICTED", "COMPLIANCE_VIOLATION"),
        *("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", "CARD_CLOSED", "PAYMENT_DENIED", "PAYMENT_SOURCE_CANNOT_BE_USED"),
        *("PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED", "TRANSACTION_BLOCKED_BY_PAYEE", "PAYEE_BLOCKED_TRANSACTION"),
    }
)


class PayPalGateway:
    """One PayPal account. Make it after a fork; it is safe to share between threads, each has its own connection.

    `base`: the address of the API, `LIVE` or `SANDBOX`, or another one for tests.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        base: str = LIVE,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        self._api = PayPalTransport(client_id, client_secret, base, timeout)

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        """Collect money off-session. The same request again, under its key, gets the state of the first one or runs once."""
        del today
        try:
            body = _order(request)
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        try:
            order = self._api.post(ORDERS, body, headers=_headers(request.key))
            if order.get("status") in ("CREATED", "APPROVED"):
                captured = f"{ORDERS}/{order['id']}/capture"
                order = self._api.post(captured, {}, headers=_headers(f"{request.key}-capture"))
            return _of_order(order)
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            return _of_error(error)

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:
        """What became of an attempt: by the id of its order if we know it, else by its key in the events since it was sent.

        PayPal can't be asked for an order by our ids. That no event names the key proves nothing, so it is never "not found".
        """
        del today
        try:
            if sent.reference is not None:
                return _of_order(self._api.get(f"{ORDERS}/{sent.reference}"))
            return self._among_events(request, sent)
        except Exception as error:  # noqa: BLE001 - a question that failed says nothing
            return NotYetKnowable(type(error).__name__)

    def refund(self, request: RefundRequest) -> Outcome:
        """Give money back; the same request again, under its key, gets the state of the first one or runs once."""
        try:
            value = paypal_value(request.amount_minor, request.currency)
        except UnpayableAmountError as refused:
            return Declined(refused.code)
        body = {
            "amount": {"currency_code": request.currency, "value": value},
            "invoice_id": request.invoice_id[:127],
            "custom_id": request.key,
        }
        path = f"{CAPTURES}/{quote(request.payment_reference, safe='')}/refund"
        try:
            return _of_refund(self._api.post(path, body, headers=_headers(request.key)))
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            return _of_refund_error(error)

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """What became of a refund, by its id. Without one there is nothing to ask by: the request is sent again instead,
        for its key is remembered for 45 days."""
        del request
        if sent.reference is None:
            return NotYetKnowable("PayPal gave the refund no id")
        try:
            return _of_refund(self._api.get(f"{REFUNDS}/{quote(sent.reference, safe='')}"))
        except Exception as error:  # noqa: BLE001 - a question that failed says nothing
            return NotYetKnowable(type(error).__name__)

    def _among_events(self, request: ChargeRequest, sent: Sent) -> Found:
        since = (sent.at - CLOCK_SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        listed = self._api.get(f"{EVENTS}?page_size={PAGE}&start_time={since}")
        found: list[Outcome] = []
        for event in listed.get("events", []):
            resource = event.get("resource", {})
            if event.get("resource_type") == "capture" and resource.get("custom_id") == request.key:
                found.append(_of_capture(resource, _order_of(resource)))
        settled = [each for each in found if isinstance(each, Succeeded)]
        return next(iter(settled or found), NotYetKnowable("no event names the attempt"))


def _headers(key: str) -> dict[str, str]:
    """With the whole order in the answer: the default has no captures, and they decide."""
    return {"PayPal-Request-Id": key, "Prefer": "return=representation"}


def _order(request: ChargeRequest) -> dict[str, Any]:
    """The order, from the frozen request alone.

    `invoice_id` is the same for every attempt on purpose: an account that blocks repeated ones then stops a second payment.
    """
    amount = {"currency_code": request.currency, "value": paypal_value(request.amount_minor, request.currency)}
    unit = {
        "amount": amount,
        "invoice_id": request.invoice_id[:127],
        "custom_id": request.key,
        "description": request.description[:127],
    }
    return {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": _source(request.token)}


def _source(token: str) -> dict[str, Any]:
    kind, slash, id_ = token.partition("/")
    if slash and kind == "card":
        stored = {"payment_initiator": "MERCHANT", "payment_type": "RECURRING", "usage": "SUBSEQUENT"}
        return {"card": {"vault_id": id_, "stored_credential": stored}}
    if token.startswith("B-"):
        return {"token": {"id": token, "type": "BILLING_AGREEMENT"}}
    return {"paypal": {"vault_id": token}}


def _of_order(order: Mapping[str, Any]) -> Outcome:
    id_ = str(order["id"])
    captures = [
        each for unit in order.get("purchase_units", []) for each in unit.get("payments", {}).get("captures", [])
    ]
    if captures:
        return _of_capture(captures[0], id_)
    if order.get("status") == "PAYER_ACTION_REQUIRED":
        return ActionRequired("PAYER_ACTION_REQUIRED")
    if order.get("status") == "VOIDED":
        return Declined("VOIDED")
    return Unknown(f"the order is {order.get('status')} and has no capture")


def _of_capture(capture: Mapping[str, Any], order_id: str) -> Outcome:
    match capture.get("status"):
        case "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED":
            return Succeeded(str(capture["id"]))
        case "PENDING":
            return Pending(order_id)
        case "DECLINED" | "FAILED" as status:
            return Declined(status, capture.get("processor_response", {}).get("payment_advice_code"))
        case status:
            return Unknown(f"the capture is {status}")


def _of_refund(refund: Mapping[str, Any]) -> Outcome:
    match refund.get("status"):
        case "COMPLETED":
            return Succeeded(str(refund["id"]))
        case "PENDING":
            return Pending(str(refund["id"]))
        case "CANCELLED" | "FAILED" as status:
            return Declined(status)
        case status:
            return Unknown(f"the refund is {status}")


def _of_refund_error(error: Exception) -> Outcome:
    """A refund that PayPal understands and refuses will be refused again, unless its capture is only pending."""
    found = _of_error(error)
    if not isinstance(error, exceptions.ClientError) or error.response.status_code not in (400, 404, 422):
        return found
    issue, _advice = _issue(error.content)
    if issue == "PENDING_CAPTURE":
        return NotSent("the payment itself is pending", "pending_capture")
    return found if isinstance(found, Unknown) else Declined(issue or "refused")


def _order_of(capture: Mapping[str, Any]) -> str:
    related: Mapping[str, Any] = capture.get("supplementary_data", {}).get("related_ids", {})
    return str(related.get("order_id", ""))


def _of_error(error: Exception) -> Outcome:
    if isinstance(error, NoTokenError):
        return error.outcome
    if isinstance(error, exceptions.ConnectionError) and not isinstance(error, exceptions.Redirection):
        return _of_status(error.response.status_code, error.content)
    if certainly_not_sent(error):
        return NotSent("PayPal can't be reached", "unreachable")
    return Unknown(f"the answer was lost ({type(error).__name__})")


def _of_status(status: int, content: str | None) -> Outcome:
    """By the issue, then the name, then the HTTP status; never by text."""
    issue, advice = _issue(content)
    if status == 429:
        return NotSent("PayPal asks us to slow down", "rate_limited")
    if status == 401:
        return NotSent("PayPal refused our credentials", "credentials_refused")
    if issue in _ACTION:
        return ActionRequired(issue)
    if issue in _PAYERS:
        return Declined(issue, advice)
    if issue in _DOUBTFUL or status == 409 or status >= 500:
        return Unknown(f"PayPal answered {status} {issue}".strip())
    if status in (400, 403, 404, 405, 415, 422):
        return NotSent(f"PayPal refused the request: {status} {issue}", issue.lower() or "refused")
    return Unknown(f"PayPal answered {status}")


def _issue(content: str | None) -> tuple[str, str | None]:
    """The first issue of an error, else its name; and what the card's processor advises."""
    try:
        told = json.loads(content or "")
        details = told.get("details") or [{}]
        advice = told.get("processor_response", {}).get("payment_advice_code")
        return str(details[0].get("issue") or told.get("name") or ""), advice
    except (ValueError, AttributeError, IndexError, TypeError):
        return "", None
