"""An invoice that the agency issued itself: the first one anchors the series, others are recorded beside it."""

from datetime import date
from typing import NamedTuple

from shared.acts import series
from shared.acts.issue import Draft, issue
from shared.domain.cycles import Recurrence, due_at
from shared.domain.facts import INVOICE, Agency, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.invoicing import Bill, Line, Tax, describe, make_bill, priced
from shared.domain.keys import subscription_subject
from shared.domain.money import split_tax
from shared.domain.planning import CANCELLED, Schedule
from shared.domain.segments import joined
from shared.messages import Change, InvoiceIssued
from shared.store import cycles, facts, invoices, schedules
from shared.store.locks import lock_subscriptions
from shared.store.payments import Payment
from shared.store.transaction import Tx
from workers.intake.apply_invoices import UPSTREAM
from workers.intake.verdicts import Applied, Refused, Verdict, Waits


class _Known(NamedTuple):
    agency: Agency
    subscription: Subscription
    revision: SubscriptionRevision
    service: ServiceRevision
    schedule: Schedule


def issued(tx: Tx, change: Change, data: InvoiceIssued) -> Verdict:
    """Record an invoice issued by hand; it is never charged automatically.

    The first one of a manual order is invoice cycle 0 and its date the anchor of all later ones. On a stopped series it
    anchors it anew; any other is recorded outside the series.
    """
    agency = facts.agency(tx, data.agency_id)
    if agency is None or not lock_subscriptions(tx, [(data.agency_id, data.subscription_id)], wait=True):
        return Waits(f"subscription/{data.subscription_id}")
    if invoices.subscriptions_of(tx, data.agency_id, [data.invoice_id]):
        return Refused("data.invoice_id", "this invoice exists already; send an id of its own")
    known = _read(tx, agency, change, data)
    bill = _bill(known, data)
    if isinstance(bill, Refused):
        return bill
    cycle = _anchor(tx, known, data)
    draft = Draft(
        data.invoice_id,
        data.subscription_id,
        facts.clients(tx, data.agency_id, [known.revision.client_id])[known.revision.client_id],
        cycle,
        bill,
        known.service,
        known.revision.quantity,
        "manual",
        "manual",
        issued_on=data.issued_on,
        external_number=data.number,
        payments=_payments(known, change, data, bill, cycle),
        tell=data.send,
    )
    issue(tx, agency, [draft])
    return Applied()


def _read(tx: Tx, agency: Agency, change: Change, data: InvoiceIssued) -> _Known:
    id_ = data.subscription_id
    subscription = facts.subscriptions(tx, data.agency_id, [id_])[id_]
    revision = in_force(facts.subscription_revisions(tx, data.agency_id, [id_])[id_], change.time)
    services = facts.service_revisions(tx, data.agency_id, [revision.service_id])[revision.service_id]
    service, pricing = priced(services, change.time)
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
    line = Line(name, 1, data.total_minor if service.tax_inclusive else net, net, service.tax_name, service.tax_rate)
    taxes = (Tax(service.tax_name, service.tax_rate, net, tax),)
    return Bill(data.currency, (line,), taxes, net, tax, data.total_minor)


def _ends_on(known: _Known, data: InvoiceIssued) -> date:
    return Recurrence(data.issued_on, known.schedule.unit, known.schedule.every).boundary(1)


def _anchor(tx: Tx, known: _Known, data: InvoiceIssued) -> tuple[int, date, date] | None:
    """The invoice's place in the series, which it anchors: (index, starts_on, ends_on). None: outside the series."""
    schedule = known.schedule
    first = schedule.anchor_on is None and known.subscription.by_hand
    stopped = schedule.stopped_reason is not None and schedule.stopped_reason != CANCELLED
    if not first and not stopped:
        return None
    if schedule.anchor_on is not None and not cycles.cut(tx, data.agency_id, data.subscription_id, data.issued_on):
        return None
    index, ends_on = schedule.next_index, _ends_on(known, data)
    if stopped:
        index = series.skip_missed(tx, known.agency, schedule, data.issued_on)
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
        told = {"subscription_id": data.subscription_id, "from": data.issued_on, "was": schedule.stopped_reason}
        tx.record(data.agency_id, "series.resumed", subscription_subject(data.subscription_id), told)
        cycles.release(tx, data.agency_id, [data.subscription_id])
    return index, data.issued_on, ends_on


def _payments(
    known: _Known, change: Change, data: InvoiceIssued, bill: Bill, cycle: tuple[int, date, date] | None
) -> tuple[Payment, ...]:
    """What is paid already: the whole, if upstream says so; else what the order's checkout took for cycle 0."""
    if bill.total_minor == 0:
        return ()
    if data.status == "paid":
        reference = joined(change.source, change.id)
        return (Payment(UPSTREAM, reference, data.invoice_id, bill.total_minor, bill.currency, change.time),)
    paid = known.subscription.initial_payment
    if paid is None or cycle is None or cycle[0] != 0 or paid.currency != bill.currency:
        return ()
    return (Payment(paid.provider, paid.reference, data.invoice_id, paid.amount_minor, paid.currency, paid.paid_at),)
