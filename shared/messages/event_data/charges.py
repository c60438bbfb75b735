"""Events about collecting: attempts, payment links, and the reconciliation with a provider's list."""

from typing import ClassVar

from shared.messages.event_data import fields as f
from shared.messages.event_data.base import OfCharge, OfInvoice, OfLink
from shared.messages.event_data.parts import ProviderAnswer


class ChargeSucceeded(OfCharge, frozen=True, kw_only=True):
    """An attempt took the money."""

    event_type: ClassVar[str] = "charge.succeeded"
    reference: f.Reference


class ChargeDeclined(OfCharge, frozen=True, kw_only=True):
    """An attempt was declined."""

    event_type: ClassVar[str] = "charge.declined"
    code: f.Code | None
    decline_class: f.DeclineClass | None
    next_attempt_at: f.NextAttemptAt | None


class ChargeActionRequired(OfCharge, frozen=True, kw_only=True):
    """An attempt needs the client's confirmation."""

    event_type: ClassVar[str] = "charge.action_required"
    code: f.Code | None


class ChargePending(OfCharge, frozen=True, kw_only=True):
    """The provider accepted an attempt and settles it later."""

    event_type: ClassVar[str] = "charge.pending"


class ChargeUnknown(OfCharge, frozen=True, kw_only=True):
    """The answer to an attempt was lost: the provider is asked, and nothing else is charged meanwhile."""

    event_type: ClassVar[str] = "charge.unknown"


class ChargeNotSent(OfCharge, frozen=True, kw_only=True):
    """An attempt did not get through; no money moved."""

    event_type: ClassVar[str] = "charge.not_sent"
    code: f.Code | None
    detail: f.Detail | None


class ChargeAnsweredLate(OfCharge, frozen=True, kw_only=True):
    """An answer came after the attempt had ended or was taken up again; it is kept as evidence."""

    event_type: ClassVar[str] = "charge.answered_late"
    answer: ProviderAnswer


class ChargeDoubtful(OfCharge, frozen=True, kw_only=True):
    """For days nobody knows whether an attempt took the money: a person has to look."""

    event_type: ClassVar[str] = "charge.doubtful"
    since: f.Since


class ChargeResolved(OfInvoice, frozen=True, kw_only=True):
    """A person resolved an attempt or a payment link in doubt.

    `reference` is null if nothing was paid, `attempt` if it was a link.
    """

    event_type: ClassVar[str] = "charge.resolved"
    attempt: f.Attempt | None
    key: f.Key | None
    reference: f.Reference | None
    by: f.By


class ChargeUnrecorded(OfCharge, frozen=True, kw_only=True):
    """The answer to an attempt could not be recorded: a person has to look."""

    event_type: ClassVar[str] = "charge.unrecorded"
    answer: ProviderAnswer
    error: f.Error


class DunningExhausted(OfInvoice, frozen=True, kw_only=True):
    """The last attempt to collect an invoice failed."""

    event_type: ClassVar[str] = "dunning.exhausted"
    outstanding_minor: f.OutstandingMinor
    currency: f.Currency
    attempt: f.Attempt
    code: f.Code | None


class LinkOpened(OfLink, frozen=True, kw_only=True):
    """A client opened a payment link."""

    event_type: ClassVar[str] = "link.opened"
    expires_at: f.ExpiresAt


class LinkFailed(OfLink, frozen=True, kw_only=True):
    """A payment that a client agreed to by a payment link did not go through."""

    event_type: ClassVar[str] = "link.failed"


class LinkUnrecorded(OfLink, frozen=True, kw_only=True):
    """What the provider says of a payment link could not be recorded: a person has to look."""

    event_type: ClassVar[str] = "link.unrecorded"
    answer: ProviderAnswer
    error: f.Error


class BooksDiffer(OfInvoice, frozen=True, kw_only=True):
    """A provider's list and our payments differ."""

    event_type: ClassVar[str] = "books.differ"
    difference: f.Difference
    provider: f.Provider
    reference: f.Reference
    recorded_minor: f.RecordedMinor | None
    listed_minor: f.ListedMinor | None
    currency: f.Currency
    payment_reference: f.PaymentReference | None
