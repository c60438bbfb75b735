"""PayPal behind the port: orders v2 with a vaulted payment source and our own `PayPal-Request-Id`; errors become outcomes.

A method's token names what is charged: a vaulted wallet by its id, a vaulted card as `card/<id>`, a billing agreement as `B-…`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from paypalrestsdk import exceptions

from shared.domain.keys import fitted
from shared.gateways.amounts import UnpayableAmountError, paypal_value
from shared.gateways.network import CONNECT_SECONDS, READ_SECONDS
from shared.gateways.paypal_answers import (
    of_capture,
    of_error,
    of_order,
    of_refund,
    of_refund_error,
    of_refusal,
    of_uncaptured,
    order_of,
)
from shared.gateways.paypal_events import listed, next_page, paypal_event, postback
from shared.gateways.paypal_links import INVOICE_ID_MAX, WAITING, approval_order, approval_url, of_approval
from shared.gateways.paypal_reversals import DISPUTES, of_denied, of_dispute, of_reversal
from shared.gateways.paypal_transport import PayPalTransport
from shared.gateways.port import (
    KEY_IN_USE,
    NOT_NAMED,
    ActionRequired,
    BadSignatureError,
    ChargeRequest,
    Declined,
    Expired,
    Found,
    Gone,
    LinkRequest,
    Listed,
    NotSent,
    NotYetKnowable,
    Opened,
    Outcome,
    ProviderEvent,
    RefundRequest,
    Saved,
    Sent,
    Succeeded,
    TakenBack,
    Unknown,
)

LIVE: Final = "https://api-m.paypal.com"
SANDBOX: Final = "https://api-m.sandbox.paypal.com"
ORDERS: Final = "/v2/checkout/orders"
CAPTURES: Final = "/v2/payments/captures"
REFUNDS: Final = "/v2/payments/refunds"
REFUNDED: Final = "PAYMENT.CAPTURE.REFUNDED"
VERIFY: Final = "/v1/notifications/verify-webhook-signature"
EVENTS: Final = "/v1/notifications/webhooks-events"
CLOCK_SKEW = timedelta(minutes=5)
PAGE = 300


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

    def charge(self, request: ChargeRequest, today: date) -> Outcome:  # noqa: ARG002 - the port's
        """Collect money off-session. The same request again, under its key, gets the state of the first one or runs once."""
        try:
            body = _order(request)
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        try:
            order = self._api.post(ORDERS, body, headers=_headers(request.key))
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            return of_refusal(error)
        try:
            if order.get("status") in ("CREATED", "APPROVED"):
                captured = f"{ORDERS}/{order['id']}/capture"
                order = self._api.post(captured, {}, headers=_headers(f"{request.key}-capture"))
            return of_order(order)
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            return of_uncaptured(error)

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:  # noqa: ARG002 - the port's
        """What became of an attempt: by the id of its order if we know it, else by its key in the events since it was sent.

        PayPal can't be asked for an order by our ids. That no event names the key proves nothing, so it is never "not found".
        """
        try:
            if sent.reference is not None:
                return of_order(self._api.get(f"{ORDERS}/{quote(sent.reference, safe='')}"))
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
            "invoice_id": fitted(request.invoice_id, INVOICE_ID_MAX),
            "custom_id": request.key,
        }
        path = f"{CAPTURES}/{quote(request.payment_reference, safe='')}/refund"
        try:
            return of_refund(self._api.post(path, body, headers=_headers(request.key)))
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            return of_refund_error(error)

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """What became of a refund: by its id if we know it, else by its key in the events since it was sent.

        That no event names the key proves nothing; but then the request can be sent again, for it is remembered for 45 days.
        """
        try:
            if sent.reference is not None:
                return of_refund(self._api.get(f"{REFUNDS}/{quote(sent.reference, safe='')}"))
            for event in self._events(sent.at - CLOCK_SKEW, REFUNDED):
                resource = event.get("resource") or {}
                if resource.get("custom_id") == request.key:
                    return of_refund(resource)
        except Exception as error:  # noqa: BLE001 - a question that failed says nothing
            return NotYetKnowable(type(error).__name__)
        return NotYetKnowable("no event names the refund")

    def open_link(self, request: LinkRequest) -> Opened | NotSent | Unknown:
        """An order that waits for the client's approval; the money is taken by `collect_link`, and only if we still want it."""
        try:
            body = approval_order(request)
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        try:
            order = self._api.post(ORDERS, body, headers=_headers(request.key))
            return Opened(str(order["id"]), approval_url(order))
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            found = of_error(error)
            in_use = isinstance(error, exceptions.ResourceConflict)
            lost = Unknown(KEY_IN_USE if in_use else "the answer was lost")
            return found if isinstance(found, NotSent) else lost

    def collect_link(self, request: LinkRequest, reference: str) -> Found | Expired | Gone:
        """Take the money of an order that the client has approved, once by its key."""
        order = self._order_at(reference)
        if isinstance(order, Gone | NotYetKnowable):
            return order
        if order.get("status") != "APPROVED":
            return of_approval(order)
        path = f"{ORDERS}/{quote(reference, safe='')}/capture"
        try:
            return of_approval(self._api.post(path, {}, headers=_headers(f"{request.key}-capture")))
        except Exception as error:  # noqa: BLE001 - whatever the library raises, money may have moved
            found = of_error(error)
            return Declined(found.code) if isinstance(found, ActionRequired) else found

    def look_at_link(self, reference: str) -> Found | Expired | Gone:
        """See the port."""
        order = self._order_at(reference)
        if isinstance(order, Gone | NotYetKnowable):
            return order
        return NotYetKnowable("nothing is taken") if order.get("status") == "APPROVED" else of_approval(order)

    def _order_at(self, reference: str) -> Mapping[str, Any] | Gone | NotYetKnowable:
        """PayPal forgets an order that nobody approves."""
        try:
            order: Mapping[str, Any] = self._api.get(f"{ORDERS}/{quote(reference, safe='')}")
            return order
        except exceptions.ResourceNotFound:
            return Gone()
        except Exception as error:  # noqa: BLE001 - a question that failed says nothing
            return NotYetKnowable(type(error).__name__)

    def saved_at(self, reference: str) -> Saved | None:
        """Nothing is kept at PayPal, see `approval_order`."""
        del reference
        return None

    def taken_back(self, kind: str, reference: str) -> TakenBack | NotYetKnowable:
        """See the port."""
        asked: dict[str, tuple[str, Callable[[Mapping[str, Any]], TakenBack | NotYetKnowable]]] = {
            "dispute": (DISPUTES, lambda told: of_dispute(told, part)),
            "reversal": (REFUNDS, of_reversal),
            "payment": (CAPTURES, of_denied),
        }
        id_, _, part = reference.partition("#")
        path, read = asked[kind]
        try:
            return read(self._api.get(f"{path}/{quote(id_, safe='')}"))
        except Exception as error:  # noqa: BLE001 - a question that failed says nothing
            return NotYetKnowable(type(error).__name__)

    def end_link(self, reference: str) -> bool:
        """Without our capture no money moves, and whoever ends a link captures it no more: what counts is that we never did."""
        order = self._order_at(reference)
        return not isinstance(order, Gone | NotYetKnowable) and order.get("status") in (*WAITING, "APPROVED")

    def parse_webhook(self, raw: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> ProviderEvent:
        """See the port. `secret`: the id of our webhook, which is no secret; PayPal itself is asked whether it sent this."""
        question = postback(raw, headers, secret.strip(), now)
        try:
            answer = self._api.post_bytes(VERIFY, question)
        except exceptions.ClientError as error:
            raise BadSignatureError(f"PayPal can't read it ({error.response.status_code})") from None
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            raise OSError(f"PayPal did not say whether it sent this ({type(error).__name__})") from None
        if answer.get("verification_status") != "SUCCESS":
            raise BadSignatureError("PayPal did not send this")
        return paypal_event(raw)

    def payments_since(self, since: datetime) -> Iterator[Listed]:
        """The captures that events since then call completed."""
        yield from self._listed(since, "PAYMENT.CAPTURE.COMPLETED")

    def refunds_since(self, since: datetime) -> Iterator[Listed]:
        """The refunds in the events since then."""
        yield from self._listed(since, REFUNDED)

    def _listed(self, since: datetime, type_: str) -> Iterator[Listed]:
        seen: set[str] = set()
        for event in self._events(since, type_):
            found = listed(event)
            if found.reference not in seen:
                seen.add(found.reference)
                yield found

    def _events(self, since: datetime, type_: str | None) -> Iterator[Mapping[str, Any]]:
        """Page by page, of one type or of all; PayPal names the next page."""
        path: str | None = f"{EVENTS}?page_size={PAGE}&start_time={_stamp(since)}"
        if type_ is not None:
            path = f"{path}&event_type={type_}"
        while path is not None:
            try:
                page = self._api.get(path)
            except Exception as error:  # noqa: BLE001 - whatever the library raises
                raise OSError(f"PayPal did not list them ({type(error).__name__})") from None
            yield from page.get("events", [])
            path = next_page(page)

    def _among_events(self, request: ChargeRequest, sent: Sent) -> Found:
        """Every page of them: a busy shop has many within minutes."""
        found: list[Outcome] = []
        for event in self._events(sent.at - CLOCK_SKEW, None):
            resource = event.get("resource") or {}
            if event.get("resource_type") == "capture" and resource.get("custom_id") == request.key:
                found.append(of_capture(resource, order_of(resource)))
        settled = [each for each in found if isinstance(each, Succeeded)]
        return next(iter(settled or found), NotYetKnowable(NOT_NAMED))


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        "invoice_id": fitted(request.invoice_id, INVOICE_ID_MAX),
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
