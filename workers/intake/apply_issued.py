"""An invoice that the agency issued itself: the first one anchors the series, others are recorded beside it."""

from datetime import date
from typing import NamedTuple

from shared.billing import invoice_series, numbering
from shared.billing.checkout import settle_initial_payments, taken_at_checkout
from shared.billing.issue_invoices import Draft, issue
from shared.domain.calendar import Recurrence, due_at, local_date
from shared.domain.facts import INVOICE, Agency, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.invoicing import Bill, Line, Tax, describe, make_bill, priced
from shared.domain.keys import OUR_FORMS, is_our_form, joined, payment_source
from shared.domain.money import split_tax
from shared.domain.planning import CANCELLED, Schedule
from shared.messages import Change, InvoiceIssued
from shared.store import cycles, facts, invoices, numbers, payments, schedules
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locks import lock_subscriptions
from shared.store.payments import Payment
from workers.intake.verdicts import AHEAD_MAX, Applied, Refused, Repeated, Verdict, Waits


class _Known(NamedTuple):
    agency: Agency
    subscription: Subscription
    revision: SubscriptionRevision
    service: ServiceRevision
    schedule: Schedule


def issued(tx: Transaction, change: Change, data: InvoiceIssued) -> Verdict:
    """Record an invoice issued by hand; it is never charged automatically.

    The first one of a manual order is invoice cycle 0 and its date the anchor of all later ones. On a stopped series it
    anchors it again; any other is recorded outside the series.
    """
    agency = facts.agency(tx, data.agency_id)
    if agency is None or not lock_subscriptions(tx, [(data.agency_id, data.subscription_id)], wait=True):
        return Waits(f"subscription/{data.subscription_id}")
    standing = invoices.load(tx, data.agency_id, [data.invoice_id]).get(data.invoice_id)
    if standing is not None:
        return _told_again(standing, data)
    refused = _refused(tx, agency, data)
    if refused is not None:
        return refused
    known = _read(tx, agency, change, data)
    bill = _bill(known, data)
    if isinstance(bill, Refused):
        return bill
    cycle = _anchor(tx, known, data)
    draft = Draft(
        invoice_id=data.invoice_id,
        subscription_id=data.subscription_id,
        client=facts.clients(tx, data.agency_id, [known.revision.client_id])[known.revision.client_id],
        cycle=cycle,
        bill=bill,
        service=known.service,
        quantity=known.revision.quantity,
        collection="manual",
        origin="manual",
        issued_on=data.issued_on,
        external_number=data.number,
        payments=_payments(tx, known, change, data=data, bill=bill, cycle=cycle),
        tell=data.send,
    )
    issue(tx, agency, [draft])
    settle_initial_payments(tx, agency, [data.subscription_id])
    return Applied()


def _told_again(standing: Invoice, data: InvoiceIssued) -> Verdict:
    """The same invoice again is a repeat; another one under its id is refused, and so is what only another message can do."""
    same = (
        standing.subscription_id == data.subscription_id
        and standing.issued_on == data.issued_on
        and data.number in (None, standing.number)
        and data.total_minor in (None, standing.total_minor)
        and data.currency in (None, standing.currency)
    )
    if not same:
        return Refused("data.invoice_id", "another invoice has this id; send an id of its own")
    if standing.status == "void":
        return Refused(
            "data.status",
            "the invoice is void and stays void; issue a new one under an id of its own, and tell of money that arrived for"
            " this one by invoice.paid with amount_minor",
        )
    if data.status == "paid" and standing.status != "paid":
        return Refused("data.status", "the invoice was told before and is not paid; send invoice.paid for what arrived")
    return Repeated()


def _refused(tx: Transaction, agency: Agency, data: InvoiceIssued) -> Refused | None:
    """Ids in our own form, dates ahead of the clock, and numbers that are given already."""
    if is_our_form(data.invoice_id):
        return Refused(
            "data.invoice_id", f"begins with a prefix reserved for our own ids ({OUR_FORMS}); send an id of your own"
        )
    today = local_date(tx.as_of + AHEAD_MAX, agency.timezone)
    if data.issued_on > today:
        return Refused("data.issued_on", f"is {data.issued_on}, after today ({today}); send it on the day it is issued")
    if data.number is None:
        return None
    numbering.hold(tx, agency.agency_id)
    if not numbers.is_taken(tx, agency.agency_id, data.number):
        return None
    return Refused(
        "data.number", f"another document has the number {data.number}; a number is given once: send another one"
    )


def _read(tx: Transaction, agency: Agency, change: Change, data: InvoiceIssued) -> _Known:
    id_ = data.subscription_id
    subscription = facts.subscriptions(tx, data.agency_id, [id_])[id_]
    revisions = facts.subscription_revisions(tx, data.agency_id, [id_])[id_]
    revision = in_force(revisions, change.time)
    services = facts.service_revisions(tx, data.agency_id, {each.service_id for each in revisions})
    service, pricing = priced(revisions, services, change.time)
    price = pricing.price_minor if pricing is not None else None
    schedule = schedules.load(tx, data.agency_id, id_)[INVOICE].schedule
    return _Known(agency, subscription, revision, service._replace(price_minor=price), schedule)


def _bill(known: _Known, data: InvoiceIssued) -> Bill | Refused:
    """As told, its tax taken out of the total by the service's rate; else the service's price and tax."""
    service = known.service
    name = describe(service.name, data.issued_on, _ends_on(known, data))
    if data.total_minor is None or data.currency is None:
        if service.price_minor is None:
            return Refused("data.total_minor", "the service has no price; send total_minor and currency")
        return make_bill(service, service.price_minor, service.currency, known.revision.quantity, name)
    if data.currency != service.currency:
        return Refused("data.currency", f"is {data.currency}, the service is in {service.currency}; send one currency")
    net, tax = split_tax(data.total_minor, service.tax_rate, inclusive=True)
    line = Line(
        description=name,
        quantity=1,
        unit_price_minor=data.total_minor if service.tax_inclusive else net,
        net_minor=net,
        tax_name=service.tax_name,
        tax_rate=service.tax_rate,
    )
    taxes = (Tax(service.tax_name, service.tax_rate, net, tax),)
    return Bill(
        currency=data.currency,
        lines=(line,),
        taxes=taxes,
        subtotal_minor=net,
        tax_minor=tax,
        total_minor=data.total_minor,
    )


def _ends_on(known: _Known, data: InvoiceIssued) -> date:
    return Recurrence(data.issued_on, known.schedule.unit, known.schedule.every).boundary(1)


def _anchor(tx: Transaction, known: _Known, data: InvoiceIssued) -> tuple[int, date, date] | None:
    """The invoice's place in the series, which it anchors: (index, starts_on, ends_on). None: outside the series."""
    schedule = known.schedule
    first = schedule.anchor_on is None and known.subscription.by_hand
    stopped = schedule.stopped_reason is not None and schedule.stopped_reason != CANCELLED
    if not first and not stopped:
        return None
    ends_on = _ends_on(known, data)
    again = _voided_on_that_day(tx, data) if stopped else None
    if again is not None and again + 1 == schedule.next_index:
        invoices.replace(tx, data.agency_id, data.subscription_id, data.issued_on)
        cycles.lengthen(tx, data.agency_id, data.subscription_id, data.issued_on, ends_on)
        index = again
    elif schedule.anchor_on is not None and not cycles.cut(tx, data.agency_id, data.subscription_id, data.issued_on):
        return None
    else:
        index = (
            invoice_series.skip_missed(tx, known.agency, schedule, data.issued_on) if stopped else schedule.next_index
        )
        at = due_at(data.issued_on, known.agency.timezone, known.agency.issue_time)
        place = (data.agency_id, data.subscription_id, INVOICE, data.issued_on, ends_on, index, at)
        cycles.insert(tx, [(*place, "done", None, None, tx.as_of)])
    anchored = schedule._replace(
        anchor_on=data.issued_on,
        anchor_index=index,
        epoch=schedule.epoch + (0 if first else 1),
        next_index=index + 1,
        next_at=due_at(ends_on, known.agency.timezone, known.agency.issue_time),
        planned_until=ends_on,
        stopped_reason=None,
        resumed_index=index,
    )
    schedules.rewrite(tx, data.agency_id, [anchored])
    if stopped:
        invoice_series.record_resumed(tx, data.agency_id, schedule, data.issued_on)
        cycles.release(tx, data.agency_id, [data.subscription_id])
    return index, data.issued_on, ends_on


def _voided_on_that_day(tx: Transaction, data: InvoiceIssued) -> int | None:
    """The index of the series' latest invoice, if that was void and of the same day: the new one takes its place."""
    found = invoices.by_period(tx, data.agency_id, data.subscription_id, data.issued_on)
    latest = invoices.latest_ids(tx, data.agency_id, [data.subscription_id]).get(data.subscription_id)
    if latest is None or latest not in found:
        return None
    voided = invoices.load(tx, data.agency_id, [latest])[latest]
    return voided.cycle_index if voided.status == "void" else None


def _payments(
    tx: Transaction,
    known: _Known,
    change: Change,
    *,
    data: InvoiceIssued,
    bill: Bill,
    cycle: tuple[int, date, date] | None,
) -> tuple[Payment, ...]:
    """What is paid already: what the checkout took for cycle 0, and what is left of it if upstream says that the whole is
    paid."""
    taken = _taken(tx, known, data, bill, cycle)
    outstanding_minor = bill.total_minor - sum(each.amount_minor for each in taken)
    if data.status != "paid" or outstanding_minor <= 0:
        return taken
    paid = Payment(
        source=payment_source(change.source),
        reference=joined(change.source, change.id),
        invoice_id=data.invoice_id,
        amount_minor=outstanding_minor,
        currency=bill.currency,
        received_at=change.time,
    )
    return (*taken, paid)


def _taken(
    tx: Transaction, known: _Known, data: InvoiceIssued, bill: Bill, cycle: tuple[int, date, date] | None
) -> tuple[Payment, ...]:
    paid = known.subscription.initial_payment
    if paid is None or cycle is None or paid.currency != bill.currency:
        return ()
    id_ = data.subscription_id
    if (id_, paid.provider, paid.reference) in payments.of_subscriptions(tx, data.agency_id, [id_]):
        return ()  # it paid an invoice that was voided since, and the agency was notified of it
    return taken_at_checkout(known.subscription, cycle[0], data.invoice_id)
