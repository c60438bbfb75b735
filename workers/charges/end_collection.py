"""The end of collecting: of a ladder, or of a charge that somebody asked for."""

from collections.abc import Sequence
from typing import Literal

from shared.billing import invoice_series
from shared.billing.event_fields import of_charge, of_invoice
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain import charging
from shared.domain.charging import Charge
from shared.domain.facts import Agency
from shared.messages import event_data
from shared.store import charges, cycles, invoices, subscriptions
from shared.store.database import Transaction
from shared.store.invoices import Invoice


def give_up(tx: Transaction, agency: Agency, exhausted: Sequence[Invoice]) -> None:
    """The end of the ladder: the invoice stays open, unless the agency chose to write it off or to cancel."""
    if not exhausted or agency.on_exhausted == "leave_open":
        return
    agency_id = agency.agency_id
    ids = [invoice.invoice_id for invoice in exhausted]
    if agency.on_exhausted == "mark_uncollectible":
        invoices.close(tx, agency_id, ids, "uncollectible", [None] * len(ids))
        charges.end_open(tx, agency_id, ids, "invoice_uncollectible")
        invoice_series.stop_after(tx, agency, exhausted, "uncollectible")
        cycles.release(tx, agency_id, {invoice.subscription_id for invoice in exhausted})
        for invoice in exhausted:
            of = of_invoice(agency_id, invoice)
            outstanding_minor = invoice.outstanding_minor
            tx.record(
                event_data.InvoiceUncollectible(**of, outstanding_minor=outstanding_minor, currency=invoice.currency)
            )
        return
    for id_ in subscriptions.end(tx, agency_id, {i.subscription_id for i in exhausted}, "dunning_exhausted"):
        ended = event_data.SubscriptionEnded(agency_id=agency_id, subscription_id=id_, reason="dunning_exhausted")
        tx.record(ended)


def end_once(
    tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, state: Literal["declined", "not_sent"]
) -> None:
    """A charge that was asked for has failed: that is all of it, and the agency hears how it ended."""
    agency_id, code = agency.agency_id, charge.code
    ended = charging.failed(charge, state, tx.as_of)
    charges.write(tx, agency_id, [ended])
    cycles.release(tx, agency_id, [charge.subscription_id], ["waiting"])
    of = of_charge(agency_id, charge, invoice)
    if state == "declined":
        decline_class = charge.decline_class
        tx.record(event_data.ChargeDeclined(**of, code=code, decline_class=decline_class, next_attempt_at=None))
    else:
        tx.record(event_data.ChargeNotSent(**of, code=code, detail=None))
    said = notice_data.ChargeAnswered(**facts_of(invoice), code=code, succeeded=False)
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, str(charge.attempt))])


def tell_once(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice) -> None:
    """A charge that was asked for has succeeded."""
    said = notice_data.ChargeAnswered(**facts_of(invoice), code=None, succeeded=True)
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, str(charge.attempt))])
