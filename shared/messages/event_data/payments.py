"""Events about money that arrived, was refunded, or was reversed."""

from typing import ClassVar

from shared.messages.event_data import fields as f
from shared.messages.event_data.base import OfInvoice, OfRefund, OfSubscription
from shared.messages.event_data.parts import ProviderAnswer


class PaymentRecorded(OfInvoice, frozen=True, kw_only=True):
    """Money for an invoice arrived."""

    event_type: ClassVar[str] = "payment.recorded"
    source: f.Source
    reference: f.Reference
    amount_minor: f.AmountMinor
    currency: f.Currency
    received_at: f.ReceivedAt


class PaymentSurplus(OfInvoice, frozen=True, kw_only=True):
    """More arrived than an invoice asks for: `amount_minor` is how much more."""

    event_type: ClassVar[str] = "payment.surplus"
    amount_minor: f.AmountMinor
    currency: f.Currency


class PaymentUnapplied(OfSubscription, frozen=True, kw_only=True):
    """A checkout took money, and no invoice asks for it."""

    event_type: ClassVar[str] = "payment.unapplied"
    source: f.Source
    reference: f.Reference
    amount_minor: f.AmountMinor
    currency: f.Currency
    reason: f.Reason
    received_at: f.ReceivedAt


class PaymentDisputed(OfInvoice, frozen=True, kw_only=True):
    """A client disputes a payment; the invoice stays paid until the dispute is lost."""

    event_type: ClassVar[str] = "payment.disputed"
    provider: f.Provider
    reference: f.Reference
    amount_minor: f.AmountMinor | None
    currency: f.Currency | None


class OfReversal(OfInvoice, frozen=True, kw_only=True):
    """About a payment that the provider took back, wholly or in part."""

    source: f.Source
    reference: f.Reference
    kind: f.Kind
    payment_reference: f.PaymentReference
    amount_minor: f.AmountMinor
    currency: f.Currency
    by: f.By | None


class PaymentReversed(OfReversal, frozen=True, kw_only=True):
    """A payment was reversed, wholly or in part."""

    event_type: ClassVar[str] = "payment.reversed"


class PaymentReinstated(OfReversal, frozen=True, kw_only=True):
    """A reversed payment was reinstated."""

    event_type: ClassVar[str] = "payment.reinstated"


class RefundRequested(OfRefund, frozen=True, kw_only=True):
    """A refund was asked for."""

    event_type: ClassVar[str] = "refund.requested"
    by: f.By | None


class RefundPending(OfRefund, frozen=True, kw_only=True):
    """The provider accepted a refund and settles it later."""

    event_type: ClassVar[str] = "refund.pending"


class RefundUnknown(OfRefund, frozen=True, kw_only=True):
    """The answer to a refund was lost: the provider is asked."""

    event_type: ClassVar[str] = "refund.unknown"


class InvoiceRefunded(OfRefund, frozen=True, kw_only=True):
    """Money of an invoice went back."""

    event_type: ClassVar[str] = "invoice.refunded"
    reference: f.Reference | None
    credit_note_number: f.CreditNoteNumber | None
    by: f.By | None


class RefundFailed(OfRefund, frozen=True, kw_only=True):
    """A refund failed: nothing went back, or it came back."""

    event_type: ClassVar[str] = "refund.failed"
    code: f.Code
    by: f.By | None


class RefundAnsweredLate(OfRefund, frozen=True, kw_only=True):
    """An answer came after the refund had ended or was taken up again; it is kept as evidence."""

    event_type: ClassVar[str] = "refund.answered_late"
    answer: ProviderAnswer


class RefundUnrecorded(OfRefund, frozen=True, kw_only=True):
    """The answer to a refund could not be recorded: a person has to look."""

    event_type: ClassVar[str] = "refund.unrecorded"
    answer: ProviderAnswer
    error: f.Error


class InquiryUnrecorded(OfInvoice, frozen=True, kw_only=True):
    """What a provider says of a payment that may have been reversed could not be recorded: a person has to look."""

    event_type: ClassVar[str] = "inquiry.unrecorded"
    provider: f.Provider
    reference: f.Reference
    kind: f.Kind
    answer: ProviderAnswer
    error: f.Error
