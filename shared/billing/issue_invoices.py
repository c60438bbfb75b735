"""Issue invoices: number, freeze, write, and say what happens next (collect, ask to pay, or nothing to pay)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec

from shared.billing import numbering
from shared.billing.notify import CLIENT, about_invoice, facts_of, notify
from shared.billing.notify import Draft as Notice
from shared.billing.receive_payments import receive
from shared.documents import notice_data
from shared.domain.calendar import local_date
from shared.domain.charging import NewCharge
from shared.domain.facts import Agency, Client, ServiceRevision
from shared.domain.invoicing import Bill, Line, Tax
from shared.domain.keys import number
from shared.messages import InvoicePaid, InvoiceVoided, decode_change, event_data
from shared.store import charges, cycles, inbox, invoices, payments
from shared.store.database import Transaction
from shared.store.inbox import Waiting
from shared.store.invoices import Invoice, NewInvoice, NewLine
from shared.store.payments import Payment

_encode = msgspec.json.encode


class Draft(NamedTuple):
    """An invoice to be. `cycle` is (index, starts_on, ends_on), None outside the series; `issued_on` None means today."""

    invoice_id: str
    subscription_id: str
    client: Client
    cycle: tuple[int, date, date] | None
    bill: Bill
    service: ServiceRevision
    quantity: int
    collection: str
    origin: str
    issued_on: date | None = None
    external_number: str | None = None
    payments: tuple[Payment, ...] = ()
    tell: bool = True


def waiting_keys(invoice_id: str, number_: str | None, subscription_id: str, starts_on: date | None) -> list[str]:
    """What a message that speaks of this invoice may be waiting for."""
    keys = [f"invoice/{invoice_id}"]
    if number_ is not None:
        keys.append(number_key(number_))
    if starts_on is not None:
        keys.append(f"invoice-period/{subscription_id}/{starts_on.isoformat()}")
    return keys


def number_key(number_: str) -> str:
    """What a message waits for that names an invoice by a number."""
    return f"invoice-number/{number_}"


def issue(tx: Transaction, agency: Agency, drafts: Sequence[Draft]) -> None:
    """Issue invoices of locked subscriptions: numbers, rows, payments taken already, and the next step of each.

    The number series is locked here, as the last lock of the transaction. Dated on the agency's local day, but never
    before the series' last date. Automatic collection plans the first attempt, manual collection asks the client to pay;
    a total of 0 is issued as paid. Nobody is asked to pay an invoice of which a kept message says that it is void or paid.
    """
    if not drafts:
        return
    rows = _numbered(tx, agency, drafts)
    lines = [
        NewLine(invoice_id=draft.invoice_id, line_no=position, **line._asdict())
        for draft in drafts
        for position, line in enumerate(draft.bill.lines, start=1)
    ]
    if invoices.insert(tx, agency.agency_id, rows, lines) != len(rows):
        raise RuntimeError("an invoice of this cycle exists already: its subscription was written without its lock")
    for draft, row in zip(drafts, rows, strict=True):
        tx.record(_issued(agency.agency_id, draft, row))
    taken = [payment for draft in drafts for payment in draft.payments]
    if taken:
        payments.apply_unapplied(tx, agency.agency_id, {draft.subscription_id for draft in drafts}, taken)
        receive(tx, agency, taken, unsent={draft.invoice_id for draft in drafts if not draft.tell})
    answered = _wake_messages(tx, agency, rows)
    _next_steps(tx, agency, drafts, rows, answered)


def _numbered(tx: Transaction, agency: Agency, drafts: Sequence[Draft]) -> list[NewInvoice]:
    today = local_date(tx.as_of, agency.timezone)
    ours = sum(draft.external_number is None for draft in drafts)
    ours_today = any(draft.issued_on is None for draft in drafts)
    prefix = agency.invoice_prefix
    on = today if ours_today else None
    taken = numbering.take(
        tx, agency.agency_id, numbering.INVOICE, printed=lambda each: number(prefix, each), count=ours, issued_on=on
    )
    issue_on = max(today, taken.last_issued_on or today)
    sequences = iter(taken.sequences)
    parties = _encode(_party(agency))
    rows = []
    for draft in drafts:
        own = next(sequences) if draft.external_number is None else None
        rows.append(_row(tx, agency, draft, own=own, issued_on=draft.issued_on or issue_on, party=parties))
    return rows


def _row(
    tx: Transaction, agency: Agency, draft: Draft, *, own: int | None, issued_on: date, party: bytes
) -> NewInvoice:
    bill = draft.bill
    index, starts_on, ends_on = draft.cycle or (None, None, None)
    nothing_to_pay = bill.total_minor == 0
    return NewInvoice(
        invoice_id=draft.invoice_id,
        subscription_id=draft.subscription_id,
        client_id=draft.client.client_id,
        cycle_starts_on=starts_on,
        cycle_ends_on=ends_on,
        cycle_index=index,
        sequence=own,
        number=None if own is None else number(agency.invoice_prefix, own),
        external_number=draft.external_number,
        status="paid" if nothing_to_pay else "open",
        collection=draft.collection,
        origin=draft.origin,
        issued_on=issued_on,
        issued_at=tx.as_of,
        due_on=issued_on + timedelta(days=agency.payment_terms_days),
        currency=bill.currency,
        subtotal_minor=bill.subtotal_minor,
        tax_minor=bill.tax_minor,
        total_minor=bill.total_minor,
        taxes=_encode([tax._asdict() for tax in bill.taxes]).decode(),
        paid_at=tx.as_of if nothing_to_pay else None,
        settled_at=tx.as_of if nothing_to_pay else None,
        snapshot=_snapshot(draft, party),
    )


def _party(agency: Agency) -> Mapping[str, Any]:
    return {
        "name": agency.name,
        "address": agency.address,
        "tax_id": agency.tax_id,
        "email": agency.email,
        "timezone": agency.timezone,
        "locale": agency.locale,
    }


def _snapshot(draft: Draft, party: bytes) -> str:
    """The parties and the service as they were when the invoice was issued, as JSON: the record of the document."""
    service = draft.service
    frozen = {
        "agency": msgspec.Raw(party),
        "client": draft.client._asdict(),
        "service": {
            "service_id": service.service_id,
            "revision": service.revision,
            "name": service.name,
            "quantity": draft.quantity,
            "tax_name": service.tax_name,
            "tax_rate": service.tax_rate,
            "tax_inclusive": service.tax_inclusive,
        },
    }
    return _encode(frozen).decode()


def _issued(agency_id: str, draft: Draft, row: NewInvoice) -> event_data.InvoiceIssued:
    return event_data.InvoiceIssued(
        agency_id=agency_id,
        subscription_id=row.subscription_id,
        client_id=row.client_id,
        invoice_id=row.invoice_id,
        number=row.number or row.external_number,
        period_index=row.cycle_index,
        period_starts_on=row.cycle_starts_on,
        period_ends_on=row.cycle_ends_on,
        issued_on=row.issued_on,
        due_on=row.due_on,
        currency=row.currency,
        subtotal_minor=row.subtotal_minor,
        tax_minor=row.tax_minor,
        total_minor=row.total_minor,
        lines=tuple(map(_line, draft.bill.lines)),
        taxes=tuple(map(_tax, draft.bill.taxes)),
        collection=row.collection,
        origin=row.origin,
    )


def _line(line: Line) -> event_data.InvoiceLine:
    return event_data.InvoiceLine(
        description=line.description,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        net_minor=line.net_minor,
        tax_name=line.tax_name,
        tax_rate=line.tax_rate,
    )


def _tax(tax: Tax) -> event_data.InvoiceTax:
    return event_data.InvoiceTax(tax_name=tax.name, tax_rate=tax.rate, net_minor=tax.net_minor, tax_minor=tax.tax_minor)


def _next_steps(
    tx: Transaction, agency: Agency, drafts: Sequence[Draft], rows: Sequence[NewInvoice], answered: Collection[str]
) -> None:
    planned, asked, settled = [], [], []
    for draft, row in zip(drafts, rows, strict=True):
        outstanding_minor = row.total_minor - sum(payment.amount_minor for payment in draft.payments)
        if row.status == "paid":
            settled.append(row)
        elif row.invoice_id in answered:
            continue
        elif outstanding_minor > 0 and draft.collection == "automatic":
            planned.append(
                NewCharge(
                    invoice_id=row.invoice_id,
                    attempt=1,
                    subscription_id=row.subscription_id,
                    client_id=row.client_id,
                    currency=row.currency,
                    planned_at=tx.as_of,
                )
            )
        elif outstanding_minor > 0 and draft.tell:
            asked.append(row)
    charges.insert(tx, agency.agency_id, planned)
    # An order may have waited for the first attempt to collect this invoice: there will be none.
    by_hand = {draft.subscription_id for draft in drafts if draft.collection != "automatic"}
    cycles.release(tx, agency.agency_id, by_hand, ["waiting"])
    if settled:
        cycles.release(tx, agency.agency_id, {row.subscription_id for row in settled})
    if asked or settled:
        clients = {draft.client.client_id: draft.client for draft in drafts}
        open_ = [_about(row, notice_data.InvoiceOpen) for row in asked]
        untold = {draft.invoice_id for draft in drafts if not draft.tell}
        sent = [row for row in settled if row.invoice_id not in untold]
        paid = [_about(row, notice_data.InvoicePaid) for row in sent]
        notify(tx, agency, open_ + paid, clients)


def _about(row: NewInvoice, struct: type[notice_data.InvoiceOpen | notice_data.InvoicePaid]) -> Notice:
    invoice = _as_read(row)
    return about_invoice(invoice, struct(**facts_of(invoice)), CLIENT)


def _as_read(row: NewInvoice) -> Invoice:
    """An invoice just written, as collection would read it: nothing collected, nothing failing."""
    return Invoice(
        invoice_id=row.invoice_id,
        subscription_id=row.subscription_id,
        client_id=row.client_id,
        cycle_starts_on=row.cycle_starts_on,
        cycle_ends_on=row.cycle_ends_on,
        cycle_index=row.cycle_index,
        number=row.number or row.external_number,
        status=row.status,
        collection=row.collection,
        origin=row.origin,
        issued_on=row.issued_on,
        due_on=row.due_on,
        currency=row.currency,
        total_minor=row.total_minor,
        failing_since=None,
        ladder_started_at=None,
        ladder=0,
        exhausted_at=None,
        snapshot=msgspec.json.decode(row.snapshot),
        collected_minor=0,
    )


def _wake_messages(tx: Transaction, agency: Agency, rows: Sequence[NewInvoice]) -> set[str]:
    """Messages that came before their invoice are applied now, before it is charged.

    Returns the invoices of which one says that they are void, or paid in full: nothing is asked for them. A message that waited
    for a number that our own series has just given is woken too, but to be refused: it meant another invoice.
    """
    awaited = inbox.awaited_invoices(tx, agency.agency_id)
    if not awaited:
        return set()
    of = {
        key: row
        for row in rows
        for key in waiting_keys(
            row.invoice_id, row.number or row.external_number, row.subscription_id, row.cycle_starts_on
        )
        if key in awaited
    }
    inbox.wake(tx, agency.agency_id, of.keys())
    waiting = inbox.waiting_for(tx, agency.agency_id, of.keys())
    return {of[each.waits_for].invoice_id for each in waiting if _answers(each, of[each.waits_for])}


def _answers(waiting: Waiting, row: NewInvoice) -> bool:
    if row.number is not None and waiting.waits_for == number_key(row.number):
        return False
    told = decode_change(waiting.raw).data
    if isinstance(told, InvoicePaid):
        wrong_currency = told.currency not in (None, row.currency)
        return not wrong_currency and (told.amount_minor is None or told.amount_minor >= row.total_minor)
    return isinstance(told, InvoiceVoided)
