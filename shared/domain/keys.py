"""Every business key, spelled here and nowhere else. A key is made from the business, never from time or a message."""

import hashlib
from datetime import date

_DIGITS = "0123456789"
_DIGITS_MIN, _DIGITS_MAX = 5, 18


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


def credential(provider: str, token: str, customer: str | None) -> str:
    """What a provider sees of a payment method, whatever id and revision upstream gives it; a hash, for tokens are secret."""
    return hashlib.sha256("\x1f".join((provider, token, customer or "")).encode()).hexdigest()


def refund_key(agency_id: str, provider: str, invoice: str, turn: int) -> str:
    """The idempotency key of one refund, made like that of an attempt."""
    digest = hashlib.sha256("\x1f".join((provider, agency_id, invoice, str(turn), "refund")).encode()).hexdigest()
    return f"ref1-{digest[:40]}"


def pay_link_key(agency_id: str, provider: str, invoice: str, turn: int) -> str:
    """The idempotency key of one place where a client can pay an invoice, made like that of an attempt."""
    digest = hashlib.sha256("\x1f".join((provider, agency_id, invoice, str(turn), "pay")).encode()).hexdigest()
    return f"pay1-{digest[:40]}"


def notice_key(occasion: str, audience: str, about: str, turn: str = "") -> str:
    """One notice per occasion, recipient side and thing it is about; `turn` tells repeated occasions apart."""
    return ":".join(part for part in (occasion, audience, about, turn) if part)


def number(prefix: str, sequence: int) -> str:
    """The printed invoice number: the agency's prefix and the sequence, at least five digits."""
    return f"{prefix}{sequence:0{_DIGITS_MIN}d}"


def credit_note_number(prefix: str, sequence: int) -> str:
    """The printed number of a credit note: a series of its own beside that of the invoices."""
    return number(f"{prefix}CN-", sequence)


def sequences_of(printed: str) -> list[int]:
    """The sequences that a printed number may end in, shortest first; the prefix may end in digits too.

    None of our numbers ends in fewer than five digits, or has a needless zero in front of more.
    """
    digits = len(printed) - len(printed.rstrip(_DIGITS))
    ends = [printed[-length:] for length in range(_DIGITS_MIN, min(digits, _DIGITS_MAX) + 1)]
    return [int(end) for end in ends if len(end) == _DIGITS_MIN or end[0] != "0"]


def subscription_subject(subscription_id: str) -> str:
    """The subject of events about a subscription and everything under it."""
    return f"subscription/{subscription_id}"
