"""PayPal behind the port: orders v2 with a vaulted payment source and our own `PayPal-Request-Id`; errors become outcomes.

A method's token names what is charged: a vaulted wallet by its id, a vaulted card as `card/<id>`, a billing agreement as `B-…`.

The library serves as the transport alone, with three of its methods replaced: as it is it has no timeout, repeats a refused
call without end, opens a connection per call, logs credentials, and sends a caller's headers with the request for a token.
PayPal's behaviour is from its REST specifications (orders v2 2.13, payments v2 2.5): an order may be COMPLETED while its
capture is not, so the capture decides.
"""

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, date, timedelta
from typing import Any, Final

import paypalrestsdk
import requests
from paypalrestsdk import exceptions

from shared.gateways.amounts import UnpayableAmountError, paypal_value
from shared.gateways.network import CONNECT_SECONDS, READ_SECONDS, Sessions, certainly_not_sent
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotSent,
    NotYetKnowable,
    Outcome,
    Pending,
    Sent,
    Succeeded,
    Unknown,
)

LIVE: Final = "https://api-m.paypal.com"
SANDBOX: Final = "https://api-m.sandbox.paypal.com"
ORDERS: Final = "/v2/checkout/orders"
EVENTS: Final = "/v1/notifications/webhooks-events"
EARLY_SECONDS: Final = 60.0  # a token is asked anew this long before it ends
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
        self._api = _Transport(client_id, client_secret, base, timeout)

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
        links = {link["rel"]: link["href"] for link in order.get("links", [])}
        return ActionRequired("PAYER_ACTION_REQUIRED", links.get("payer-action"))
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


def _order_of(capture: Mapping[str, Any]) -> str:
    related: Mapping[str, Any] = capture.get("supplementary_data", {}).get("related_ids", {})
    return str(related.get("order_id", ""))


def _of_error(error: Exception) -> Outcome:
    if isinstance(error, _NoTokenError):
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


class _NoTokenError(Exception):
    """No token was to be had, so nothing was sent."""

    def __init__(self, outcome: NotSent) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class _Transport(paypalrestsdk.Api):  # type: ignore[misc]  # the library has no types
    """The library's `Api` with timeouts, kept connections, a locked token and one repetition; nothing of it is logged."""

    def __init__(self, client_id: str, client_secret: str, base: str, timeout: tuple[float, float]) -> None:
        super().__init__(mode="live", endpoint=base, client_id=client_id, client_secret=client_secret)
        self._timeout = timeout
        self._sessions = Sessions()
        self._lock = threading.Lock()
        self._token: dict[str, str] | None = None
        self._token_ends = 0.0

    def http_call(self, url: str, method: str, **given: Any) -> Any:
        """One request. Raises the library's errors by status, requests.RequestException, and ValueError for unreadable JSON."""
        body = given.get("data") if method == "POST" else None
        response = self._sessions.request(method, url, data=body, headers=given.get("headers"), timeout=self._timeout)
        if 300 <= response.status_code < 400:
            raise exceptions.Redirection(response, None)
        return self.handle_response(response, response.content.decode("utf-8"))

    def get_token_hash(self, *_: Any, **__: Any) -> dict[str, str]:
        """The token, asked for once by however many threads, anew a minute before it ends."""
        with self._lock:
            if self._token is None or time.monotonic() >= self._token_ends:
                self._token = None
                told = self._ask_for_token()
                self._token, self._token_ends = told, time.monotonic() + float(told["expires_in"]) - EARLY_SECONDS
            return self._token

    def _ask_for_token(self) -> dict[str, str]:
        headers = {
            "Authorization": f"Basic {self.basic_auth()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        try:
            told: dict[str, str] = self.http_call(
                f"{self.endpoint}/v1/oauth2/token", "POST", data="grant_type=client_credentials", headers=headers
            )
            return {name: told[name] for name in ("token_type", "access_token", "expires_in")}
        except exceptions.ConnectionError as error:
            refused = isinstance(error, exceptions.ClientError) and error.response.status_code in (400, 401, 403)
            code = "credentials_refused" if refused else "unreachable"
            raise _NoTokenError(NotSent(f"PayPal gave no token ({error.response.status_code})", code)) from None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise _NoTokenError(NotSent(f"PayPal gave no token ({type(error).__name__})", "unreachable")) from None

    def request(self, url: str, method: str, body: Any = None, headers: Any = None, refresh_token: Any = None) -> Any:
        """One call; with a token that is no longer taken, one more with a new one. Raises what `http_call` raises."""
        del refresh_token
        token = self.get_token_hash()
        try:
            return self._call(url, method, body, headers, token)
        except exceptions.UnauthorizedAccess:
            with self._lock:
                if self._token is token:
                    self._token = None
        return self._call(url, method, body, headers, self.get_token_hash())

    def _call(self, url: str, method: str, body: Any, headers: Any, token: Mapping[str, str]) -> Any:
        whole = {
            "Authorization": f"{token['token_type']} {token['access_token']}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            **(headers or {}),
        }
        return self.http_call(url, method, data=json.dumps(body), headers=whole)
