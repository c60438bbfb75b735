"""Every business key, spelled here and nowhere else. A key is made from the business, never from time or a message."""

import base64
import binascii
import hashlib
import re
from datetime import date
from typing import Final, Literal, NamedTuple

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_MARK: Final = "~"


def segment(id_: str) -> str:
    """An id as one segment of a path: itself if it is plain, else `~` and its UTF-8 in base64url. Different ids differ."""
    if _PLAIN.fullmatch(id_):
        return id_
    return _MARK + base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def id_of(found: str) -> str | None:
    """The id of a segment; None for a segment that we would not have written.

    What is neither plain nor marked is taken as the id itself: addresses from before were written so.
    """
    if not found.startswith(_MARK):
        return found
    try:
        id_ = base64.urlsafe_b64decode(found[1:] + "=" * (-len(found[1:]) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return id_ if id_ and segment(id_) == found else None


def joined(first: str, last: str) -> str:
    """Two free texts as one, split by a slash: other texts make another one, for the last holds no slash then."""
    return f"{first}/{last.replace('%', '%25').replace('/', '%2F')}"


def message_subject(source: str, id_: str) -> str:
    """The subject of events about one message from upstream."""
    return f"message/{joined(source, id_)}"


_DIGITS = "0123456789"
_INVOICE, _ORDER, _PAGE_METHOD = "inv:", "ord:", "pay:"
_CREDIT_NOTE = "CN-"
OUR_FORMS = f"{_INVOICE}, {_ORDER}, {_PAGE_METHOD}"
_DIGITS_MIN, _DIGITS_MAX = 5, 18


def invoice_id(subscription_id: str, period_starts_on: date) -> str:
    """The id of a generated invoice: one per subscription and period start."""
    return f"{_INVOICE}{subscription_id}:{period_starts_on.isoformat()}"


def order_id(subscription_id: str, period_starts_on: date) -> str:
    """The id of a generated order: one per subscription and period start."""
    return f"{_ORDER}{subscription_id}:{period_starts_on.isoformat()}"


def is_our_form(id_: str) -> bool:
    """True for an id that we might give a document ourselves: nobody else may use it."""
    return id_.startswith((_INVOICE, _ORDER, _PAGE_METHOD))


UPSTREAM_BEFORE = "upstream"
"""The source of every payment from upstream before its sources were distinguished."""


def payment_source(upstream: str) -> str:
    """The source of a payment from upstream, kept apart from the providers': two systems may use one reference."""
    return f"upstream:{upstream}"


def is_from_upstream(source: str) -> bool:
    """True for a payment from upstream, whichever of its systems."""
    return source.startswith(f"{UPSTREAM_BEFORE}:")


Mode = Literal["live", "test", "sandbox"]


class Origin(NamedTuple):
    """Where a key is made: in which deployment, of which agency, and for which kind of account with which provider.

    Two deployments may hold the same agency (a copy of the database, a rehearsal of a move), and one provider may know a
    test and a live account of it: none of them may be answered by what another has sent.
    """

    deployment: str
    mode: Mode
    agency_id: str
    provider: str


def charge_key(origin: Origin, invoice: str, attempt: int) -> str:
    """The idempotency key of one attempt: 45 characters, no personal data.

    Amount, currency, method and version stay out on purpose: a changed amount must be refused by the provider under the
    same key, not be charged under a second one.
    """
    return _key("inv", origin, invoice, attempt, "charge")


def credential(provider: str, token: str, customer: str | None) -> str:
    """What a provider sees of a payment method, whatever id and revision upstream gives it; a hash, for tokens are secret."""
    return hashlib.sha256("\x1f".join((provider, token, customer or "")).encode()).hexdigest()


def refund_key(origin: Origin, invoice: str, refund_seq: int) -> str:
    """The idempotency key of one refund, made like that of an attempt."""
    return _key("ref", origin, invoice, refund_seq, "refund")


def pay_link_key(origin: Origin, invoice: str, link_seq: int) -> str:
    """The idempotency key of one place where a client can pay an invoice, made like that of an attempt."""
    return _key("pay", origin, invoice, link_seq, "pay")


_KEYS_VERSION = "2"


def _key(kind: str, origin: Origin, invoice: str, number_: int, what: str) -> str:
    # No id from upstream can hold the separator, so different parts never make the same text.
    digest = hashlib.sha256("\x1f".join((*origin, invoice, str(number_), what)).encode()).hexdigest()
    return f"{kind}{_KEYS_VERSION}-{digest[:40]}"


def names_deployment(key: str) -> bool:
    """False for a key that was made and kept before keys named their deployment; what is sent under it stays as it was."""
    return not key.startswith(("inv1-", "ref1-", "pay1-"))


def fitted(id_: str, most: int) -> str:
    """An id where only `most` bytes are taken: whole if it fits, else its beginning with a digest of it, never just cut.

    Two ids that differ stay different, however long they are and wherever they differ.
    """
    raw = id_.encode()
    if len(raw) <= most:
        return id_
    digest = hashlib.sha256(raw).hexdigest()[:40]
    return f"{raw[: most - len(digest) - 1].decode(errors='ignore')}~{digest}"


def page_method_id(invoice: str, link_seq: int) -> str:
    """The id of a payment method that a client saved when he paid an invoice on our page."""
    return f"{_PAGE_METHOD}{invoice}:{link_seq}"


def notice_key(occasion: str, audience: str, about: str, instance: str = "") -> str:
    """One notice per occasion, recipient side and thing it is about; `instance` distinguishes repeated occasions.

    Free text from a provider or from upstream may be part of `instance`: its colons are escaped, so it can't run into what
    comes before it.
    """
    plain = instance.replace("%", "%25").replace(":", "%3A")
    return ":".join(part for part in (occasion, audience, about, plain) if part)


def number(prefix: str, sequence: int) -> str:
    """The printed invoice number: the agency's prefix and the sequence, at least five digits."""
    return f"{prefix}{sequence:0{_DIGITS_MIN}d}"


def credit_note_number(prefix: str, sequence: int) -> str:
    """The printed number of a credit note: a series of its own beside that of the invoices."""
    return number(f"{prefix}{_CREDIT_NOTE}", sequence)


def may_be_of_credit_note(printed: str) -> bool:
    """False for a number that no credit note has, whatever the agency's prefix is or was."""
    return _CREDIT_NOTE in printed


def sequences_of(printed: str) -> list[int]:
    """The sequences that a printed number may end in, shortest first; the prefix may end in digits too.

    None of our numbers ends in fewer than five digits, or has a needless zero in front of more.
    """
    digits = len(printed) - len(printed.rstrip(_DIGITS))
    ends = [printed[-length:] for length in range(_DIGITS_MIN, min(digits, _DIGITS_MAX) + 1)]
    return [int(end) for end in ends if len(end) == _DIGITS_MIN or end[0] != "0"]


def is_of_series(prefix: str, printed: str) -> bool:
    """True for a number that the series with this prefix gives, or will give."""
    return any(number(prefix, sequence) == printed for sequence in sequences_of(printed))


def subscription_subject(subscription_id: str) -> str:
    """The subject of events about a subscription and everything under it."""
    return f"subscription/{subscription_id}"


def notice_subject(key: str) -> str:
    """The subject of events about one notice."""
    return f"notice/{key}"
