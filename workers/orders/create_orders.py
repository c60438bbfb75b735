"""Due order cycles → orders, once they are cleared; or waiting, held, skipped, cancelled, with the reason."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from shared.billing.notify import AGENCY, CLIENT, Draft, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain import keys
from shared.domain.backlog import SUPERSEDED, superseded
from shared.domain.calendar import local_date
from shared.domain.clearance import Cleared, Covering, Held, Unresolved, Waiting, clear
from shared.domain.facts import ORDER, Agency, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.invoicing import Cancel, Period, Skip, ended_before
from shared.domain.retry_times import net_at
from shared.domain.states import CycleState
from shared.messages import event_data
from shared.store import clearance_facts, cycles, facts, invoice_cycles, invoices, orders, schedules
from shared.store.cycles import Cycle, LeftUnsettled, Settled
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from shared.store.orders import NewOrder, Renewal
from workers.cycle_batches import cut_short, cycle_ended, work_stream


class Known(NamedTuple):
    """Everything a batch's decisions look at."""

    agency: Agency
    today: date
    subscriptions: Mapping[str, Subscription]
    revisions: Mapping[str, Sequence[SubscriptionRevision]]
    services: Mapping[str, Sequence[ServiceRevision]]
    covering: Mapping[tuple[str, date], Covering]
    unresolved: Mapping[str, Sequence[Unresolved]]
    stopped: frozenset[str]
    to_come: Mapping[str, date]
    latest_orders: dict[str, str]


class Create(NamedTuple):
    """The order may be created, or renewed by the service's rule."""

    revision: SubscriptionRevision
    service: ServiceRevision
    by_hand: bool


class Stays(NamedTuple):
    """Not yet: waiting for its invoice, or held by one."""

    state: CycleState
    reason: str
    blocking_starts_on: date | None
    blocking_invoice_id: str | None


Decision = Create | Stays | Skip | Cancel


def read(tx: Transaction, agency_id: str, due: Sequence[Cycle]) -> Known:
    """Read, under the locks, what the decisions about these cycles look at."""
    ids = sorted({cycle.subscription_id for cycle in due})
    agency = facts.require_agency(tx, agency_id)
    revisions = facts.subscription_revisions(tx, agency_id, ids)
    services = {revision.service_id for listed in revisions.values() for revision in listed}
    subscriptions = facts.subscriptions(tx, agency_id, ids)
    by_hand = [id_ for id_, subscription in subscriptions.items() if subscription.by_hand]
    return Known(
        agency=agency,
        today=local_date(tx.as_of, agency.timezone),
        subscriptions=subscriptions,
        revisions=revisions,
        services=facts.service_revisions(tx, agency_id, services),
        covering=clearance_facts.covering(tx, agency_id, [(cycle.subscription_id, cycle.starts_on) for cycle in due]),
        unresolved=clearance_facts.unresolved(tx, agency_id, ids),
        stopped=schedules.stopped(tx, agency_id, ids),
        to_come=invoice_cycles.to_come(tx, agency_id, by_hand) if by_hand else {},
        latest_orders=orders.latest(tx, agency_id, ids),
    )


def decide(known: Known, cycle: Cycle) -> Decision:
    """What becomes of a due order cycle.

    Cycle 0 of a manual order is that order itself: it is recorded, unless it was cancelled when we first heard of it.
    """
    id_ = cycle.subscription_id
    subscription = known.subscriptions[id_]
    at = subscription.judged_at(cycle.due_at)
    revision = in_force(known.revisions[id_], at)
    service = in_force(known.services[revision.service_id], at)
    ended = ended_before(subscription, revision, cycle.period)
    if subscription.by_hand and cycle.cycle_index == 0 and not isinstance(ended, Cancel):
        return Create(revision, service, by_hand=True)
    if ended is not None:
        return ended
    clearance = clear(
        known.covering.get((id_, cycle.starts_on)),
        known.unresolved.get(id_, ()),
        self_checkout=not subscription.by_hand,
        hold_on=known.agency.hold_on,
        today=known.today,
        series_stopped=id_ in known.stopped,
        starts_on=cycle.starts_on,
        invoice_to_come=_invoice_to_come(known, revision, cycle),
    )
    if isinstance(clearance, Cleared):
        return Create(revision, service, by_hand=False)
    if isinstance(clearance, Held):
        return Stays("held", clearance.reason, clearance.blocking_starts_on, clearance.blocking_invoice_id)
    if isinstance(clearance, Waiting):
        return Stays("waiting", clearance.reason, clearance.blocking_starts_on, None)
    return clearance


def _invoice_to_come(known: Known, revision: SubscriptionRevision, cycle: Cycle) -> bool:
    """True while an invoice that is due no later than the order, and will be collected, has not been issued."""
    starts_on = known.to_come.get(cycle.subscription_id)
    return starts_on is not None and starts_on <= cycle.starts_on and revision.collection == "automatic"


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
        order_id=given or keys.order_id(cycle.subscription_id, cycle.starts_on),
        subscription_id=cycle.subscription_id,
        cycle_starts_on=cycle.starts_on,
        cycle_ends_on=cycle.ends_on,
        client_id=create.revision.client_id,
        service_id=create.service.service_id,
        quantity=create.revision.quantity,
        origin="manual" if create.by_hand else "automatic",
        created_at=tx.as_of,
        snapshot=_encode({"service": {"name": create.service.name, "revision": create.service.revision}}).decode(),
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
                subscription_id=cycle.subscription_id,
                starts_on=cycle.starts_on,
                state=stays.state,
                reason=stays.reason,
                detail=None,
                blocking_starts_on=stays.blocking_starts_on,
                blocking_invoice_id=stays.blocking_invoice_id,
                wake_at=net_at(tx.as_of),
                held_at=(cycle.held_at or tx.as_of) if held else None,
                blocked_at=None,
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


def create_orders(store: Store, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Process all due order cycles of the subscriptions `ids` of one agency."""
    work_stream(store, agency_id, ids, ORDER, _step, again=again)


def _step(tx: Transaction, agency_id: str, ids: Sequence[str], wait: bool) -> tuple[list[str], None]:
    locked = lock_of_agency(tx, agency_id, ids, wait=wait)
    due = cycles.unsettled(tx, agency_id, sorted(locked), ORDER)
    while due:
        known = read(tx, agency_id, due)
        decided = [(cycle, decide(known, cycle)) for cycle in due]
        _write(tx, known, _with_backlog_policy(known, decided))
        # However many are stuck in front: each is judged by its own facts.
        further = cut_short(due)
        due = cycles.unsettled(tx, agency_id, sorted(further), ORDER, further) if further else []
    return ([] if wait else [id_ for id_ in ids if id_ not in locked]), None


def _with_backlog_policy(known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> list[tuple[Cycle, Decision]]:
    """Where a hold has ended, the agency's policy says, once, which of the held orders are still wanted.

    One that is wanted and still waits for its own payment is held no more, so it is not asked about again.
    """
    released: dict[str, list[Period]] = {}
    for cycle, decision in decided:
        if cycle.held_at is not None and (isinstance(decision, Create) or _waits(decision)):
            released.setdefault(cycle.subscription_id, []).append(cycle.period)
    dropped = {
        (id_, index)
        for id_, periods in released.items()
        for index in superseded(periods, known.agency.backlog, known.today)
    }
    return [
        (cycle, Skip(SUPERSEDED) if (cycle.subscription_id, cycle.cycle_index) in dropped else decision)
        for cycle, decision in decided
    ]


def _waits(decision: Decision) -> bool:
    return isinstance(decision, Stays) and decision.state == "waiting"


def _write(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    agency_id = known.agency.agency_id
    created = make(tx, known, [(cycle, each) for cycle, each in decided if isinstance(each, Create)])
    ended = [
        Settled(
            cycle.subscription_id, cycle.starts_on, "skipped" if isinstance(each, Skip) else "cancelled", each.reason
        )
        for cycle, each in decided
        if not isinstance(each, Create | Stays)
    ]
    cycles.settle(tx, agency_id, ORDER, [*created, *ended])
    for each in ended:
        tx.record(cycle_ended(agency_id, ORDER, each))
    stay(tx, known, [(cycle, each) for cycle, each in decided if isinstance(each, Stays)])
    _count_late_releases(tx, known, decided)
    _ask_for_first_invoices(tx, known, decided)


def _count_late_releases(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    """Whoever resolves an invoice releases what it held. A release found only by the safety net means that one forgot."""
    for cycle, decision in decided:
        if cycle.state not in ("held", "waiting") or isinstance(decision, Stays):
            continue
        at = known.subscriptions[cycle.subscription_id].judged_at(cycle.due_at)
        revision = in_force(known.revisions[cycle.subscription_id], at)
        if isinstance(decision, Create) or (isinstance(decision, Skip) and revision.status == "active"):
            tx.record(
                event_data.CycleReleasedLate(
                    agency_id=known.agency.agency_id,
                    subscription_id=cycle.subscription_id,
                    stream=ORDER,
                    period_starts_on=cycle.starts_on,
                    previous_state=cycle.state,
                )
            )


def _ask_for_first_invoices(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    """A manual subscription still without its first invoice after its first order cycle: the agency is asked, once."""
    later = {
        cycle.subscription_id
        for cycle, decision in decided
        if cycle.cycle_index > 0
        and known.subscriptions[cycle.subscription_id].by_hand
        and isinstance(decision, Create | Stays)
    }
    if not later:
        return
    missing = orders.without_first_invoice(tx, known.agency.agency_id, sorted(later))
    drafts = []
    for id_ in sorted(missing):
        subscription = known.subscriptions[id_]
        said = notice_data.FirstInvoiceMissing(
            subscription_id=id_, starts_on=subscription.starts_on, order_id=subscription.order_id
        )
        drafts.append(
            Draft(said=said, audience=AGENCY, about=id_, subscription_id=id_, client_id=subscription.client_id)
        )
    notify(tx, known.agency, drafts)
