"""The end of collecting: of a ladder, or of a charge that somebody asked for."""

from collections.abc import Sequence

from shared.acts import series
from shared.acts.notify import AGENCY, about_invoice, notify
from shared.domain.facts import Agency
from shared.domain.keys import subscription_subject
from shared.store import charges, cycles, invoices, subscriptions
from shared.store.charges import Charge
from shared.store.invoices import Invoice
from shared.store.transaction import Tx


def give_up(tx: Tx, agency: Agency, exhausted: Sequence[Invoice]) -> None:
    """The end of the ladder: the invoice stays open, unless the agency chose to write it off or to cancel."""
    if not exhausted or agency.on_exhausted == "leave_open":
        return
    agency_id = agency.agency_id
    ids = [invoice.invoice_id for invoice in exhausted]
    if agency.on_exhausted == "mark_uncollectible":
        invoices.close(tx, agency_id, ids, "uncollectible", [None] * len(ids))
        charges.end_open(tx, agency_id, ids, "invoice_uncollectible")
        series.stop_after(tx, agency, exhausted, "uncollectible")
        cycles.release(tx, agency_id, {invoice.subscription_id for invoice in exhausted})
        for invoice in exhausted:
            data = {"invoice_id": invoice.invoice_id, "number": invoice.number, "rest_minor": invoice.rest_minor}
            tx.record(agency_id, "invoice.uncollectible", subscription_subject(invoice.subscription_id), data)
        return
    for id_ in subscriptions.end(tx, agency_id, {i.subscription_id for i in exhausted}, "dunning_exhausted"):
        tx.record(agency_id, "subscription.ended", subscription_subject(id_), {"reason": "dunning_exhausted"})


def end_once(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, state: str) -> None:
    """A charge that was asked for has failed: that is all of it, and the agency hears how it ended."""
    agency_id, code = agency.agency_id, charge.code
    ended = charge._replace(state=state, wake_at=None, lease_until=None, settled_at=tx.as_of)
    charges.write(tx, agency_id, [ended])
    cycles.release(tx, agency_id, [charge.subscription_id], ["waiting"])
    data = {
        "invoice_id": charge.invoice_id,
        "number": invoice.number,
        "attempt": charge.attempt,
        "key": charge.key,
        "code": code,
    }
    subject = subscription_subject(charge.subscription_id)
    tx.record(agency_id, f"charge.{state}", subject, {**data, "class": charge.decline_class, "next_at": None})
    said = {"code": code, "succeeded": False}
    notify(tx, agency, [about_invoice(invoice, "charge_answered", AGENCY, str(charge.attempt), **said)])


def tell_once(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice) -> None:
    """A charge that was asked for has succeeded."""
    said = {"code": None, "succeeded": True}
    notify(tx, agency, [about_invoice(invoice, "charge_answered", AGENCY, str(charge.attempt), **said)])
