"""Stripe behind the port: off-session payment intents with our own idempotency keys; every error becomes an outcome."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import stripe

from shared.gateways.amounts import UnpayableAmountError, stripe_amount
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Expired,
    Found,
    Gone,
    LinkRequest,
    Listed,
    NotFound,
    NotSent,
    NotYetKnowable,
    Opened,
    Outcome,
    Pending,
    ProviderEvent,
    RefundRequest,
    Saved,
    Sent,
    Succeeded,
    TakenBack,
    Unknown,
)
from shared.gateways.stripe_account import ABANDONED, StripeAccount, asked, of_error, of_intent, of_refusal
from shared.gateways.stripe_disputes import taken_back
from shared.gateways.stripe_events import asking, listed, stripe_event
from shared.gateways.stripe_links import checkout_session, of_refused_link, of_session, saved_method

WAITS: Final = "requires_action"
CLOCK_SKEW = timedelta(minutes=5)
PAGE = 100


class StripeGateway(StripeAccount):
    """One Stripe account. Make it after a fork; it is safe to share between threads, each has its own connection."""

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        """Collect money off-session. The same request again, under its key, replays the first answer or runs once."""
        del today
        try:
            params = self._named(_intent(request))
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        options: Any = {"idempotency_key": request.key}
        made: list[stripe.PaymentIntent] = []

        def create() -> stripe.PaymentIntent:
            made.append(self.client.v1.payment_intents.create(params, options))
            return made[0]

        found = asked(create, of_refusal)
        return self._closed(made[0], request.key) if made and made[0].status == WAITS else found

    def _closed(self, intent: stripe.PaymentIntent, key: str) -> Outcome:
        """An intent that waits for the client is cancelled: he pays on our page, and must not be able to pay twice.

        Until that is certain the attempt is in doubt.
        """
        found = asked(lambda: self.cancel(intent.id, key), of_error)
        return Unknown("an intent that waits for the client could not be cancelled") if _open(found) else found

    def cancel(self, reference: str, key: str) -> stripe.PaymentIntent:
        """Let nobody pay an intent any more; returns it as it is then. Raises stripe.StripeError.

        If Stripe refuses, it was cancelled before, or has just been paid; whichever it is, the intent itself says so.
        """
        params: Any = {"cancellation_reason": ABANDONED}
        options: Any = {"idempotency_key": f"{key}-cancel"}
        try:
            cancelled = self.client.v1.payment_intents.cancel(reference, params, options)
        except stripe.InvalidRequestError:
            cancelled = self.client.v1.payment_intents.retrieve(reference)
        if cancelled.status == WAITS:
            raise stripe.APIError("it can still be paid")
        return cancelled

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:
        """What became of an attempt: by its id if we know it, else by the key in the metadata of what was made since.

        Lists are consistent at once (docs.stripe.com/search names the search as the one that is not).
        """
        del today
        if sent.reference is not None:
            return self._looked_up(sent.reference, request.key)
        try:
            intents = self._made_since(request, sent)
        except stripe.StripeError as error:
            return NotYetKnowable(type(error).__name__)
        if not intents:
            return NotFound()
        return max((self._standing(intent, request.key) for intent in intents), key=_weight)

    def _looked_up(self, reference: str, key: str) -> Found:
        try:
            found = self._standing(self.client.v1.payment_intents.retrieve(reference), key)
        except stripe.StripeError as error:
            found = of_error(error)
        return NotYetKnowable() if isinstance(found, NotSent) else found

    def _standing(self, intent: stripe.PaymentIntent, key: str) -> Outcome:
        return self._closed(intent, key) if intent.status == WAITS else of_intent(intent)

    def refund(self, request: RefundRequest) -> Outcome:
        """Give money back; the same request again, under its key, replays the first answer or runs once."""
        try:
            params = self._named(_refund(request))
        except UnpayableAmountError as refused:
            return Declined(refused.code)
        options: Any = {"idempotency_key": request.key}
        return _asked_back(lambda: self.client.v1.refunds.create(params, options))

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """What became of a refund: by its id if we know it, else by the key in the metadata of its payment's refunds."""
        if sent.reference is not None:
            reference = sent.reference
            found = _asked_back(lambda: self.client.v1.refunds.retrieve(reference))
            return found if isinstance(found, Succeeded | Pending | Declined) else NotYetKnowable()
        params: Any = {_payment_of(request.payment_reference): request.payment_reference, "limit": PAGE}
        try:
            listed = self.client.v1.refunds.list(params)
            ours = [each for each in listed.auto_paging_iter() if _key_of(each) == request.key]
        except stripe.StripeError as error:
            return NotYetKnowable(type(error).__name__)
        return _of_refund(ours[0]) if ours else NotFound()

    def open_link(self, request: LinkRequest) -> Opened | NotSent | Unknown:
        """A Checkout Session for the invoice's outstanding amount. It makes a payment intent of its own, which carries our key
        too."""
        try:
            params = self._named(checkout_session(request))
            params["payment_intent_data"]["metadata"] = params["metadata"]
        except UnpayableAmountError as refused:
            return NotSent(str(refused), refused.code)
        options: Any = {"idempotency_key": request.key}
        try:
            session = self.client.v1.checkout.sessions.create(params, options)
            return Opened(session.id, str(session.url))
        except stripe.StripeError as error:
            return of_refused_link(error)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return Unknown(f"an answer that can't be read ({type(error).__name__})")

    def collect_link(self, request: LinkRequest, reference: str) -> Found | Expired | Gone:
        """What became of a Checkout Session; the client pays there, nothing is left for us to do."""
        del request
        return self.look_at_link(reference)

    def end_link(self, reference: str) -> bool:
        """Expire a Checkout Session. Stripe refuses for one that was completed."""
        try:
            return self.client.v1.checkout.sessions.expire(reference).status == "expired"
        except stripe.StripeError:
            return isinstance(self.look_at_link(reference), Expired | Gone)

    def look_at_link(self, reference: str) -> Found | Expired | Gone:
        """See the port."""
        try:
            return of_session(self._retrieved(reference))
        except stripe.InvalidRequestError as error:
            return Gone() if error.http_status == 404 else NotYetKnowable(type(error).__name__)
        except stripe.StripeError as error:
            return NotYetKnowable(type(error).__name__)

    def _retrieved(self, reference: str) -> stripe.checkout.Session:
        return self.client.v1.checkout.sessions.retrieve(reference, {"expand": ["payment_intent"]})

    def saved_at(self, reference: str) -> Saved | None:
        """What Stripe keeps of a session's payment."""
        with asking():
            return saved_method(self._retrieved(reference))

    def taken_back(self, kind: str, reference: str) -> TakenBack | NotYetKnowable:
        """See the port."""
        return taken_back(self.client, kind, reference)

    def parse_webhook(self, raw: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> ProviderEvent:
        """See the port. `secret`: the endpoint's signing secret, or the old and the new one while they are exchanged."""
        return stripe_event(raw, headers.get("stripe-signature"), secret.split(), now)

    def payments_since(self, since: datetime) -> Iterator[Listed]:
        """Payment intents that succeeded, made since then."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE}
        with asking():
            for intent in self.client.v1.payment_intents.list(params).auto_paging_iter():
                if intent.status == "succeeded":
                    yield listed(intent)

    def refunds_since(self, since: datetime) -> Iterator[Listed]:
        """Refunds that were not refused, made since then."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE}
        with asking():
            for refund in self.client.v1.refunds.list(params).auto_paging_iter():
                if refund.status not in ("failed", "canceled"):
                    yield listed(refund)

    def _named(self, params: Any) -> Any:
        return {**params, "metadata": self.named(params["metadata"])}

    def _made_since(self, request: ChargeRequest, sent: Sent) -> list[stripe.PaymentIntent]:
        since = int((sent.at - CLOCK_SKEW).timestamp())
        params: Any = {"created": {"gte": since}, "limit": PAGE}
        if request.customer is not None:
            params["customer"] = request.customer
        listed = self.client.v1.payment_intents.list(params)
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
            "refund_seq": str(request.refund_seq),
            "key": request.key,
        },
    }


def _payment_of(reference: str) -> str:
    """What a payment's id names: the first payment from upstream may be named by its charge."""
    return "charge" if reference.startswith(("ch_", "py_")) else "payment_intent"


def _asked_back(ask: Callable[[], stripe.Refund]) -> Outcome:
    """As `asked`; but a refund that Stripe understands and refuses will be refused again: it has failed."""
    try:
        return _of_refund(ask())
    except stripe.InvalidRequestError as error:
        code = getattr(error.error, "code", None) or "refused"
        return Declined(code) if error.http_status in (400, 404) else NotSent("Stripe refused the request", code)
    except stripe.StripeError as error:
        return of_error(error)
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


def _key_of(found: stripe.PaymentIntent | stripe.Refund) -> str | None:
    metadata: Any = found.metadata
    return None if metadata is None else metadata.to_dict().get("key")


def _open(found: Outcome) -> bool:
    """Whether what came of a cancellation leaves open that the intent can be paid."""
    return not isinstance(found, ActionRequired | Succeeded | Pending | Declined)


def _weight(outcome: Outcome) -> int:
    """If a key has several intents, which must not be, the one that moved money counts."""
    return (NotSent, Declined, Unknown, ActionRequired, Pending, Succeeded).index(type(outcome))
