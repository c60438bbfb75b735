"""What upstream systems send: one struct per type of change message, with the defaults of absent fields.

`_on` fields are dates, `_at` fields aware UTC instants, `_minor` fields integer minor units of the currency beside
them. Types are checked when a message is decoded; rules within a type (a currency that exists, fields that agree) also
when a struct is built in code, where they raise :class:`~shared.messages.parts.MisfitError`.
"""

from datetime import time
from typing import Literal

import msgspec

from shared.messages.kinds import (
    NEXT_BOUNDARY,
    Amount,
    Currency,
    Day,
    Email,
    Identifier,
    Instant,
    Lines,
    Locale,
    LocalTime,
    Name,
    Prefix,
    Price,
    Quantity,
    Reference,
    Resumption,
    Revision,
    TaxId,
    TermsDays,
    Token,
    Total,
    Zone,
)
from shared.messages.parts import Address, Cycle, Dunning, InitialPayment, MisfitError, Part, Provider, Tax

SELECTOR_WAYS = (
    "say which invoice in exactly one of three ways: invoice_id, or number, or subscription_id with period_starts_on"
)


class AgencyUpserted(Part, frozen=True, kw_only=True):
    """The whole state of an agency."""

    agency_id: Identifier
    revision: Revision
    name: Name
    timezone: Zone
    currency: Currency
    email: Email
    locale: Locale = "en"
    invoice_prefix: Prefix = ""
    payment_terms_days: TermsDays = 14
    issue_time: LocalTime = time(0, 0)
    gateway: Provider = "sandbox"
    address: Address | None = None
    tax_id: TaxId | None = None
    dunning: Dunning = Dunning()
    backlog: Literal["all", "latest"] = "all"
    hold_on: Literal["failure", "overdue"] = "failure"


class ClientUpserted(Part, frozen=True, kw_only=True):
    """The whole state of an agency's client. Without a locale the agency's is used."""

    agency_id: Identifier
    client_id: Identifier
    revision: Revision
    name: Name
    email: Email
    locale: Locale | None = None
    address: Address | None = None
    tax_id: TaxId | None = None


class ServiceUpserted(Part, frozen=True, kw_only=True):
    """The whole state of a service. Without a price its invoice cycles are blocked; without an order cycle its orders
    follow the billing cycle."""

    agency_id: Identifier
    service_id: Identifier
    revision: Revision
    name: Name
    currency: Currency
    billing_cycle: Cycle
    price_minor: Price | None = None
    order_cycle: Cycle | None = None
    tax: Tax | None = None
    renewal: Literal["new_order", "update_order", "keep_order"] = "new_order"


class PaymentMethodUpserted(Part, frozen=True, kw_only=True):
    """The whole state of a client's payment method; `customer` is the provider's id of the client."""

    agency_id: Identifier
    client_id: Identifier
    payment_method_id: Identifier
    revision: Revision
    provider: Provider
    token: Token
    customer: Reference | None = None
    default: bool = True


class PaymentMethodRemoved(Part, frozen=True, kw_only=True):
    """A payment method must not be used any more."""

    agency_id: Identifier
    client_id: Identifier
    payment_method_id: Identifier
    revision: Revision


class SubscriptionUpserted(Part, frozen=True, kw_only=True):
    """The whole state of a subscription. `bill_from` before the first message asks for the periods since then to be billed too;
    later than that it is the cut-over: what begins before it is billed elsewhere."""

    agency_id: Identifier
    subscription_id: Identifier
    revision: Revision
    client_id: Identifier
    service_id: Identifier
    checkout: Literal["self_checkout", "manual"]
    starts_on: Day
    status: Literal["active", "paused", "cancelled"] = "active"
    cancel_on: Day | None = None
    quantity: Quantity = 1
    collection: Literal["automatic", "manual"] | None = None
    order_id: Identifier | None = None
    bill_from: Day | None = None
    initial_payment: InitialPayment | None = None

    @property
    def collection_or_default(self) -> Literal["automatic", "manual"]:
        """How invoices are collected: as told, else automatic for a self-checkout and manual for a manual order."""
        if self.collection is not None:
            return self.collection
        return "automatic" if self.checkout == "self_checkout" else "manual"


class SubscriptionResumed(Part, frozen=True, kw_only=True):
    """A stopped invoice series goes on, at its next boundary or from a date."""

    agency_id: Identifier
    subscription_id: Identifier
    from_: Resumption = msgspec.field(name="from", default=NEXT_BOUNDARY)


class InvoiceIssued(Part, frozen=True, kw_only=True):
    """The agency issued an invoice itself. Without a total the service's price and tax count."""

    agency_id: Identifier
    subscription_id: Identifier
    invoice_id: Identifier
    issued_on: Day
    status: Literal["open", "paid"] = "open"
    number: Identifier | None = None
    total_minor: Total | None = None
    currency: Currency | None = None
    send: bool = False

    def _agree(self) -> None:
        if self.total_minor is not None and self.currency is None:
            reason = "missing beside total_minor; expected the currency of the total; add currency or leave both out"
            raise MisfitError("currency", "missing", reason=reason)
        if self.currency is not None and self.total_minor is None:
            reason = "missing beside currency; expected the total in minor units; add total_minor or leave both out"
            raise MisfitError("total_minor", "missing", reason=reason)


class InvoiceSelector(Part, frozen=True, kw_only=True):
    """Names one invoice of an agency in exactly one of three ways; null counts as absent."""

    agency_id: Identifier
    invoice_id: Identifier | None = None
    number: Identifier | None = None
    subscription_id: Identifier | None = None
    period_starts_on: Day | None = None

    def _agree(self) -> None:
        parts = {
            "invoice_id": self.invoice_id,
            "number": self.number,
            "subscription_id": self.subscription_id,
            "period_starts_on": self.period_starts_on,
        }
        given = [name for name, value in parts.items() if value is not None]
        if given not in (["invoice_id"], ["number"], ["subscription_id", "period_starts_on"]):
            reason = f"got {' and '.join(given) or 'none of them'}; {SELECTOR_WAYS}"
            raise MisfitError("invoice_id", "ambiguous", reason=reason)


class InvoicePaid(InvoiceSelector, frozen=True, kw_only=True):
    """Money for an invoice arrived outside the gateways. Without an amount it is the outstanding amount."""

    paid_at: Instant | None = None
    reference: Reference | None = None
    amount_minor: Amount | None = None
    currency: Currency | None = None


class InvoiceVoided(InvoiceSelector, frozen=True, kw_only=True):
    """An invoice is declared void."""

    reason: Lines | None = None


class InvoiceRefunded(InvoiceSelector, frozen=True, kw_only=True):
    """Money of an invoice was given back outside the gateways. Without an amount it is all that was left."""

    refunded_at: Instant | None = None
    reference: Reference | None = None
    amount_minor: Amount | None = None
    currency: Currency | None = None
    reason: Lines | None = None


class RefundRequested(InvoiceSelector, frozen=True, kw_only=True):
    """Money of an invoice is to go back by the provider it came from. Without an amount it is all that is left."""

    amount_minor: Amount | None = None
    currency: Currency | None = None
    reason: Lines | None = None


class ChargeRequested(InvoiceSelector, frozen=True, kw_only=True):
    """The planned attempt to charge an invoice happens now."""


ChangeData = (
    AgencyUpserted
    | ClientUpserted
    | ServiceUpserted
    | PaymentMethodUpserted
    | PaymentMethodRemoved
    | SubscriptionUpserted
    | SubscriptionResumed
    | InvoiceIssued
    | InvoicePaid
    | InvoiceVoided
    | InvoiceRefunded
    | RefundRequested
    | ChargeRequested
)

CHANGE_TYPES: dict[str, type[Part]] = {
    "duecycle.agency.upserted.v1": AgencyUpserted,
    "duecycle.client.upserted.v1": ClientUpserted,
    "duecycle.service.upserted.v1": ServiceUpserted,
    "duecycle.payment_method.upserted.v1": PaymentMethodUpserted,
    "duecycle.payment_method.removed.v1": PaymentMethodRemoved,
    "duecycle.subscription.upserted.v1": SubscriptionUpserted,
    "duecycle.subscription.resumed.v1": SubscriptionResumed,
    "duecycle.invoice.issued.v1": InvoiceIssued,
    "duecycle.invoice.paid.v1": InvoicePaid,
    "duecycle.invoice.voided.v1": InvoiceVoided,
    "duecycle.invoice.refunded.v1": InvoiceRefunded,
    "duecycle.refund.requested.v1": RefundRequested,
    "duecycle.charge.requested.v1": ChargeRequested,
}
