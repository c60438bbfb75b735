"""What Stripe reports by webhook, and what it lists.

Signatures: docs.stripe.com/webhooks/signature. The library's check accepts stamps of the future, so the bound is ours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe

from shared.gateways.amounts import UnpayableAmountError, stripe_minor
from shared.gateways.port import UNREADABLE, BadSignatureError, Listed, ProviderEvent, UnreadableError, readable

TOLERANCE: Final = timedelta(minutes=5)
_SETTLED: Final = frozenset(
    {
        "payment_intent.succeeded",
        "charge.succeeded",
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    }
)
_FAILED: Final = frozenset(
    {
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.failed",
        "checkout.session.async_payment_failed",
    }
)


def stripe_event(raw: bytes, signature: str | None, secrets: Sequence[str], now: datetime) -> ProviderEvent:
    """A webhook's event. Raises BadSignatureError: signed by none of the secrets, or not within five minutes of `now`; and
    UnreadableError for one that is signed and can't be read."""
    if not any(_signed(raw, signature, secret) for secret in secrets):
        raise BadSignatureError("no signature of ours")
    stamp = next((part[2:] for part in (signature or "").split(",") if part.startswith("t=")), "")
    if not stamp.isdecimal() or abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise BadSignatureError("the stamp is not within five minutes of now")
    try:
        told = json.loads(raw)
        return readable(_event(told, told["data"]["object"]))
    except UNREADABLE as error:
        raise UnreadableError(f"not an event ({type(error).__name__})") from None


def _signed(raw: bytes, signature: str | None, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(raw, signature, secret, tolerance=None))
    except (stripe.SignatureVerificationError, ValueError, UnicodeError):
        return False


def _event(told: Mapping[str, Any], about: Mapping[str, Any]) -> ProviderEvent:
    type_ = str(told["type"])
    common: dict[str, Any] = {
        "id": str(told["id"]),
        "type": type_,
        "at": datetime.fromtimestamp(int(told["created"]), UTC),
        "key": (about.get("metadata") or {}).get("key"),
        "settled": type_ in _SETTLED,
        "failed": type_ in _FAILED,
    }
    currency = str(about.get("currency") or "").upper() or None
    match about.get("object"):
        case "payment_intent":
            return ProviderEvent(about="payment", reference=str(about["id"]), payment=str(about["id"]), **common)
        case "charge":
            id_ = _id_of(about.get("payment_intent"))
            ours = str(about["id"])
            return ProviderEvent(about="payment", reference=id_, payment=id_ or ours, also=ours, **common)
        case "checkout.session":
            paid_by = _id_of(about.get("payment_intent"))
            return ProviderEvent(about="link", reference=str(about["id"]), payment=paid_by, **common)
        case "refund" | "dispute" as kind:
            names = [each for each in (_id_of(about.get("payment_intent")), _id_of(about.get("charge"))) if each]
            return ProviderEvent(
                about=kind,
                reference=str(about["id"]),
                payment=names[0] if names else None,
                also=names[-1] if names else None,
                disputed=tuple((str(about["id"]), each) for each in names),
                amount_minor=_minor(about.get("amount"), currency),
                currency=currency,
                **common,
            )
        case _:
            return ProviderEvent(about="other", **common)


def _id_of(found: Any) -> str | None:
    """An id, also of an object that was put in its place."""
    return found.get("id") if isinstance(found, Mapping) else found


def _minor(amount: Any, currency: str | None) -> int | None:
    try:
        return stripe_minor(int(amount), currency or "")
    except (TypeError, ValueError, KeyError, UnpayableAmountError):
        return None


def listed(found: stripe.PaymentIntent | stripe.Refund) -> Listed:
    """A payment intent or a refund, as the reconciliation wants it."""
    metadata: Any = found.metadata
    about = {} if metadata is None else metadata.to_dict()
    currency = found.currency.upper()
    at = datetime.fromtimestamp(found.created, UTC)
    return Listed(
        reference=found.id,
        key=about.get("key"),
        invoice_id=about.get("invoice_id"),
        amount_minor=stripe_minor(found.amount, currency),
        currency=currency,
        at=at,
        agency_id=about.get("agency_id"),
        deployment=about.get("deployment"),
        payment=_id_of(getattr(found, "payment_intent", None) or getattr(found, "charge", None)),
    )


@contextmanager
def asking() -> Iterator[None]:
    """Stripe's errors as OSError: the list could not be had, or only a part of it."""
    try:
        yield
    except stripe.StripeError as error:
        raise OSError(f"Stripe did not list them ({type(error).__name__})") from None
