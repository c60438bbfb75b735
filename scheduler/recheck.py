"""A fact has changed: whoever it touches is looked at now, in batches, under the same lock as everybody else."""

from collections.abc import Sequence

from scheduler.collect_again import collect_again
from scheduler.plan import write
from shared.domain.cycles import Unit, due_at
from shared.domain.facts import ORDER, ServiceRevision
from shared.domain.keys import subscription_subject
from shared.domain.planning import Schedule, change_recurrence
from shared.store import cycles, facts, rechecks, schedules
from shared.store.locks import lock_subscriptions
from shared.store.rechecks import Recheck
from shared.store.schedules import Bounded
from shared.store.transaction import Store, Tx

SUBSCRIPTIONS_PER_PASS = 500


def recheck(store: Store, *, batch: int = SUBSCRIPTIONS_PER_PASS, frozen: Sequence[str] = ()) -> int:
    """Work off one batch of the oldest recheck. Returns 1, or 0 when there is none to do."""
    with store.transaction() as tx:
        found = rechecks.take(tx, list(frozen))
        if found is None:
            return 0
        ids = rechecks.affected(tx, found, batch)
        lock_subscriptions(tx, [(found.agency_id, id_) for id_ in ids], wait=True)
        _look(tx, found, ids)
        if len(ids) < batch:
            rechecks.finish(tx, found)
        else:
            rechecks.advance(tx, found, ids[-1])
        return 1


def _look(tx: Tx, found: Recheck, ids: Sequence[str]) -> None:
    if not ids:
        return
    if found.kind in ("payment_method", "method_worked"):
        collect_again(tx, found, ids)
        return
    cycles.wake_blocked(tx, found.agency_id, ids)
    if found.kind != "service":
        cycles.release(tx, found.agency_id, ids)
    pairs = [(found.agency_id, id_) for id_ in ids]
    bounded = schedules.with_limits(tx, pairs, due_only=False)
    if found.kind == "agency":
        _realign(tx, found.agency_id, bounded)
    else:
        _change_recurrences(tx, found, bounded)


def _realign(tx: Tx, agency_id: str, bounded: Sequence[Bounded]) -> None:
    """The agency's zone or issue time may have moved the next instant of every schedule."""
    moved = []
    for schedule, limits in bounded:
        if schedule.next_at is not None:
            at = due_at(schedule.boundary(schedule.next_index), limits.timezone, limits.issue_time)
            if at != schedule.next_at:
                moved.append(schedule._replace(next_at=at))
    schedules.rewrite(tx, agency_id, moved)


def _change_recurrences(tx: Tx, found: Recheck, bounded: Sequence[Bounded]) -> None:
    """A new unit or every counts from the first boundary after the change became true; until then the old one does."""
    agency_id = found.agency_id
    newest = facts.subscriptions(tx, agency_id, {each.schedule.subscription_id for each in bounded})
    services = facts.service_revisions(tx, agency_id, {each.service_id for each in newest.values()})
    changed: list[Bounded] = []
    for each in bounded:
        service = services[newest[each.schedule.subscription_id].service_id][-1]
        unit, every = _recurs(service, each.schedule)
        if (unit, every) != (each.schedule.unit, each.schedule.every):
            changed.append(each)
    true_since = min(found.effective_at, tx.as_of)
    while behind := [each for each in changed if each.schedule.next_at and each.schedule.next_at <= true_since]:
        write(tx, behind, until=true_since)
        wanted = {(each.schedule.subscription_id, each.schedule.stream) for each in changed}
        pairs = sorted({(agency_id, id_) for id_, _ in wanted})
        again = schedules.with_limits(tx, pairs, due_only=False)
        changed = [each for each in again if (each.schedule.subscription_id, each.schedule.stream) in wanted]
    rewritten = []
    for each in changed:
        service = services[newest[each.schedule.subscription_id].service_id][-1]
        changed_to = change_recurrence(each.schedule, *_recurs(service, each.schedule))
        rewritten.append(changed_to)
        told = {"stream": changed_to.stream, "unit": changed_to.unit, "every": changed_to.every}
        subject = subscription_subject(changed_to.subscription_id)
        tx.record(agency_id, "schedule.changed", subject, {**told, "anchor_on": changed_to.anchor_on})
    schedules.rewrite(tx, agency_id, rewritten)


def _recurs(service: ServiceRevision, schedule: Schedule) -> tuple[Unit, int]:
    if schedule.stream == ORDER:
        return service.order_unit, service.order_every
    return service.unit, service.every
