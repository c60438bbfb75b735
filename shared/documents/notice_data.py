"""The data of each notice: one struct for each occasion and reader, so that no text asks for a field that was not given.

The structs are stored as JSON with their notice until it is sent. Their fields keep their names: a notice may be written by one
release and sent by the next.
"""

from datetime import date
from typing import ClassVar, Literal

from shared.documents.notice_parts import AboutInvoice, NoticeData


class InvoiceOpen(AboutInvoice, frozen=True, kw_only=True):
    """The client is asked to pay an invoice."""

    occasion: ClassVar[str] = "invoice_open"


class InvoicePaid(AboutInvoice, frozen=True, kw_only=True):
    """An invoice is paid."""

    occasion: ClassVar[str] = "invoice_paid"


class InvoiceOverdue(AboutInvoice, frozen=True, kw_only=True):
    """An invoice is past its due date, and orders are held for it."""

    occasion: ClassVar[str] = "invoice_overdue"


class PaymentFailedClient(AboutInvoice, frozen=True, kw_only=True):
    """The client's payment failed. `last`: the next attempt is the last one."""

    occasion: ClassVar[str] = "payment_failed"
    reason: str
    next_on: date | None
    last: bool = False


class PaymentFailedAgency(AboutInvoice, frozen=True, kw_only=True):
    """A client's payment failed, with the provider's code."""

    occasion: ClassVar[str] = "payment_failed"
    code: str | None
    next_on: date | None = None


class ActionRequired(AboutInvoice, frozen=True, kw_only=True):
    """The client has to confirm a payment."""

    occasion: ClassVar[str] = "action_required"


class ExhaustedClient(AboutInvoice, frozen=True, kw_only=True):
    """The last attempt to collect from the client failed."""

    occasion: ClassVar[str] = "dunning_exhausted"
    on_exhausted: str
    reason: str | None = None
    next_on: date | None = None


class ExhaustedAgency(AboutInvoice, frozen=True, kw_only=True):
    """The last attempt to collect from a client failed, with the provider's code."""

    occasion: ClassVar[str] = "dunning_exhausted"
    on_exhausted: str
    code: str | None = None
    next_on: date | None = None


class ChargeImpossible(AboutInvoice, frozen=True, kw_only=True):
    """The provider can't collect this charge."""

    occasion: ClassVar[str] = "charge_impossible"
    code: str | None
    provider: str | None


class ChargeAnswered(AboutInvoice, frozen=True, kw_only=True):
    """The result of a charge that the agency had requested."""

    occasion: ClassVar[str] = "charge_answered"
    code: str | None = None
    succeeded: bool


class ChargeInDoubt(AboutInvoice, frozen=True, kw_only=True):
    """It is unclear whether an attempt collected the money."""

    occasion: ClassVar[str] = "charge_in_doubt"
    since: date
    provider: str | None
    key: str | None


class Refunded(AboutInvoice, frozen=True, kw_only=True):
    """Money was refunded to the client."""

    occasion: ClassVar[str] = "refunded"
    refunded_minor: int
    credit_note: str | None = None


class RefundFailed(AboutInvoice, frozen=True, kw_only=True):
    """A refund failed."""

    occasion: ClassVar[str] = "refund_failed"
    code: str
    provider: str
    refunded_minor: int


class RefundInDoubt(AboutInvoice, frozen=True, kw_only=True):
    """It is unclear whether a refund succeeded."""

    occasion: ClassVar[str] = "refund_in_doubt"
    since: date
    provider: str
    key: str
    refund_seq: int
    refunded_minor: int


class BooksDiffer(AboutInvoice, frozen=True, kw_only=True):
    """A provider's list and our records differ."""

    occasion: ClassVar[str] = "books_differ"
    what: str
    provider: str
    reference: str


class PaymentDisputed(AboutInvoice, frozen=True, kw_only=True):
    """A client disputes a payment."""

    occasion: ClassVar[str] = "payment_disputed"
    provider: str
    dispute: str


class SurplusPayment(AboutInvoice, frozen=True, kw_only=True):
    """More was paid than was due for an invoice."""

    occasion: ClassVar[str] = "surplus_payment"
    surplus_minor: int
    status: str | None = None


class PaymentUnapplied(NoticeData, frozen=True, kw_only=True):
    """A checkout took money for which there is no invoice. It shares its occasion with the surplus of an invoice."""

    occasion: ClassVar[str] = "surplus_payment"
    without_invoice: Literal[True] = True
    subscription_id: str
    surplus_minor: int
    currency: str
    reason: str
    reference: str


class PageImpossible(AboutInvoice, frozen=True, kw_only=True):
    """An invoice can't be paid on our page."""

    occasion: ClassVar[str] = "page_impossible"
    provider: str
    code: str
    moved_minor: int


class PagePaymentFailed(AboutInvoice, frozen=True, kw_only=True):
    """A payment on our page did not go through."""

    occasion: ClassVar[str] = "page_payment_failed"
    provider: str
    moved_minor: int


class PagePaymentInDoubt(AboutInvoice, frozen=True, kw_only=True):
    """It is unclear whether a client paid on our page."""

    occasion: ClassVar[str] = "page_payment_in_doubt"
    since: date
    until: date
    provider: str
    key: str
    moved_minor: int


class PaymentReversed(AboutInvoice, frozen=True, kw_only=True):
    """Money of a payment was reversed; `status` is the invoice's status now, or `refunded` if it was refunded too."""

    occasion: ClassVar[str] = "payment_reversed"
    moved_minor: int
    provider: str
    reference: str
    status: str
    since: date | None = None


class PaymentReinstated(AboutInvoice, frozen=True, kw_only=True):
    """Reversed money was reinstated."""

    occasion: ClassVar[str] = "payment_reinstated"
    moved_minor: int
    provider: str
    reference: str
    status: str
    surplus_minor: int
    since: date | None = None


class ReversalInDoubt(AboutInvoice, frozen=True, kw_only=True):
    """It is unclear whether money was reversed."""

    occasion: ClassVar[str] = "reversal_in_doubt"
    since: date
    until: date
    provider: str
    reference: str
    payment_reference: str


class AccountRefused(NoticeData, frozen=True, kw_only=True):
    """The provider refuses the agency's account."""

    occasion: ClassVar[str] = "account_refused"
    provider: str
    code: str | None
    since: date


class CycleBlocked(NoticeData, frozen=True, kw_only=True):
    """A cycle is blocked."""

    occasion: ClassVar[str] = "cycle_blocked"
    subscription_id: str
    stream: str
    starts_on: date
    ends_on: date | None = None
    reason: str
    detail: str | None = None


class SeriesStopped(NoticeData, frozen=True, kw_only=True):
    """The invoices of a subscription have stopped."""

    occasion: ClassVar[str] = "series_stopped"
    subscription_id: str
    reason: str


class FirstInvoiceMissing(NoticeData, frozen=True, kw_only=True):
    """A manual order is still without its first invoice."""

    occasion: ClassVar[str] = "first_invoice_missing"
    subscription_id: str
    starts_on: date
    order_id: str | None = None


class MailUndelivered(NoticeData, frozen=True, kw_only=True):
    """A mail to a client could not be delivered."""

    occasion: ClassVar[str] = "mail_undelivered"
    recipient: str
    subject: str
    reason: str | None
    client: str | None
    key: str
