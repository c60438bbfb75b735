"""What becomes of a due order cycle, by everything that is known under the locks."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from shared.domain.calendar import local_date
from shared.domain.clearance import Cleared, Covering, Held, Unresolved, Waiting, clear
from shared.domain.facts import Agency, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.invoicing import Cancel, Skip, ended_before
from shared.domain.states import CycleState
from shared.store import clearance_facts, facts, invoice_cycles, orders, schedules
from shared.store.cycles import Cycle
from shared.store.database import Transaction


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
        agency,
        local_date(tx.as_of, agency.timezone),
        subscriptions,
        revisions,
        facts.service_revisions(tx, agency_id, services),
        clearance_facts.covering(tx, agency_id, [(cycle.subscription_id, cycle.starts_on) for cycle in due]),
        clearance_facts.unresolved(tx, agency_id, ids),
        schedules.stopped(tx, agency_id, ids),
        invoice_cycles.to_come(tx, agency_id, by_hand) if by_hand else {},
        orders.latest(tx, agency_id, ids),
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
