"""Stripe behind the port: off-session payment intents with our own idempotency keys; every error becomes an outcome.

Provider's behaviour is from docs.stripe.com/api/idempotent_requests (keys, replays, and what is stored under them),
docs.stripe.com/error-low-level (which errors come before that layer) and docs.stripe.com/declines/codes.
"""

import logging
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import stripe

from shared.gateways.amounts import UnpayableAmountError, stripe_amount
from shared.gateways.network import CONNECT_SECONDS, READ_SECONDS, Sessions, certainly_not_sent
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotFound,
    NotSent,
    NotYetKnowable,
    Outcome,
    Pending,
    RefundRequest,
    Sent,
    Succeeded,
    Unknown,
)

# Named, so that an upgrade of the library changes no meaning unseen. Webhook endpoints are made with the same version.
API_VERSION: Final = "2026-10-28.endive"
CLOCK_SKEW = timedelta(minutes=5)
PAGE = 100
ACTION: Final = "authentication_required"
_REFUSED_BEFORE: Final = (
    stripe.InvalidRequestError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.RateLimitError,
)

stripe.enable_telemetry = False  # it would write an id file into the account's home folder
logging.getLogger("stripe").setLevel(logging.WARNING)  # below that it prints bodies


class StripeGateway:
    """One Stripe account. Make it after a fork; it is safe to share between threads, each has its own connection.

    `secret`: the account's secret key. `base`: another address of the API, for tests.
    """

    def __init__(
        self, secret: str, *, base: str | None = None, timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)
    ) -> None:
        addresses: Any = {"api": base} if base else {}
        session: Any = Sessions()
        self._client = stripe.StripeClient(
            secret,
            stripe_version=API_VERSION,
            http_client=stripe.RequestsClient(timeout=timeout, session=session),
            max_network_retries=0,  # every attempt is a row of ours
            base_addresses=addresses,
        )

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        """Collect money off-session. The same request again, under its key, replays the first answer or runs once."""
        del today
        try:
            params = _intent(request)
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        options: Any = {"idempotency_key": request.key}
        return _asked(lambda: self._client.v1.payment_intents.create(params, options))

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:
        """What became of an attempt: by its id if we know it, else by the key in the metadata of what was made since.

        Lists are consistent at once (docs.stripe.com/search names the search as the one that is not).
        """
        del today
        if sent.reference is not None:
            reference = sent.reference
            found = _asked(lambda: self._client.v1.payment_intents.retrieve(reference))
            return NotYetKnowable() if isinstance(found, NotSent) else found
        try:
            intents = self._made_since(request, sent)
        except stripe.StripeError as error:
            return NotYetKnowable(type(error).__name__)
        if not intents:
            return NotFound()
        return max((_of_intent(intent) for intent in intents), key=_weight)

    def refund(self, request: RefundRequest) -> Outcome:
        """Give money back; the same request again, under its key, replays the first answer or runs once."""
        try:
            params = _refund(request)
        except UnpayableAmountError as refused:
            return Declined(refused.code)
        options: Any = {"idempotency_key": request.key}
        return _asked_back(lambda: self._client.v1.refunds.create(params, options))

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """What became of a refund: by its id if we know it, else by the key in the metadata of its payment's refunds."""
        if sent.reference is not None:
            reference = sent.reference
            found = _asked_back(lambda: self._client.v1.refunds.retrieve(reference))
            return found if isinstance(found, Succeeded | Pending | Declined) else NotYetKnowable()
        params: Any = {_payment_of(request.payment_reference): request.payment_reference, "limit": PAGE}
        try:
            listed = self._client.v1.refunds.list(params)
            ours = [each for each in listed.auto_paging_iter() if _key_of(each) == request.key]
        except stripe.StripeError as error:
            return NotYetKnowable(type(error).__name__)
        return _of_refund(ours[0]) if ours else NotFound()

    def _made_since(self, request: ChargeRequest, sent: Sent) -> list[stripe.PaymentIntent]:
        since = int((sent.at - CLOCK_SKEW).timestamp())
        params: Any = {"created": {"gte": since}, "limit": PAGE}
        if request.customer is not None:
            params["customer"] = request.customer
        listed = self._client.v1.payment_intents.list(params)
        return [each for each in listed.auto_paging_iter() if _key_of(each) == request.key]


def _intent(request: ChargeRequest) -> Any:
    """The parameters, from the frozen request alone: no clock and nothing random, so that a resend is the same to the byte.

    Redirects are ruled out: nobody is there to follow one.
    """
    params: dict[str, Any] = {
        "amount": stripe_amount(request.amount_minor, request.currency),
        "currency": request.currency.lower(),
        "payment_method": request.token,
        "confirm": True,
        "off_session": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "description": request.description,
        "metadata": {
            "agency_id": request.agency_id,
            "invoice_id": request.invoice_id,
            "attempt": str(request.attempt),
            "key": request.key,
        },
    }
    if request.customer is not None:
        params["customer"] = request.customer
    return params


def _refund(request: RefundRequest) -> Any:
    """The parameters, from the row alone, so that a resend is the same to the byte."""
    return {
        _payment_of(request.payment_reference): request.payment_reference,
        "amount": stripe_amount(request.amount_minor, request.currency, back=True),
        "metadata": {
            "agency_id": request.agency_id,
            "invoice_id": request.invoice_id,
            "turn": str(request.turn),
            "key": request.key,
        },
    }


def _payment_of(reference: str) -> str:
    """What a payment's id names: an upstream's first payment may be told by its charge."""
    return "charge" if reference.startswith(("ch_", "py_")) else "payment_intent"


def _asked_back(ask: Callable[[], stripe.Refund]) -> Outcome:
    """As `_asked`; but a refund that Stripe understands and refuses will be refused again: it has failed."""
    try:
        return _of_refund(ask())
    except stripe.InvalidRequestError as error:
        code = getattr(error.error, "code", None) or "refused"
        return Declined(code) if error.http_status in (400, 404) else NotSent("Stripe refused the request", code)
    except stripe.StripeError as error:
        return _of_error(error)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return Unknown(f"an answer that can't be read ({type(error).__name__})")


def _of_refund(refund: stripe.Refund) -> Outcome:
    match refund.status:
        case "succeeded":
            return Succeeded(refund.id)
        case "pending" | "requires_action":
            return Pending(refund.id)
        case "failed" | "canceled":
            return Declined(getattr(refund, "failure_reason", None) or str(refund.status))
        case status:
            return Unknown(f"the refund is {status}")


def _asked(ask: Callable[[], stripe.PaymentIntent]) -> Outcome:
    try:
        return _of_intent(ask())
    except stripe.StripeError as error:
        return _of_error(error)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return Unknown(f"an answer that can't be read ({type(error).__name__})")


def _of_intent(intent: stripe.PaymentIntent) -> Outcome:
    match intent.status:
        case "succeeded":
            return Succeeded(intent.id)
        case "processing" | "requires_capture":
            return Pending(intent.id)
        case "requires_action":
            return ActionRequired(ACTION)
        case "canceled":
            return Declined("canceled")
        case "requires_payment_method":
            error = intent.last_payment_error
            return Unknown("an intent without its payment's error") if error is None else _declined(error)
        case status:
            return Unknown(f"the payment intent is {status}")


def _declined(error: Any) -> Outcome:
    code = getattr(error, "decline_code", None) or getattr(error, "code", None) or "card_declined"
    return ActionRequired(ACTION) if code == ACTION else Declined(code, getattr(error, "advice_code", None))


def _of_error(error: stripe.StripeError) -> Outcome:
    """The library's exceptions follow the HTTP status, not what the body says of itself."""
    told = error.error
    code = getattr(told, "code", None)
    if isinstance(error, stripe.CardError):
        return _declined(told) if told is not None else Declined(error.code or "card_declined")
    if isinstance(error, stripe.RateLimitError):
        return NotSent("Stripe asks us to slow down", "rate_limited")
    if isinstance(error, stripe.IdempotencyError):
        return Unknown("the key was used with other parameters")  # the first one may have moved money
    if isinstance(error, stripe.APIConnectionError):
        if certainly_not_sent(error):
            return NotSent("Stripe can't be reached", "unreachable")
        return Unknown("the answer was lost")
    if isinstance(error, _REFUSED_BEFORE):
        what = "credentials_refused" if error.http_status in (401, 403) else code or "refused"
        return NotSent(f"Stripe refused the request: {error.http_status} {what}", what)
    return Unknown(f"Stripe answered {error.http_status or 'something unreadable'}")


def _key_of(found: stripe.PaymentIntent | stripe.Refund) -> str | None:
    metadata: Any = found.metadata
    return None if metadata is None else metadata.to_dict().get("key")


def _weight(outcome: Outcome) -> int:
    """If a key has several intents, which must not be, the one that moved money counts."""
    return (NotSent, Declined, Unknown, ActionRequired, Pending, Succeeded).index(type(outcome))
