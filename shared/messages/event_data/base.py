"""What all payloads of events have in common: whose event it is, and which subject counts it."""

from typing import ClassVar

import msgspec

from shared.domain.keys import subscription_subject
from shared.messages.event_data import fields as f


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of one type of event. A struct with an `event_type` is a type; the others are what types share.

    No field has a default: every field is in every event of its type, null where there is nothing to say.
    """

    event_type: ClassVar[str]

    @property
    def whose(self) -> str:
        """The agency's id, "" for the installation as a whole."""
        agency_id: str | None = getattr(self, "agency_id")  # noqa: B009 - each struct declares it, some of them nullable
        return agency_id or ""

    def subject(self) -> str:
        """What the event is about: the events of one subject are numbered and sent in order."""
        raise NotImplementedError


class OfSubscription(EventData, frozen=True, kw_only=True):
    """About a subscription or anything of it."""

    agency_id: f.AgencyId
    subscription_id: f.SubscriptionId

    def subject(self) -> str:
        """The subscription."""
        return subscription_subject(self.subscription_id)


class OfInvoice(OfSubscription, frozen=True, kw_only=True):
    """About an invoice: which it is, and whose."""

    client_id: f.ClientId
    invoice_id: f.InvoiceId
    number: f.Number | None


class OfCharge(OfInvoice, frozen=True, kw_only=True):
    """About an attempt to collect an invoice."""

    attempt: f.Attempt
    key: f.Key | None
    provider: f.Provider | None
    amount_minor: f.AmountMinor | None
    currency: f.Currency


class OfRefund(OfInvoice, frozen=True, kw_only=True):
    """About money of an invoice that goes back."""

    refund_seq: f.RefundSeq
    key: f.Key
    source: f.Source
    payment_reference: f.PaymentReference
    amount_minor: f.AmountMinor
    currency: f.Currency
    reason: f.Reason | None
    origin: f.Origin


class OfLink(OfInvoice, frozen=True, kw_only=True):
    """About a payment link of an invoice."""

    link_seq: f.LinkSeq
    key: f.Key
    provider: f.Provider
    amount_minor: f.AmountMinor
    currency: f.Currency


class OfCycle(OfSubscription, frozen=True, kw_only=True):
    """About one expected order or invoice of a subscription."""

    stream: f.Stream
    period_starts_on: f.PeriodStartsOn
