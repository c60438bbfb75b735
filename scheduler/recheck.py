"""A fact has changed: whoever it touches is looked at now, in batches, under the same lock as everybody else."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from scheduler.collect_again import collect_again
from scheduler.plan import write
from shared.domain.calendar import Unit, due_at
from shared.domain.facts import ORDER, ServiceRevision, SubscriptionRevision, in_force
from shared.domain.planning import Schedule, change_recurrence
from shared.error_words import safe_words
from shared.messages import event_data
from shared.store import cycles, facts, rechecks, schedules
from shared.store.database import Store, Transaction
from shared.store.errors import describe, is_data_error, limit_of
from shared.store.locks import lock_of_agency
from shared.store.rechecks import Recheck
from shared.store.schedules import Bounded

SUBSCRIPTIONS_PER_PASS = 500
log = structlog.get_logger()


def recheck(store: Store, *, batch: int = SUBSCRIPTIONS_PER_PASS, excluded: Sequence[str] = ()) -> int:
    """Process one batch of the oldest recheck. Returns 1, or 0 when there is none to do.

    One that fails by its data, or by a bug, is set aside for a while: the others go on. A batch that hits a limit is tried
    with half as many subscriptions, down to one.
    """
    found: Recheck | None = None
    try:
        with store.transaction() as tx:
            found = rechecks.take(tx, list(excluded))
            if found is not None:
                _process(tx, found, batch)
    except Exception as error:
        if found is None or not (is_data_error(error) or limit_of(error)):
            raise
        if limit_of(error) and batch > 1:
            log.warning("batch.halved", what=f"recheck of {found.agency_id}", rows=batch, error=safe_words(error))
            return recheck(store, batch=batch // 2, excluded=excluded)
        words = {"agency_id": found.agency_id, "kind": found.kind, "ref": found.ref}
        log.exception("recheck.set_aside", **words, error=describe(error))
        with store.transaction() as tx:
            rechecks.set_aside(tx, found)
    return 0 if found is None else 1


def _process(tx: Transaction, found: Recheck, batch: int) -> None:
    ids = rechecks.affected(tx, found, batch)
    lock_of_agency(tx, found.agency_id, ids, wait=True)
    _check(tx, found, ids)
    if len(ids) < batch:
        rechecks.finish(tx, found)
    else:
        rechecks.advance(tx, found, ids[-1])


def _check(tx: Transaction, found: Recheck, ids: Sequence[str]) -> None:
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


def _realign(tx: Transaction, agency_id: str, bounded: Sequence[Bounded]) -> None:
    """The agency's zone or issue time may have moved the next instant of every schedule."""
    moved = []
    for schedule, limits in bounded:
        if schedule.next_at is not None:
            at = due_at(schedule.boundary(schedule.next_index), limits.timezone, limits.issue_time)
            if at != schedule.next_at:
                moved.append(schedule._replace(next_at=at))
    schedules.rewrite(tx, agency_id, moved)


def _change_recurrences(tx: Transaction, found: Recheck, bounded: Sequence[Bounded]) -> None:
    """A new unit or every counts from the first boundary after the change became true; until then the old one does.

    Several changes that are found at once, after an outage, are gone through one after another, each at its own moment.
    """
    agency_id = found.agency_id
    ids = sorted({each.schedule.subscription_id for each in bounded})
    revisions = facts.subscription_revisions(tx, agency_id, ids)
    service_id = found.ref if found.kind == "service" else _new_service(revisions[found.ref], found.effective_at)
    if service_id is None:
        return
    services = facts.service_revisions(tx, agency_id, [service_id])[service_id]
    later = [each.effective_at for each in services if each.effective_at > found.effective_at]
    for moment in dict.fromkeys([found.effective_at, *later]):
        service = in_force(services, moment)
        on_it = [each for each in bounded if _service_at(revisions, each, moment) == service_id]
        if _change_at(tx, agency_id, [each for each in on_it if _differs(service, each.schedule)], service, moment):
            bounded = schedules.with_limits(tx, [(agency_id, id_) for id_ in ids], due_only=False)


def _new_service(revisions: Sequence[SubscriptionRevision], at: datetime) -> str | None:
    """The service that a subscription changed to at a moment, None if it kept the one it had."""
    before = [each.service_id for each in revisions if each.effective_at < at][-1:]
    changed = {each.service_id for each in revisions if each.effective_at == at} - set(before)
    return in_force(revisions, at).service_id if changed else None


def _service_at(revisions: Mapping[str, Sequence[SubscriptionRevision]], each: Bounded, at: datetime) -> str:
    return in_force(revisions[each.schedule.subscription_id], at).service_id


def _change_at(
    tx: Transaction, agency_id: str, changed: list[Bounded], service: ServiceRevision, moment: datetime
) -> bool:
    """Let these schedules recur as the service says from a moment on. Returns False if there are none."""
    if not changed:
        return False
    true_since = min(moment, tx.as_of)
    wanted = {(each.schedule.subscription_id, each.schedule.stream) for each in changed}
    pairs = sorted({(agency_id, id_) for id_, _ in wanted})
    while behind := [each for each in changed if each.schedule.next_at and each.schedule.next_at <= true_since]:
        write(tx, behind, until=true_since)
        again = schedules.with_limits(tx, pairs, due_only=False)
        changed = [each for each in again if (each.schedule.subscription_id, each.schedule.stream) in wanted]
    rewritten = []
    for each in changed:
        changed_to = change_recurrence(each.schedule, *_recurs(service, each.schedule))
        rewritten.append(changed_to)
        tx.record(
            event_data.ScheduleChanged(
                agency_id=agency_id,
                subscription_id=changed_to.subscription_id,
                stream=changed_to.stream,
                unit=changed_to.unit,
                every=changed_to.every,
                anchor_on=changed_to.anchor_on,
            )
        )
    schedules.rewrite(tx, agency_id, rewritten)
    return True


def _differs(service: ServiceRevision, schedule: Schedule) -> bool:
    return _recurs(service, schedule) != (schedule.unit, schedule.every)


def _recurs(service: ServiceRevision, schedule: Schedule) -> tuple[Unit, int]:
    if schedule.stream == ORDER:
        return service.order_unit, service.order_every
    return service.unit, service.every
