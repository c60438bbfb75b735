"""What upstream says about one invoice: paid, voided, refunded, or to be charged now."""

from shared.billing import invoice_series, refund_payments
from shared.billing.event_fields import of_invoice
from shared.billing.manual_resolution import told_paid, told_refunded
from shared.billing.receive_payments import receive, tell_money_of_void
from shared.billing.refund_payments import RefundRefusedError
from shared.domain import charging
from shared.domain.charging import Charge, NewCharge
from shared.domain.dunning import DECLINES_MAX, DECLINES_WINDOW, choose
from shared.domain.facts import Agency
from shared.domain.keys import joined, payment_source
from shared.domain.states import CHARGE_IN_FLIGHT, INVOICE_MOVES, check_move
from shared.messages import (
    Change,
    ChargeRequested,
    InvoicePaid,
    InvoiceRefunded,
    InvoiceVoided,
    RefundRequested,
    event_data,
)
from shared.store import charges, collection, cycles, facts, invoices, payments, refunds
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.payments import Payment
from shared.store.refunds import Outside
from workers.intake.select_invoice import select
from workers.intake.verdicts import Applied, Refused, Repeated, Verdict, Waits


def paid(tx: Transaction, change: Change, data: InvoicePaid) -> Verdict:
    """Money arrived outside the gateways: recorded at once, even while a charge is in flight. Default: the outstanding amount.

    A payment is its source, reference and invoice. The same one with the same amount is a repeat, with another amount refused;
    so is money that a provider took, sent again with its id there or with our key.
    """
    invoice = select(tx, data)
    if not isinstance(invoice, Invoice):
        return invoice
    wrong = _other_currency(invoice, data.currency)
    if wrong is not None:
        return wrong
    agency = facts.require_agency(tx, data.agency_id)
    reference = data.reference or joined(change.source, change.id)
    amount = data.amount_minor if data.amount_minor is not None else invoice.outstanding_minor
    arrived_at = data.paid_at or change.time
    payment = Payment(
        source=payment_source(change.source),
        reference=reference,
        invoice_id=invoice.invoice_id,
        amount_minor=amount,
        currency=invoice.currency,
        received_at=arrived_at,
    )
    recorded = _recorded(tx, data, payment)
    if recorded is not None:
        return Repeated() if data.amount_minor in (None, recorded) else _other_amount(reference, recorded)
    if told_paid(tx, agency, invoice, amount_minor=data.amount_minor, reference=data.reference, by=change.source):
        return Applied()
    if data.amount_minor is None and (invoice.status == "void" or amount == 0):
        why = "void, so it has no outstanding amount" if invoice.status == "void" else "paid, so nothing is left to pay"
        return Refused("data.amount_minor", f"the invoice is {why}; if more money arrived, send amount_minor")
    receive(tx, agency, [payment])
    charges.wake_open(tx, data.agency_id, [invoice.invoice_id])
    return Applied()


def _recorded(tx: Transaction, data: InvoicePaid, payment: Payment) -> int | None:
    """The amount under which this payment is recorded already; None if it is new."""
    for amount in payments.known(tx, data.agency_id, [payment]).values():
        return amount
    if data.reference is None:
        return None
    return payments.taken_by_provider(tx, data.agency_id, payment.invoice_id, data.reference)


def _other_currency(invoice: Invoice, currency: str | None) -> Refused | None:
    if currency in (None, invoice.currency):
        return None
    return Refused(
        "data.currency", f"is {currency}, the invoice is in {invoice.currency}; send what arrived in {invoice.currency}"
    )


def _other_amount(reference: str, recorded: int) -> Refused:
    return Refused(
        "data.amount_minor",
        f"the payment {reference} of this invoice is recorded with {recorded}; send further money under a reference of its own",
    )


def voided(tx: Transaction, _change: Change, data: InvoiceVoided) -> Verdict:
    """The invoice is void: what it held goes on. A paid one is refunded instead; one in flight is settled first."""
    invoice = select(tx, data)
    if not isinstance(invoice, Invoice):
        return invoice
    if invoice.status == "void":
        return Repeated()
    if invoice.status == "paid" and invoice.total_minor == 0:
        return Refused("data.invoice_id", "the invoice asks for nothing and is closed; leave it as it is")
    if invoice.status == "paid":
        return Refused("data.invoice_id", "the invoice is paid; refund it instead")
    if charges.in_flight(tx, data.agency_id, invoice.invoice_id):
        return Waits(f"settlement/{invoice.invoice_id}")
    _void(tx, facts.require_agency(tx, data.agency_id), invoice, data.reason)
    return Applied()


def _void(tx: Transaction, agency: Agency, invoice: Invoice, reason: str | None) -> None:
    check_move(INVOICE_MOVES, "invoice", invoice.status, "void")
    invoices.close(tx, agency.agency_id, [invoice.invoice_id], "void", [None])
    charges.end_open(tx, agency.agency_id, [invoice.invoice_id], "invoice_void")
    invoice_series.stop_after(tx, agency, [invoice], "void")
    cycles.release(tx, agency.agency_id, [invoice.subscription_id])
    of, total = of_invoice(agency.agency_id, invoice), invoice.total_minor
    tx.record(event_data.InvoiceVoided(**of, total_minor=total, currency=invoice.currency, reason=reason))
    tell_money_of_void(tx, agency, invoice)


def refunded(tx: Transaction, change: Change, data: InvoiceRefunded) -> Verdict:
    """Money was given back outside: recorded, with a credit note. Default: all that was left.

    Sent again under its reference it is a repeat; another amount under that reference is refused.
    """
    invoice = select(tx, data)
    if not isinstance(invoice, Invoice):
        return invoice
    wrong = _other_currency(invoice, data.currency)
    if wrong is not None:
        return wrong
    outside = Outside(payment_source(change.source), data.reference or joined(change.source, change.id))
    recorded = _given_back(tx, invoice, data, outside)
    if recorded:
        return Repeated() if data.amount_minor in (None, recorded) else _other_refund(outside.reference, recorded)
    agency = facts.require_agency(tx, data.agency_id)
    answered = told_refunded(
        tx, agency, invoice, amount_minor=data.amount_minor, reference=data.reference, by=change.source
    )
    if answered is not None:
        refunds.name_outside(tx, data.agency_id, [answered], outside)
        return Applied()
    at = data.refunded_at or change.time
    try:
        refund_payments.record(
            tx, agency, invoice, amount_minor=data.amount_minor, reason=data.reason, refunded_at=at, outside=outside
        )
    except RefundRefusedError as refused:
        return Refused(f"data.{refused.field}", str(refused))
    return Applied()


def _given_back(tx: Transaction, invoice: Invoice, data: InvoiceRefunded, outside: Outside) -> int:
    """The amount under which this refund is recorded already, 0 if it is new."""
    told = refunds.given_back_outside(tx, data.agency_id, invoice.invoice_id, outside)
    if told or data.reference is None:
        return told
    return sum(
        each.amount_minor
        for each in refunds.of_invoices(tx, data.agency_id, [invoice.invoice_id])
        if each.state == "succeeded" and data.reference in (each.key, each.reference)
    )


def _other_refund(reference: str, recorded: int) -> Refused:
    return Refused(
        "data.amount_minor",
        f"the refund {reference} of this invoice is recorded with {recorded}; send a further one under a reference of its own",
    )


def refund_requested(tx: Transaction, _change: Change, data: RefundRequested) -> Verdict:
    """The charges pool gives money back by the providers it came from. Default: all that is left."""
    invoice = select(tx, data)
    if not isinstance(invoice, Invoice):
        return invoice
    wrong = _other_currency(invoice, data.currency)
    if wrong is not None:
        return wrong
    try:
        refund_payments.request(tx, facts.require_agency(tx, data.agency_id), invoice, data.amount_minor, data.reason)
    except RefundRefusedError as refused:
        return Refused(f"data.{refused.field}", str(refused))
    return Applied()


def charge_requested(tx: Transaction, _change: Change, data: ChargeRequested) -> Verdict:
    """The planned attempt goes out now. Where nothing is collected automatically, one attempt does, and nothing follows it:
    on an invoice issued by hand, one collected by hand, one whose client was notified that it is over, or written off.
    """
    invoice = select(tx, data)
    if not isinstance(invoice, Invoice):
        return invoice
    latest = charges.latest_of(tx, data.agency_id, [invoice.invoice_id]).get(invoice.invoice_id)
    why = _not_chargeable(tx, data.agency_id, invoice, latest)
    if why is not None:
        return Refused("data.invoice_id", why)
    if latest is not None and latest.state == "due":
        charges.write(tx, data.agency_id, [charging.postponed(latest, tx.as_of)])
        return Applied()
    if latest is not None and latest.state == "action_required":
        ended = charging.declined(latest, "superseded_by_request", tx.as_of)
        charges.write(tx, data.agency_id, [ended])
    new = NewCharge(
        invoice_id=invoice.invoice_id,
        attempt=1 if latest is None else latest.attempt + 1,
        subscription_id=invoice.subscription_id,
        client_id=invoice.client_id,
        currency=invoice.currency,
        planned_at=tx.as_of,
        once=latest is None or latest.state != "action_required",
    )
    charges.insert(tx, data.agency_id, [new])
    return Applied()


def _not_chargeable(tx: Transaction, agency_id: str, invoice: Invoice, latest: Charge | None) -> str | None:
    """Why no attempt can be made now, and what to do instead; None if one can."""
    if invoice.status == "void":
        return "the invoice is void, so nothing can be collected; issue a new one"
    if invoice.status == "paid" or invoice.outstanding_minor == 0:
        return "the invoice is paid, so nothing is left to collect; send refund.requested to refund it"
    if latest is not None and latest.state in CHARGE_IN_FLIGHT:
        return "an attempt is under way; ask again if it fails"
    if latest is not None and latest.state == "due" and latest.planned_at <= tx.as_of:
        return "an attempt is already being sent; ask again if it fails"
    listed = facts.payment_methods(tx, agency_id, [invoice.client_id]).get(invoice.client_id, ())
    tried = collection.tried(tx, agency_id, [invoice.invoice_id]).get(invoice.invoice_id, ())
    method = choose(listed, tried)
    if method is None and latest is not None and latest.state == "action_required":
        return "the client has to confirm this payment; ask them, or send another method by payment_method.upserted"
    if method is None:
        return "the client has no payment method that can be used; send one by payment_method.upserted, or let the client pay"
    recent = collection.recent_declines(tx, agency_id, [method.credential], DECLINES_WINDOW)
    declines = recent.get((method.credential, invoice.outstanding_minor, invoice.currency))
    if declines is None or declines.declined < DECLINES_MAX:
        return None
    on = declines.frees_at.date().isoformat()
    return (
        f"its payment method was declined {DECLINES_MAX} times in 30 days over this amount, so it is not called before {on};"
        " send another one by payment_method.upserted"
    )
