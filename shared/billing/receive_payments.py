"""Money arrived: record it at once, and let go of whatever waited for it."""

from collections.abc import Collection, Sequence

from shared.billing import invoice_series
from shared.billing.event_fields import of_invoice
from shared.billing.notify import AGENCY, CLIENT, Draft, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain.facts import Agency
from shared.domain.keys import joined
from shared.domain.states import SERIES_GOES_ON
from shared.messages import event_data
from shared.store import charges, cycles, invoices, payments, refunds, reversals
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.payments import Payment


def receive(tx: Transaction, agency: Agency, arrived: Sequence[Payment], unsent: Collection[str] = ()) -> list[Invoice]:
    """Record payments for invoices of locked subscriptions. Returns the invoices that are paid by them.

    An invoice is paid when its payments reach its total; less leaves an outstanding amount; more, or money for a void invoice,
    is surplus: reported to the agency, never refused. A payment reported twice (same source, reference and invoice) is recorded
    once. The client is notified of a paid invoice, except of the `unsent` ones, whose sending is not our business.
    """
    known = payments.known(tx, agency.agency_id, arrived)
    fresh = [each for each in arrived if (each.source, each.reference, each.invoice_id) not in known]
    if not fresh:
        return []
    payments.insert(tx, agency.agency_id, fresh)
    received: dict[str, list[Payment]] = {}
    for payment in fresh:
        received.setdefault(payment.invoice_id, []).append(payment)
    found = invoices.load(tx, agency.agency_id, received)
    drafts: list[Draft] = []
    paid: list[Invoice] = []
    for invoice_id, each in received.items():
        invoice = found[invoice_id]
        drafts += _record(tx, agency, invoice, each)
        if invoice.status in ("open", "uncollectible") and invoice.collected_minor >= invoice.total_minor:
            paid.append(invoice)
    close(tx, agency, paid, received)
    instances = reversals.paid_instances(tx, agency.agency_id, received)
    drafts += [
        about_invoice(
            invoice, notice_data.InvoicePaid(**facts_of(invoice)), CLIENT, instances.get(invoice.invoice_id, "")
        )
        for invoice in paid
        if invoice.invoice_id not in unsent
    ]
    notify(tx, agency, drafts)
    return paid


def _record(tx: Transaction, agency: Agency, invoice: Invoice, arrived: Sequence[Payment]) -> list[Draft]:
    """Events for what arrived; notices for what is too much."""
    of = of_invoice(agency.agency_id, invoice)
    for payment in arrived:
        tx.record(
            event_data.PaymentRecorded(
                **of,
                source=payment.source,
                reference=payment.reference,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                received_at=payment.received_at,
            )
        )
    amount = sum(payment.amount_minor for payment in arrived)
    wanted = 0 if invoice.status == "void" else max(0, invoice.total_minor - (invoice.collected_minor - amount))
    surplus = amount - wanted
    if surplus <= 0:
        return []
    tx.record(event_data.PaymentSurplus(**of, amount_minor=surplus, currency=invoice.currency))
    instance = joined(arrived[-1].source, arrived[-1].reference)
    said = notice_data.SurplusPayment(**facts_of(invoice), surplus_minor=surplus, status=invoice.status)
    return [about_invoice(invoice, said, AGENCY, instance)]


def tell_money_of_void(tx: Transaction, agency: Agency, invoice: Invoice) -> None:
    """An invoice has just been voided: what was paid of it and has not gone back is surplus, reported to the agency."""
    left = sum(each.left_minor for each in refunds.refundable(tx, agency.agency_id, invoice.invoice_id))
    if left == 0:
        return
    of = of_invoice(agency.agency_id, invoice)
    tx.record(event_data.PaymentSurplus(**of, amount_minor=left, currency=invoice.currency))
    said = notice_data.SurplusPayment(**facts_of(invoice), surplus_minor=left, status="void")
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, "void")])


def close(tx: Transaction, agency: Agency, paid: Sequence[Invoice], received: dict[str, list[Payment]]) -> None:
    """Paid invoices: no further attempt, no hold, and a series that was given up goes on."""
    if not paid:
        return
    ids = [invoice.invoice_id for invoice in paid]
    paid_at = [max(payment.received_at for payment in received[invoice_id]) for invoice_id in ids]
    invoices.close(tx, agency.agency_id, ids, "paid", paid_at)
    charges.end_open(tx, agency.agency_id, ids, "invoice_paid")
    cycles.release(tx, agency.agency_id, {invoice.subscription_id for invoice in paid})
    given_up = [each for each in paid if each.status not in SERIES_GOES_ON]
    latest = invoice_series.latest_of_series(tx, agency.agency_id, given_up)
    invoice_series.resume(tx, agency, {each.subscription_id for each in latest}, None, tx.as_of)
    for invoice in paid:
        tx.record(
            event_data.InvoicePaid(
                **of_invoice(agency.agency_id, invoice),
                total_minor=invoice.total_minor,
                currency=invoice.currency,
                paid_at=max(payment.received_at for payment in received[invoice.invoice_id]),
            )
        )
