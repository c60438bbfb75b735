"""The gateway port. Whatever a provider says becomes one of these outcomes; provider exceptions die in the adapter."""

from datetime import date, datetime
from typing import NamedTuple, Protocol

import msgspec


class ChargeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a provider needs, frozen in the charge row before the call: a resend carries the same bytes."""

    agency_id: str
    invoice_id: str
    attempt: int
    key: str
    amount_minor: int
    currency: str
    payment_method_id: str
    token: str
    customer: str | None
    description: str


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a provider needs to give money back, all of it fixed with the refund's row: a resend carries the same.

    `payment_reference`: the provider's id of the money, as `Succeeded` told it.
    """

    agency_id: str
    invoice_id: str
    turn: int
    key: str
    amount_minor: int
    currency: str
    payment_reference: str


class Succeeded(NamedTuple):
    """The money moved; `reference` is the provider's id of it."""

    reference: str


class Pending(NamedTuple):
    """Accepted; the provider settles it later. No new attempt meanwhile."""

    reference: str


class Declined(NamedTuple):
    """Refused; no money moved. What the code means is a table of the domain, and what the provider advises wins."""

    code: str
    advice: str | None = None


class ActionRequired(NamedTuple):
    """The customer has to do something first."""

    code: str


class Unknown(NamedTuple):
    """The answer was lost: money may have moved. Only ever answered by a lookup, never by another charge."""

    detail: str


class NotSent(NamedTuple):
    """Certainly not sent, or refused before it counted: the same attempt goes out again with the same key.

    `code`: a word for the row and the metrics, `rate_limited`, `credentials_refused`, `amount_too_small` and so on.
    """

    detail: str
    code: str | None = None


class NotFound(NamedTuple):
    """The provider does not know the key, and would by now: resending with the same key is safe."""


class NotYetKnowable(NamedTuple):
    """The provider may still learn of the key, or could not be asked: ask again later."""

    detail: str = ""


class Sent(NamedTuple):
    """What we know of an attempt that may have gone out: when it did, and the provider's id of it if one was told."""

    at: datetime
    reference: str | None


Outcome = Succeeded | Pending | Declined | ActionRequired | Unknown | NotSent
Found = Outcome | NotFound | NotYetKnowable


class Gateway(Protocol):
    """One provider account. Adapters never sleep and never retry.

    `today` is the agency's local date; only the sandbox, whose tokens script outcomes by date, looks at it.
    """

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        """Collect money off-session. Never raises for what a provider or a network does."""
        ...

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:
        """What became of an attempt, asked by its id or key. Never raises for what a provider or a network does."""
        ...

    def refund(self, request: RefundRequest) -> Outcome:
        """Give money back. Never raises for what a provider or a network does, and never asks for action."""
        ...

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """What became of a refund, asked by its id or key. Never raises for what a provider or a network does."""
        ...
