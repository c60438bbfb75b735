"""Events about invoices."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from shared.messages.event_data import fields as f
from shared.messages.event_data.base import OfInvoice


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an invoice."""

    description: f.Description
    quantity: f.Quantity
    unit_price_minor: f.UnitPriceMinor
    net_minor: f.NetMinor
    tax_name: f.TaxName | None
    tax_rate: f.TaxRate


class InvoiceTax(msgspec.Struct, frozen=True, kw_only=True):
    """The tax of one rate over all lines of an invoice."""

    tax_name: f.TaxName | None
    tax_rate: f.TaxRate
    net_minor: f.NetMinor
    tax_minor: f.TaxMinor


class InvoiceIssued(OfInvoice, frozen=True, kw_only=True):
    """An invoice was issued. The period and its index are null outside the series."""

    event_type: ClassVar[str] = "invoice.issued"
    period_index: f.PeriodIndex | None
    period_starts_on: f.PeriodStartsOn | None
    period_ends_on: f.PeriodEndsOn | None
    issued_on: f.IssuedOn
    due_on: f.DueOn
    currency: f.Currency
    subtotal_minor: f.SubtotalMinor
    tax_minor: f.TaxMinor
    total_minor: f.TotalMinor
    lines: Annotated[tuple[InvoiceLine, ...], Meta(description="The lines, in their order on the invoice.")]
    taxes: Annotated[tuple[InvoiceTax, ...], Meta(description="The tax of each rate over all lines.")]
    collection: f.Collection
    origin: f.Origin


class InvoicePaid(OfInvoice, frozen=True, kw_only=True):
    """The payments of an invoice have reached its total."""

    event_type: ClassVar[str] = "invoice.paid"
    total_minor: f.TotalMinor
    currency: f.Currency
    paid_at: f.PaidAt


class InvoiceFailing(OfInvoice, frozen=True, kw_only=True):
    """Collecting an invoice failed for the first time, or its payment was reversed; orders that need it are held."""

    event_type: ClassVar[str] = "invoice.failing"
    outstanding_minor: f.OutstandingMinor
    currency: f.Currency
    attempt: f.Attempt | None
    code: f.Code | None
    next_attempt_at: f.NextAttemptAt | None


class InvoiceVoided(OfInvoice, frozen=True, kw_only=True):
    """An invoice was declared void."""

    event_type: ClassVar[str] = "invoice.voided"
    total_minor: f.TotalMinor
    currency: f.Currency
    reason: f.Reason | None


class InvoiceUncollectible(OfInvoice, frozen=True, kw_only=True):
    """An invoice was given up after the last attempt, as its agency wants it."""

    event_type: ClassVar[str] = "invoice.uncollectible"
    outstanding_minor: f.OutstandingMinor
    currency: f.Currency
