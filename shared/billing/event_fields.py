"""The fields that events share, filled from our rows: which invoice, attempt, refund or page an event is about."""

from typing import TypedDict

from shared.domain.charging import Charge
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from shared.store.refunds import Refund
from shared.store.reversals import Reversal


class OfInvoice(TypedDict):
    """Which invoice, and whose."""

    agency_id: str
    subscription_id: str
    client_id: str
    invoice_id: str
    number: str | None


class OfCharge(OfInvoice):
    """Which attempt."""

    attempt: int
    key: str | None
    provider: str | None
    amount_minor: int | None
    currency: str


class OfRefund(OfInvoice):
    """Which refund."""

    refund_seq: int
    key: str
    source: str
    payment_reference: str
    amount_minor: int
    currency: str
    reason: str | None
    origin: str


class OfLink(OfInvoice):
    """Which payment page."""

    link_seq: int
    key: str
    provider: str
    amount_minor: int
    currency: str


class OfReversal(OfInvoice):
    """Which money was taken back, or came back."""

    source: str
    reference: str
    kind: str
    payment_reference: str
    amount_minor: int
    currency: str


def of_invoice(agency_id: str, invoice: Invoice) -> OfInvoice:
    """What every event about an invoice says."""
    return {
        "agency_id": agency_id,
        "subscription_id": invoice.subscription_id,
        "client_id": invoice.client_id,
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
    }


def of_charge(agency_id: str, charge: Charge, invoice: Invoice) -> OfCharge:
    """What every event about an attempt says."""
    return {
        **of_invoice(agency_id, invoice),
        "attempt": charge.attempt,
        "key": charge.key,
        "provider": charge.provider,
        "amount_minor": charge.amount_minor,
        "currency": charge.currency,
    }


def of_refund(agency_id: str, refund: Refund, invoice: Invoice) -> OfRefund:
    """What every event about a refund says."""
    return {
        **of_invoice(agency_id, invoice),
        "refund_seq": refund.refund_seq,
        "key": refund.key,
        "source": refund.source,
        "payment_reference": refund.payment_reference,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "reason": refund.reason,
        "origin": refund.origin,
    }


def of_link(agency_id: str, link: PayLink, invoice: Invoice) -> OfLink:
    """What every event about a payment page says."""
    return {
        **of_invoice(agency_id, invoice),
        "link_seq": link.link_seq,
        "key": link.key,
        "provider": link.provider,
        "amount_minor": link.amount_minor,
        "currency": link.currency,
    }


def of_reversal(agency_id: str, reversal: Reversal, invoice: Invoice) -> OfReversal:
    """What an event about money taken back says; the amount is how much moved, whichever way."""
    return {
        **of_invoice(agency_id, invoice),
        "source": reversal.source,
        "reference": reversal.reference,
        "kind": reversal.kind,
        "payment_reference": reversal.payment_reference,
        "amount_minor": abs(reversal.amount_minor),
        "currency": reversal.currency,
    }
