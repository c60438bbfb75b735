"""Write what was decided: new and renewed orders, and the cycles that stay."""

from collections.abc import Sequence

import msgspec

from shared.billing.notify import AGENCY, CLIENT, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain import keys
from shared.domain.facts import ORDER
from shared.domain.retry_times import net_at
from shared.messages import event_data
from shared.store import cycles, invoices, orders
from shared.store.cycles import Cycle, LeftUnsettled, Settled
from shared.store.database import Transaction
from shared.store.orders import NewOrder, Renewal
from workers.orders.decisions import Create, Known, Stays

_encode = msgspec.json.encode


def make(tx: Transaction, known: Known, wanted: Sequence[tuple[Cycle, Create]]) -> list[Settled]:
    """Create orders, or renew the latest one by the service's rule. Returns how their cycles end."""
    made: list[NewOrder] = []
    renewals: list[Renewal] = []
    settled: list[Settled] = []
    agency_id = known.agency.agency_id
    for cycle, create in wanted:
        id_ = cycle.subscription_id
        latest = known.latest_orders.get(id_)
        renewal = create.service.renewal
        if latest is None or renewal == "new_order":
            order = _order(tx, known, cycle, create)
            made.append(order)
            known.latest_orders[id_] = latest = order.order_id
            tx.record(_created(agency_id, order))
        elif renewal == "update_order":
            renewals.append(Renewal(latest, cycle.starts_on, cycle.ends_on, tx.as_of))
            tx.record(_renewed(agency_id, latest, cycle, create))
        settled.append(Settled(id_, cycle.starts_on, "done", None, latest))
    if orders.insert(tx, agency_id, made) != len(made):
        raise RuntimeError("an order of this cycle exists already: its subscription was written without its lock")
    orders.renew(tx, agency_id, list({renewal.order_id: renewal for renewal in renewals}.values()))
    return settled


def _order(tx: Transaction, known: Known, cycle: Cycle, create: Create) -> NewOrder:
    subscription = known.subscriptions[cycle.subscription_id]
    given = subscription.order_id if create.by_hand else None
    return NewOrder(
        given or keys.order_id(cycle.subscription_id, cycle.starts_on),
        cycle.subscription_id,
        cycle.starts_on,
        cycle.ends_on,
        create.revision.client_id,
        create.service.service_id,
        create.revision.quantity,
        "manual" if create.by_hand else "automatic",
        tx.as_of,
        _encode({"service": {"name": create.service.name, "revision": create.service.revision}}).decode(),
    )


def _created(agency_id: str, order: NewOrder) -> event_data.OrderCreated:
    return event_data.OrderCreated(
        agency_id=agency_id,
        subscription_id=order.subscription_id,
        client_id=order.client_id,
        order_id=order.order_id,
        service_id=order.service_id,
        quantity=order.quantity,
        period_starts_on=order.cycle_starts_on,
        period_ends_on=order.cycle_ends_on,
        origin=order.origin,
    )


def _renewed(agency_id: str, order_id: str, cycle: Cycle, create: Create) -> event_data.OrderRenewed:
    return event_data.OrderRenewed(
        agency_id=agency_id,
        subscription_id=cycle.subscription_id,
        client_id=create.revision.client_id,
        order_id=order_id,
        service_id=create.service.service_id,
        quantity=create.revision.quantity,
        period_starts_on=cycle.starts_on,
        period_ends_on=cycle.ends_on,
    )


def stay(tx: Transaction, known: Known, staying: Sequence[tuple[Cycle, Stays]]) -> None:
    """Cycles that wait or are held; an event when that is new, or another invoice holds them now.

    A hold by a failed payment was reported when it failed. One by an overdue invoice is reported here, once for each invoice.
    """
    left = []
    for cycle, stays in staying:
        held = stays.state == "held"
        left.append(
            LeftUnsettled(
                cycle.subscription_id,
                cycle.starts_on,
                stays.state,
                stays.reason,
                None,
                stays.blocking_starts_on,
                stays.blocking_invoice_id,
                net_at(tx.as_of),
                (cycle.held_at or tx.as_of) if held else None,
                None,
            )
        )
        if (cycle.reason, cycle.blocking_invoice_id) != (stays.reason, stays.blocking_invoice_id) and held:
            tx.record(
                event_data.CycleHeld(
                    agency_id=known.agency.agency_id,
                    subscription_id=cycle.subscription_id,
                    stream=ORDER,
                    period_starts_on=cycle.starts_on,
                    reason=stays.reason,
                    blocking_period_starts_on=stays.blocking_starts_on,
                    blocking_invoice_id=stays.blocking_invoice_id,
                )
            )
    cycles.leave_unsettled(tx, known.agency.agency_id, ORDER, left)
    _tell_overdue(tx, known, staying)


def _tell_overdue(tx: Transaction, known: Known, staying: Sequence[tuple[Cycle, Stays]]) -> None:
    overdue = {
        stays.blocking_invoice_id
        for cycle, stays in staying
        if stays.reason == "invoice_overdue" and stays.blocking_invoice_id and cycle.reason != stays.reason
    }
    if overdue:
        found = invoices.load(tx, known.agency.agency_id, overdue).values()
        audiences = (CLIENT, AGENCY)
        said = [(each, notice_data.InvoiceOverdue(**facts_of(each))) for each in found]
        notify(tx, known.agency, [about_invoice(each, told, to) for each, told in said for to in audiences])
