"""Give money back: decide of which payments, and write what a refund that went through takes back of its invoice."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.billing import numbering
from shared.billing.event_fields import of_refund
from shared.billing.notify import AGENCY, CLIENT, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain.calendar import local_date
from shared.domain.crediting import Credit, credit, to_credit
from shared.domain.facts import Agency
from shared.domain.keys import credit_note_number, refund_key
from shared.domain.states import REFUND_MOVES, check_move
from shared.gateways.providers import PROVIDERS
from shared.messages import event_data
from shared.store import deployment, refunds, reversals
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.refunds import NewCreditNote, Outside, Refund, Refundable

_encode = msgspec.json.encode


class RefundRefusedError(ValueError):
    """The refund can't be; the text says why and what to do instead, `field` what of the request is wrong."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def request(
    tx: Transaction,
    agency: Agency,
    invoice: Invoice,
    amount_minor: int | None,
    reason: str | None,
    *,
    by: str | None = None,
) -> list[Refund]:
    """Let the charges pool give money of an invoice back (its subscription is locked), newest payment first.

    `amount_minor` None: all that is left. Several payments make several refunds. Raises RefundRefusedError, also for money that
    came in outside the providers: it can only go back where it came in.
    """
    planned = _plan(tx, agency, invoice, amount_minor, PROVIDERS)
    new = [each._replace(reason=reason, origin="requested", state="due", wake_at=tx.as_of) for each in planned]
    refunds.insert(tx, agency.agency_id, new)
    for each in new:
        tx.record(event_data.RefundRequested(**of_refund(agency.agency_id, each, invoice), by=by))
    return new


def record(
    tx: Transaction,
    agency: Agency,
    invoice: Invoice,
    *,
    amount_minor: int | None,
    reason: str | None,
    refunded_at: datetime,
    outside: Outside | None = None,
    by: str | None = None,
) -> list[Refund]:
    """Record money that was given back elsewhere, of whichever payments it can be of. Raises RefundRefusedError."""
    planned = _plan(tx, agency, invoice, amount_minor, None)
    done = [each._replace(reason=reason, origin="outside", state="sending", sent_at=refunded_at) for each in planned]
    refunds.insert(tx, agency.agency_id, done)
    if outside is not None:
        refunds.name_outside(tx, agency.agency_id, done, outside)
    known_as = None if outside is None else outside.reference
    return [succeed(tx, agency, invoice, each, None, known_as=known_as, by=by) for each in done]


def _plan(
    tx: Transaction, agency: Agency, invoice: Invoice, amount_minor: int | None, sources: Collection[str] | None
) -> list[Refund]:
    if invoice.status in ("open", "uncollectible"):
        wrong = f"the invoice is {invoice.status}; money of it goes back once it is paid or void: void it first"
        raise RefundRefusedError("invoice_id", wrong)
    payments = refunds.refundable(tx, agency.agency_id, invoice.invoice_id)
    ours = [each for each in payments if sources is None or each.source in sources]
    left = sum(each.left_minor for each in ours)
    amount = left if amount_minor is None else amount_minor
    if amount > left or left == 0:
        raise RefundRefusedError("amount_minor", _too_much(amount, left, sum(each.left_minor for each in payments)))
    refund_seq = max(
        (each.refund_seq for each in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id])), default=0
    )
    planned = []
    for payment in ours:
        part = min(amount, payment.left_minor)
        if part > 0:
            refund_seq += 1
            planned.append(_new(tx, agency, invoice, refund_seq=refund_seq, payment=payment, amount_minor=part))
        amount -= part
    return planned


def _too_much(amount: int, left: int, everywhere: int) -> str:
    if everywhere > left:
        return (
            f"{left} of the invoice can go back by its provider, not {amount}; money that came in outside goes back outside:"
            " give it back yourself and record that (invoice.refunded, or duecycle refund --outside)"
        )
    if left == 0:
        return "nothing is left that could go back: all of it did, or no money came in"
    return f"{left} is left that can go back, not {amount}"


def _new(
    tx: Transaction, agency: Agency, invoice: Invoice, *, refund_seq: int, payment: Refundable, amount_minor: int
) -> Refund:
    return Refund(
        invoice_id=invoice.invoice_id,
        refund_seq=refund_seq,
        subscription_id=invoice.subscription_id,
        client_id=invoice.client_id,
        source=payment.source,
        payment_reference=payment.reference,
        amount_minor=amount_minor,
        currency=invoice.currency,
        reason=None,
        origin="requested",
        requested_at=tx.as_of,
        key=refund_key(deployment.origins(tx, agency.agency_id).of(payment.source), invoice.invoice_id, refund_seq),
        state="due",
        reference=None,
        code=None,
        wake_at=None,
        lease_until=None,
        fence=0,
        sent_at=None,
        settled_at=None,
        doubtful_since=None,
    )


def found_at_provider(
    tx: Transaction,
    agency: Agency,
    invoice: Invoice,
    *,
    source: str,
    payment_reference: str,
    reference: str,
    amount_minor: int,
) -> Refund | None:
    """The provider says that money of a payment of ours went back without us: keep that, and let the pool ask for how it is.

    None if it is known, or more than is left of the payment (which the nightly reconciliation then reports).
    """
    if refunds.by_reference(tx, agency.agency_id, source, reference) is not None:
        return None
    left = [
        each
        for each in refunds.refundable(tx, agency.agency_id, invoice.invoice_id)
        if (each.source, each.reference) == (source, payment_reference) and each.left_minor >= amount_minor
    ]
    if not left:
        return None
    refund_seq = (
        max((each.refund_seq for each in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id])), default=0)
        + 1
    )
    new = _new(tx, agency, invoice, refund_seq=refund_seq, payment=left[0], amount_minor=amount_minor)._replace(
        origin="provider",
        state="pending",
        reference=reference,
        sent_at=tx.as_of,
        wake_at=tx.as_of,
        doubtful_since=tx.as_of,
    )
    refunds.insert(tx, agency.agency_id, [new])
    return new


def succeed(
    tx: Transaction,
    agency: Agency,
    invoice: Invoice,
    refund: Refund,
    reference: str | None,
    *,
    known_as: str | None = None,
    by: str | None = None,
) -> Refund:
    """The money went back: the row, the credit note over what is no surplus, the event, and a word to the client.

    `reference`: the provider's id of the refund; `known_as`: what upstream calls one that was made outside.
    """
    check_move(REFUND_MOVES, "refund", refund.state, "succeeded")
    done = refund._replace(state="succeeded", reference=reference, wake_at=None, lease_until=None, settled_at=tx.as_of)
    refunds.write(tx, agency.agency_id, [done])
    note = _credit_note(tx, agency, invoice, done)
    tx.record(
        event_data.InvoiceRefunded(
            **of_refund(agency.agency_id, done, invoice),
            reference=reference or known_as,
            credit_note_number=note.number if note else None,
            by=by,
        )
    )
    told = notice_data.Refunded(
        **facts_of(invoice), refunded_minor=done.amount_minor, credit_note=note.number if note else None
    )
    notify(tx, agency, [about_invoice(invoice, told, CLIENT, str(done.refund_seq))])
    return done


def fail(
    tx: Transaction, agency: Agency, invoice: Invoice, refund: Refund, code: str, *, by: str | None = None
) -> Refund:
    """Nothing went back, or it came back: the agency is told, and what is left of the payment can be given back again.

    A credit note stays valid, for the money is still owed; it is not written again. What a dispute has taken of the payment
    meanwhile is asked for again, since more of it may be gone than the refund left to record.
    """
    check_move(REFUND_MOVES, "refund", refund.state, "failed")
    failed = refund._replace(state="failed", code=code, wake_at=None, lease_until=None, settled_at=tx.as_of)
    refunds.write(tx, agency.agency_id, [failed])
    tx.record(event_data.RefundFailed(**of_refund(agency.agency_id, refund, invoice), code=code, by=by))
    told = notice_data.RefundFailed(
        **facts_of(invoice), code=code, provider=refund.source, refunded_minor=refund.amount_minor
    )
    notify(tx, agency, [about_invoice(invoice, told, AGENCY, str(refund.refund_seq))])
    reversals.ask_again(tx, agency.agency_id, refund.source, refund.payment_reference)
    return failed


def _credit_note(tx: Transaction, agency: Agency, invoice: Invoice, refund: Refund) -> NewCreditNote | None:
    """What the refund takes back of an invoice; a void one asks for nothing any more.

    Credited is what has gone back beyond the surplus, in all: a refund that repeats one which the client's bank sent back finds
    it credited already.
    """
    if invoice.status == "void":
        return None
    before = [
        each
        for each in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id])
        if each.state == "succeeded" and each.refund_seq != refund.refund_seq
    ]
    surplus = max(0, invoice.collected_minor - invoice.total_minor)
    credited = refunds.credited(tx, agency.agency_id, invoice.invoice_id)
    gone = sum(each.amount_minor for each in before) + refund.amount_minor
    amount = min(refund.amount_minor, to_credit(gone, surplus, credited))
    if amount == 0:
        return None
    sums = credit(refunds.taxes(tx, agency.agency_id, invoice.invoice_id), credited, amount)
    today = local_date(tx.as_of, agency.timezone)
    prefix = agency.invoice_prefix
    taken = numbering.take(
        tx,
        agency.agency_id,
        numbering.CREDIT_NOTE,
        printed=lambda each: credit_note_number(prefix, each),
        count=1,
        issued_on=today,
    )
    issued_on = max(today, taken.last_issued_on or today)
    note = _note(agency, refund, sums, taken.sequences[0], tx.as_of)._replace(issued_on=issued_on)
    refunds.insert_credit_note(tx, agency.agency_id, note)
    return note


def _note(agency: Agency, refund: Refund, sums: Credit, sequence: int, at: datetime) -> NewCreditNote:
    rates: list[Mapping[str, Any]] = [each._asdict() for each in sums.taxes]
    return NewCreditNote(
        invoice_id=refund.invoice_id,
        refund_seq=refund.refund_seq,
        sequence=sequence,
        number=credit_note_number(agency.invoice_prefix, sequence),
        issued_on=local_date(at, agency.timezone),
        issued_at=at,
        currency=refund.currency,
        subtotal_minor=sums.subtotal_minor,
        tax_minor=sums.tax_minor,
        total_minor=sums.total_minor,
        taxes=_encode(rates).decode(),
    )
