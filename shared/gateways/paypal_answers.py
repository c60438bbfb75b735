"""What PayPal's answers mean: an order may be COMPLETED while its capture is not, so the capture decides.

PayPal's behaviour is from its REST specifications (orders v2 2.13, payments v2 2.5).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from paypalrestsdk import exceptions

from shared.domain.declines import METHOD_REFUSED
from shared.domain.refusals import about
from shared.gateways.network import certainly_not_sent
from shared.gateways.paypal_codes import CODES
from shared.gateways.paypal_transport import NoTokenError
from shared.gateways.port import ActionRequired, Declined, NotSent, Outcome, Pending, Succeeded, Unknown

_ACTION: Final = frozenset({"PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"})
# Money may have moved already: asked about, never tried again.
_DOUBTFUL: Final = frozenset({"ORDER_ALREADY_CAPTURED", "DUPLICATE_INVOICE_ID", "ORDER_COMPLETION_IN_PROGRESS"})
# Names of what is not there, which say nothing of the method where something else was asked for.
_GONE: Final = frozenset({"INVALID_RESOURCE_ID", "RESOURCE_NOT_FOUND"})


def of_order(order: Mapping[str, Any]) -> Outcome:
    id_ = str(order["id"])
    captures = [
        each for unit in order.get("purchase_units", []) for each in unit.get("payments", {}).get("captures", [])
    ]
    if captures:
        return of_capture(captures[0], id_)
    if order.get("status") == "PAYER_ACTION_REQUIRED":
        return ActionRequired("PAYER_ACTION_REQUIRED")
    if order.get("status") == "VOIDED":
        return Declined("VOIDED")
    return Unknown(f"the order is {order.get('status')} and has no capture")


def of_capture(capture: Mapping[str, Any], order_id: str) -> Outcome:
    match capture.get("status"):
        case "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED":
            return Succeeded(str(capture["id"]))
        case "PENDING":
            return Pending(order_id)
        case "DECLINED" | "FAILED" as status:
            return Declined(status, capture.get("processor_response", {}).get("payment_advice_code"))
        case status:
            return Unknown(f"the capture is {status}")


def of_refund(refund: Mapping[str, Any]) -> Outcome:
    match refund.get("status"):
        case "COMPLETED":
            return Succeeded(str(refund["id"]))
        case "PENDING":
            return Pending(str(refund["id"]))
        case "CANCELLED" | "FAILED" as status:
            return Declined(status)
        case status:
            return Unknown(f"the refund is {status}")


def of_refund_error(error: Exception) -> Outcome:
    """A refund that PayPal understands and refuses will be refused again, unless its capture is only pending."""
    found = of_error(error)
    if not isinstance(error, exceptions.ClientError) or error.response.status_code not in (400, 404, 422):
        return found
    issue, _advice, _field = issue_of(error.content)
    if issue == "PENDING_CAPTURE":
        return NotSent("the payment itself is pending", "pending_capture")
    if isinstance(found, Unknown) or (isinstance(found, NotSent) and found.about == "account"):
        return found
    return Declined(issue or "refused")


def order_of(capture: Mapping[str, Any]) -> str:
    related: Mapping[str, Any] = capture.get("supplementary_data", {}).get("related_ids", {})
    return str(related.get("order_id", ""))


def of_refusal(error: Exception) -> Outcome:
    """What it means that an order over a vaulted method was refused; if something is not found there, it can only be the
    method."""
    return of_error(error, vaulted=True)


def of_uncaptured(error: Exception) -> Outcome:
    """What it means that an order was made and not captured: nothing else may ever be asked for under its key."""
    found = of_error(error)
    return found._replace(key_spent=True) if isinstance(found, NotSent) else found


def of_error(error: Exception, *, vaulted: bool = False) -> Outcome:
    if isinstance(error, NoTokenError):
        return error.outcome
    if isinstance(error, exceptions.ConnectionError) and not isinstance(error, exceptions.Redirection):
        return of_status(error.response.status_code, error.content, vaulted=vaulted)
    if certainly_not_sent(error):
        return NotSent("PayPal can't be reached", "unreachable")
    return Unknown(f"the answer was lost ({type(error).__name__})")


def of_status(status: int, content: str | None, *, vaulted: bool = False) -> Outcome:
    """By the issue, then the name, then the HTTP status; never by text."""
    issue, advice, field = issue_of(content)
    if status == 429:
        return NotSent("PayPal asks us to slow down", "rate_limited")
    if status == 401:
        return NotSent("PayPal refused our credentials", "credentials_refused", "account")
    if issue in _ACTION:
        return ActionRequired(issue)
    if issue in _DOUBTFUL or status == 409 or status >= 500:
        return Unknown(f"PayPal answered {status} {issue}".strip())
    if status not in (400, 403, 404, 405, 415, 422):
        return Unknown(f"PayPal answered {status}")
    return _of_content(status, issue, advice, field, vaulted=vaulted)


def _of_content(status: int, issue: str, advice: str | None, field: str | None, *, vaulted: bool) -> Outcome:
    found = "request" if issue in _GONE and not vaulted else about(CODES, issue, field if vaulted else None)
    match found:
        case "method":
            return Declined(issue, advice if issue in CODES.declines else METHOD_REFUSED)
        case "amount":
            return NotSent(f"PayPal refuses the amount: {issue}", CODES.amount[issue], "request", key_spent=True)
        case "account":
            return NotSent(f"PayPal refuses the account: {status} {issue}", issue.lower(), "account", status != 403)
    if status == 403:
        return NotSent(f"PayPal refuses the account: {status} {issue}", issue.lower() or "refused", "account")
    return NotSent(
        f"PayPal refused the request: {status} {issue}", issue.lower() or "refused", "request", key_spent=True
    )


def issue_of(content: str | None) -> tuple[str, str | None, str | None]:
    """The first issue of an error, else its name; what the card's processor advises; and the field that is wrong."""
    try:
        told = json.loads(content or "")
        details = told.get("details") or [{}]
        advice = told.get("processor_response", {}).get("payment_advice_code")
        return str(details[0].get("issue") or told.get("name") or ""), advice, details[0].get("field")
    except (ValueError, AttributeError, IndexError, TypeError):
        return "", None, None
