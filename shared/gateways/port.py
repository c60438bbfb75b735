"""The gateway port. Whatever a provider says becomes one of these outcomes; provider exceptions die in the adapter."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple, Protocol

import msgspec

KEY_IN_USE = "the key is in use"  # the same request is being answered at this moment
NOT_NAMED = "no event names the attempt"  # which proves nothing, and will not change


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

    `payment_reference`: the provider's id of the money, as in `Succeeded`.
    """

    agency_id: str
    invoice_id: str
    refund_seq: int
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
    """Certainly not sent, or refused before it counted: no money moved, and nothing is said about the payment method.

    `code`: a word for the row and the metrics, `rate_limited`, `credentials_refused`, `amount_too_small` and so on.
    `about`: what the provider refused: the agency's "account", or what the "request" asks for; "" if it never got that far.
    `key_spent`: the provider has looked at the content, and may answer this key the same whatever comes under it next.
    """

    detail: str
    code: str | None = None
    about: Literal["", "account", "request"] = ""
    key_spent: bool = False


class NotFound(NamedTuple):
    """The provider does not know the key, and would by now: resending with the same key is safe."""


class NotYetKnowable(NamedTuple):
    """The provider may still learn of the key, or could not be asked: ask again later."""

    detail: str = ""


class Sent(NamedTuple):
    """What we know of an attempt that may have gone out: when it first did, and the provider's id of it if one was told."""

    at: datetime
    reference: str | None


Outcome = Succeeded | Pending | Declined | ActionRequired | Unknown | NotSent
Found = Outcome | NotFound | NotYetKnowable


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A payment page at the provider, where the client can pay an invoice himself; all of it is fixed with the link's row.

    `success_url`, `cancel_url`: where the client comes back to. `keeps_method`: he wants what he pays by to be kept for his
    other invoices, at the provider's `customer` if he has one there.
    """

    agency_id: str
    invoice_id: str
    link_seq: int
    key: str
    amount_minor: int
    currency: str
    description: str
    expires_at: datetime
    success_url: str
    cancel_url: str
    keeps_method: bool = False
    customer: str | None = None


class Opened(NamedTuple):
    """The payment page is there: the provider's id of it, and the address to send the client to."""

    reference: str
    url: str


class Expired(NamedTuple):
    """Nobody has paid at the payment page, and nobody can any more."""


class Gone(NamedTuple):
    """The provider knows no such payment page (any more): nobody can pay there, and it can't say whether somebody did."""


class Saved(NamedTuple):
    """What a client paid by and wants to be kept: the token and customer that a payment method of ours would have."""

    token: str
    customer: str | None


class TakenBack(NamedTuple):
    """How much of a payment is gone, at this moment, by one dispute, reversal or failure; 0: nothing."""

    amount_minor: int
    currency: str


class Listed(NamedTuple):
    """Money that a provider says it has moved for us. `key`: of the attempt, the link or the refund, if it names one.

    `agency_id`, `deployment`: whose it says it is. `payment`: the provider's id of the payment that a refund is of.
    """

    reference: str
    key: str | None
    invoice_id: str | None
    amount_minor: int
    currency: str
    at: datetime
    agency_id: str | None = None
    deployment: str | None = None
    payment: str | None = None


class ProviderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was proven to be the provider's. It says what to ask about; what it says of money is not believed.

    `reference`: the id of what it is about, as attempts, links or refunds know it; `payment`: the money that it is about,
    `also`: another name of it.
    `settled`: it says that money moved. `failed`: that money did not, or not in the end. `disputed`: what to ask about, and the
    payment that it would be gone of: one under each name that it may be known by, or several.
    """

    id: str
    type: str
    about: Literal["payment", "link", "refund", "dispute", "reversal", "other"]
    at: datetime | None = None
    reference: str | None = None
    key: str | None = None
    payment: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    settled: bool = False
    failed: bool = False
    also: str | None = None
    disputed: tuple[tuple[str, str], ...] = ()


class BadSignatureError(Exception):
    """The webhook is not the provider's, or is too old or of the future, or can't be read."""


class UnreadableError(BadSignatureError):
    """What came is signed, or may be, and is no event that we can read: it would not be when sent again, either."""


# What reading an event raises when it is not what it should be; the last three by depth, and by dates far away.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, OSError)
LONGEST_TEXT = 500  # of an event's ids and names


def readable(event: ProviderEvent) -> ProviderEvent:
    """The event, if each of its fields is of its type and can be kept. Raises UnreadableError."""
    try:
        msgspec.convert(msgspec.to_builtins(event, builtin_types=(datetime,)), ProviderEvent, builtin_types=(datetime,))
    except (msgspec.ValidationError, TypeError, UnicodeError) as error:
        raise UnreadableError(f"not an event ({error})") from None
    pairs = [each for pair in event.disputed for each in pair]
    texts = [event.id, event.type, event.reference, event.key, event.payment, event.currency, event.also, *pairs]
    for text in filter(None, texts):
        if len(text) > LONGEST_TEXT or "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
            raise UnreadableError("not an event (an id is too long, or no text)")
    return event


class Gateway(Protocol):
    """One provider account. Adapters never sleep and never retry.

    `today` is the agency's local date; only the sandbox, whose tokens script outcomes by date, uses it.
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


class OnlineGateway(Gateway, Protocol):
    """A provider that has payment pages, reports what happens, and lists what it has moved."""

    def open_link(self, request: LinkRequest) -> Opened | NotSent | Unknown:
        """Make the payment page; the same request again, under its key, returns the same one."""
        ...

    def collect_link(self, request: LinkRequest, reference: str) -> Found | Expired | Gone:
        """What became of the payment page; if the provider waits for us once the client has agreed, the money is taken now.

        NotYetKnowable: it is open, and the client has not paid.
        """
        ...

    def look_at_link(self, reference: str) -> Found | Expired | Gone:
        """What became of the payment page, as `collect_link` says it; but nothing is taken there."""
        ...

    def saved_at(self, reference: str) -> Saved | None:
        """What was paid by at a payment page that was asked to keep it. Raises OSError if the provider could not be asked."""
        ...

    def taken_back(self, kind: str, reference: str) -> TakenBack | NotYetKnowable:
        """What is gone of a payment by a `dispute`, a `reversal` or the `payment`'s own failure of this id.

        Never raises for what a provider or a network does.
        """
        ...

    def end_link(self, reference: str) -> bool:
        """Close the payment page. False if a payment was or may have been made, or it can't be determined."""
        ...

    def parse_webhook(self, raw: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> ProviderEvent:
        """The event in a webhook. Raises BadSignatureError, UnreadableError, and OSError if the provider could not be asked.

        `headers`: with names in lower case. `secret`: what proves it, see `webhook_secret` of the account.
        """
        ...

    def payments_since(self, since: datetime) -> Iterator[Listed]:
        """The money that came in since then. Raises OSError if the provider could not be asked."""
        ...

    def refunds_since(self, since: datetime) -> Iterator[Listed]:
        """The money that went back since then. Raises OSError if the provider could not be asked."""
        ...
