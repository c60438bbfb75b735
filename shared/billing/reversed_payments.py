"""Money taken back by a provider: a dispute that was lost, a debit that was returned, a reversal. What it means for invoices.

A webhook only makes us ask. What the provider then says is gone is compared with what is recorded, and the difference is a
row: so an answer may come twice, late or in any order. Source: the rules of billing, on money taken back.
"""

from collections.abc import Iterator, Mapping

from shared.billing.event_fields import of_invoice, of_reversal
from shared.billing.notify import AGENCY, CLIENT, Draft, about_invoice, facts_of, notify
from shared.billing.receive_payments import close
from shared.documents import notice_data
from shared.domain.facts import Agency
from shared.domain.keys import joined
from shared.domain.reversed_payments import gone_twice, shares, total_taken
from shared.domain.states import INVOICE_MOVES, check_move
from shared.messages import event_data
from shared.store import cycles, invoices, payments, reversals
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locked_invoices import lock_invoices
from shared.store.payments import Payment
from shared.store.reversals import Inquiry, Left, Reversal

CODE = "payment_reversed"
BY_HAND = "by_hand"
OWED = ("open", "uncollectible")


def ask(tx: Transaction, agency_id: str, provider: str, *, kind: str, reference: str, payment_reference: str) -> bool:
    """Let the charges pool ask a provider what is gone of a payment. False: the payment is none of ours.

    The subscriptions of its invoices are locked, so that no answer is being written meanwhile.
    """
    under = payments.under(tx, agency_id, provider, payment_reference)
    if not under:
        return False
    invoice_id = under[0].invoice_id
    of = lock_invoices(tx, agency_id, [each.invoice_id for each in under])
    new = Inquiry(
        provider=provider,
        reference=reference,
        kind=kind,
        payment_reference=payment_reference,
        invoice_id=invoice_id,
        subscription_id=of[invoice_id],
        state="asking",
        amount_minor=None,
        asked_since=tx.as_of,
        answered_at=None,
        code=None,
        wake_at=tx.as_of,
    )
    reversals.ask(tx, agency_id, new)
    return True


def said_by_hand(
    tx: Transaction, agency: Agency, invoice: Invoice, payment_reference: str, amount_minor: int, *, by: str
) -> bool:
    """A person has looked: so much of a payment of this invoice is gone in all (its subscription is locked).

    It is kept beside what the provider says, and the greater counts. Also of money that no provider of ours can be asked about,
    such as a debit that the bank returned. False: the invoice has no such payment.
    """
    listed = payments.of_invoice(tx, agency.agency_id, invoice.invoice_id)
    source = next((each.source for each in listed if each.reference == payment_reference), None)
    reference = f"by-hand/{payment_reference}"
    if source is None or not ask(
        tx, agency.agency_id, source, kind=BY_HAND, reference=reference, payment_reference=payment_reference
    ):
        return False
    asked = reversals.inquiry(tx, agency.agency_id, source, reference)
    inquiry = None if asked is None else locked(tx, agency.agency_id, asked)
    if inquiry is not None:
        answered(tx, agency, inquiry, amount_minor, by=by)
    return True


def locked(tx: Transaction, agency_id: str, inquiry: Inquiry) -> Inquiry | None:
    """The question as it is now, with the subscriptions of every invoice that its payment paid locked."""
    under = payments.under(tx, agency_id, inquiry.provider, inquiry.payment_reference)
    lock_invoices(tx, agency_id, [inquiry.invoice_id, *(each.invoice_id for each in under)])
    return reversals.inquiry(tx, agency_id, inquiry.provider, inquiry.reference)


def answered(tx: Transaction, agency: Agency, inquiry: Inquiry, amount_minor: int, *, by: str | None = None) -> None:
    """The provider says that `amount_minor` of the payment is gone by this, at this moment (see `locked`).

    0: nothing, or nothing any more. What has changed is recorded, each invoice is open again or paid again, and both sides are
    told once; what a refund had given back already is gone twice, which the agency is told. `by`: the person
    who says so, if one does.
    """
    agency_id = agency.agency_id
    said_before = reversals.answers_about(tx, agency_id, inquiry.provider, inquiry.payment_reference)
    done = inquiry._replace(state="answered", amount_minor=amount_minor, answered_at=tx.as_of, code=None, wake_at=None)
    reversals.write(tx, agency_id, [done])
    said = reversals.answers_about(tx, agency_id, inquiry.provider, inquiry.payment_reference)
    left = reversals.left_of(tx, agency_id, inquiry.provider, inquiry.payment_reference)
    moved = {each.invoice_id: part for each, part in _parts(left, said) if part != 0}
    before = invoices.load(tx, agency_id, moved)
    known = reversals.of_invoices(tx, agency_id, moved)
    rows = [_row(tx, inquiry, each, moved[each.invoice_id], known) for each in left if each.invoice_id in moved]
    reversals.insert(tx, agency_id, rows)
    after = invoices.load(tx, agency_id, moved)
    drafts: list[Draft] = []
    for row in rows:
        drafts += _follow(tx, agency, before[row.invoice_id], after=after[row.invoice_id], row=row, by=by)
    paid, refunded = sum(each.amount_minor for each in left), sum(each.refunded_minor for each in left)
    more = gone_twice(said, paid, refunded) - gone_twice(said_before, paid, refunded)
    if more > 0:
        invoice = invoices.load(tx, agency_id, [inquiry.invoice_id])[inquiry.invoice_id]
        instance = joined(f"refunded/{more}", inquiry.reference)
        twice = notice_data.PaymentReversed(
            **facts_of(invoice),
            moved_minor=more,
            provider=inquiry.provider,
            reference=inquiry.reference,
            status="refunded",
        )
        drafts.append(about_invoice(invoice, twice, AGENCY, instance))
    notify(tx, agency, drafts)


def _parts(left: list[Left], said: Mapping[tuple[str, str], int]) -> Iterator[tuple[Left, int]]:
    """What is taken of each payment under the reference now (below 0: came back), so that all is as the provider says."""
    takeable = [each.amount_minor - each.refunded_minor for each in left]
    taken = [each.reversed_minor for each in left]
    total = total_taken(said, sum(takeable))
    yield from zip(left, shares(total, takeable, taken), strict=True)


def _row(tx: Transaction, inquiry: Inquiry, left: Left, part: int, known: list[Reversal]) -> Reversal:
    seqs = [each.reversal_seq for each in known if _same(each, inquiry, left.invoice_id)]
    return Reversal(
        source=inquiry.provider,
        reference=inquiry.reference,
        invoice_id=left.invoice_id,
        reversal_seq=max(seqs, default=0) + 1,
        payment_reference=inquiry.payment_reference,
        amount_minor=part,
        currency=left.currency,
        kind=inquiry.kind,
        recorded_at=tx.as_of,
    )


def _same(row: Reversal, inquiry: Inquiry, invoice_id: str) -> bool:
    of = (row.source, row.reference, row.invoice_id)
    return of == (inquiry.provider, inquiry.reference, invoice_id)


def _follow(
    tx: Transaction, agency: Agency, before: Invoice, *, after: Invoice, row: Reversal, by: str | None
) -> list[Draft]:
    """What an invoice becomes by one row: open and failing, paid again, or only told."""
    moved = event_data.PaymentReversed if row.amount_minor > 0 else event_data.PaymentReinstated
    tx.record(moved(**of_reversal(agency.agency_id, row, after), by=by))
    if before.status == "paid" and after.collected_minor < after.total_minor:
        _reopen(tx, agency, after)
        after = after._replace(status="open")
    elif before.status in OWED and after.collected_minor >= after.total_minor:
        _paid_again(tx, agency, after._replace(status=before.status), row)
        instance = reversals.paid_instances(tx, agency.agency_id, [after.invoice_id]).get(after.invoice_id, "")
        return [
            *_told(tx, after, row),
            about_invoice(after, notice_data.InvoicePaid(**facts_of(after)), CLIENT, instance),
        ]
    return _told(tx, after, row)


def _told(tx: Transaction, after: Invoice, row: Reversal) -> list[Draft]:
    """The agency always, the client where the invoice asks him for money because of it."""
    instance = f"{row.reference}/{row.reversal_seq}"
    of, since = facts_of(after), tx.as_of.date()
    if row.amount_minor < 0:
        over = max(0, after.collected_minor - (0 if after.status == "void" else after.total_minor))
        back = notice_data.PaymentReinstated(
            **of,
            moved_minor=-row.amount_minor,
            provider=row.source,
            reference=row.reference,
            status=after.status,
            surplus_minor=over,
            since=since,
        )
        return [about_invoice(after, back, AGENCY, instance)]
    gone = notice_data.PaymentReversed(
        **of,
        moved_minor=row.amount_minor,
        provider=row.source,
        reference=row.reference,
        status=after.status,
        since=since,
    )
    drafts = [about_invoice(after, gone, AGENCY, instance)]
    if after.status in OWED and after.outstanding_minor > 0:
        drafts.append(about_invoice(after, gone, CLIENT, instance))
    return drafts


def _reopen(tx: Transaction, agency: Agency, invoice: Invoice) -> None:
    """Paid → open and failing: its orders are held, and nothing is collected until somebody gives a reason to."""
    check_move(INVOICE_MOVES, "invoice", "paid", "open")
    invoices.reopen(tx, agency.agency_id, invoice.invoice_id, CODE)
    tx.record(
        event_data.InvoiceFailing(
            **of_invoice(agency.agency_id, invoice),
            outstanding_minor=invoice.outstanding_minor,
            currency=invoice.currency,
            attempt=None,
            code=CODE,
            next_attempt_at=None,
        )
    )
    cycles.release(tx, agency.agency_id, [invoice.subscription_id], ["waiting"])


def _paid_again(tx: Transaction, agency: Agency, invoice: Invoice, row: Reversal) -> None:
    """What was taken back came back: the same follows as of any other money."""
    back = Payment(
        source=row.source,
        reference=row.reference,
        invoice_id=row.invoice_id,
        amount_minor=-row.amount_minor,
        currency=row.currency,
        received_at=tx.as_of,
    )
    close(tx, agency, [invoice], {invoice.invoice_id: [back]})
