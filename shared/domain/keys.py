"""Every business key, spelled here and nowhere else. A key is made from the business, never from time or a message."""

import hashlib
from datetime import date


def invoice_id(subscription_id: str, period_starts_on: date) -> str:
    """The id of a generated invoice: one per subscription and period start."""
    return f"inv:{subscription_id}:{period_starts_on.isoformat()}"


def order_id(subscription_id: str, period_starts_on: date) -> str:
    """The id of a generated order: one per subscription and period start."""
    return f"ord:{subscription_id}:{period_starts_on.isoformat()}"


def charge_key(agency_id: str, provider: str, invoice: str, attempt: int) -> str:
    """The idempotency key of one attempt: 45 characters, no personal data.

    Amount, currency, method and version stay out on purpose: a changed amount must be refused by the provider under the
    same key, not be charged under a second one.
    """
    digest = hashlib.sha256("\x1f".join((provider, agency_id, invoice, str(attempt), "charge")).encode()).hexdigest()
    return f"inv1-{digest[:40]}"


def notice_key(occasion: str, audience: str, about: str, turn: str = "") -> str:
    """One notice per occasion, recipient side and thing it is about; `turn` tells repeated occasions apart."""
    return ":".join(part for part in (occasion, audience, about, turn) if part)


def number(prefix: str, sequence: int) -> str:
    """The printed invoice number: the agency's prefix and the sequence, at least five digits."""
    return f"{prefix}{sequence:05d}"


def sequence_of(prefixed: str) -> int | None:
    """The sequence that a printed number ends in, None when it ends in no digits or too many."""
    digits = ""
    for character in reversed(prefixed):
        if not ("0" <= character <= "9"):
            break
        digits = character + digits
    return int(digits) if digits and len(digits) <= 18 else None


def subscription_subject(subscription_id: str) -> str:
    """The subject of events about a subscription and everything under it."""
    return f"subscription/{subscription_id}"
