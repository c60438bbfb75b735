"""What becomes of a due order cycle, by everything that is known under the locks."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from shared.domain.clearance import Cleared, Covering, Held, Unresolved, Waiting, clear
from shared.domain.cycles import local_date
from shared.domain.facts import Agency, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.invoicing import Cancel, Skip, ended_before
from shared.store import facts, invoices, orders, schedules
from shared.store.cycles import Cycle
from shared.store.transaction import Tx


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
    latest_orders: dict[str, str]


class Create(NamedTuple):
    """The order may be created, or renewed by the service's rule."""

    revision: SubscriptionRevision
    service: ServiceRevision
    by_hand: bool


class Stays(NamedTuple):
    """Not yet: waiting for its invoice, or held by one."""

    state: str
    reason: str
    blocking_starts_on: date | None
    blocking_invoice_id: str | None


Decision = Create | Stays | Skip | Cancel


def read(tx: Tx, agency_id: str, due: Sequence[Cycle]) -> Known:
    """Read, under the locks, what the decisions about these cycles look at."""
    ids = sorted({cycle.subscription_id for cycle in due})
    agency = facts.require_agency(tx, agency_id)
    revisions = facts.subscription_revisions(tx, agency_id, ids)
    services = {revision.service_id for listed in revisions.values() for revision in listed}
    return Known(
        agency,
        local_date(tx.as_of, agency.timezone),
        facts.subscriptions(tx, agency_id, ids),
        revisions,
        facts.service_revisions(tx, agency_id, services),
        invoices.covering(tx, agency_id, [(cycle.subscription_id, cycle.starts_on) for cycle in due]),
        invoices.unresolved(tx, agency_id, ids),
        schedules.stopped(tx, agency_id, ids),
        orders.latest(tx, agency_id, ids),
    )


def decide(known: Known, cycle: Cycle) -> Decision:
    """What becomes of a due order cycle.

    Cycle 0 of a manual order is that order itself: it is recorded, whatever else is true.
    """
    id_ = cycle.subscription_id
    subscription = known.subscriptions[id_]
    revision = in_force(known.revisions[id_], cycle.due_at)
    service = in_force(known.services[revision.service_id], cycle.due_at)
    if subscription.by_hand and cycle.cycle_index == 0:
        return Create(revision, service, by_hand=True)
    ended = ended_before(subscription, revision, cycle.period)
    if ended is not None:
        return ended
    clearance = clear(
        known.covering.get((id_, cycle.starts_on)),
        known.unresolved.get(id_, ()),
        self_checkout=not subscription.by_hand,
        hold_on=known.agency.hold_on,
        today=known.today,
        series_stopped=id_ in known.stopped,
    )
    if isinstance(clearance, Cleared):
        return Create(revision, service, by_hand=False)
    if isinstance(clearance, Held):
        return Stays("held", clearance.reason, clearance.blocking_starts_on, clearance.blocking_invoice_id)
    if isinstance(clearance, Waiting):
        return Stays("waiting", clearance.reason, clearance.blocking_starts_on, None)
    return clearance
