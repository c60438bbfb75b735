"""The due cycles of a stream: what the orders pool and the invoices pool share around their own decisions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import structlog
from msgspec.structs import asdict

from shared.billing.notify import AGENCY, Draft, notify
from shared.documents import notice_data
from shared.domain.facts import ORDER, Agency, Stream
from shared.domain.invoicing import Blocked
from shared.domain.planning import CYCLES_PER_PASS_MAX
from shared.domain.retry_times import TRIES_MAX, retry_at
from shared.messages import event_data
from shared.store import cycles, facts, tries
from shared.store.cycles import Cycle, LeftUnsettled, Settled
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from workers.batches import Step, work

KILLS_ITS_WORKER = "kills_its_worker"
DATA_ERROR = "data_error"
log = structlog.get_logger()


def block(cycle: Cycle, blocked: Blocked, now: datetime) -> LeftUnsettled:
    """The row of a cycle that can't be done yet."""
    since = cycle.blocked_at or now
    at = retry_at(since, now)
    return LeftUnsettled(
        subscription_id=cycle.subscription_id,
        starts_on=cycle.starts_on,
        state="blocked",
        reason=blocked.reason,
        detail=blocked.detail,
        blocking_starts_on=None,
        blocking_invoice_id=None,
        wake_at=at,
        held_at=cycle.held_at,
        blocked_at=since,
    )


def tell_blocked(tx: Transaction, agency: Agency, stream: Stream, blocked: Sequence[tuple[Cycle, Blocked]]) -> None:
    """An event and a notice to the agency for each cycle that was not blocked for this reason before."""
    drafts = []
    for cycle, why in blocked:
        if cycle.state == "blocked" and cycle.reason == why.reason:
            continue
        tx.record(
            event_data.CycleBlocked(
                agency_id=agency.agency_id,
                subscription_id=cycle.subscription_id,
                stream=stream,
                period_starts_on=cycle.starts_on,
                period_ends_on=cycle.ends_on,
                reason=why.reason,
                detail=why.detail,
            )
        )
        about = f"{cycle.subscription_id}:{stream}:{cycle.starts_on.isoformat()}"
        said = notice_data.CycleBlocked(
            subscription_id=cycle.subscription_id,
            stream=stream,
            starts_on=cycle.starts_on,
            ends_on=cycle.ends_on,
            reason=why.reason,
            detail=why.detail,
        )
        drafts.append(
            Draft(
                said=said,
                audience=AGENCY,
                about=about,
                subscription_id=cycle.subscription_id,
                client_id=None,
                invoice_id=None,
                instance=why.reason,
            )
        )
    notify(tx, agency, drafts)


def cycle_ended(agency_id: str, stream: Stream, ended: Settled) -> event_data.CycleSkipped | event_data.CycleCancelled:
    """The event of a cycle that a rule ended without a document."""
    if ended.state == "cancelled":
        return event_data.CycleCancelled(
            agency_id=agency_id,
            subscription_id=ended.subscription_id,
            stream=stream,
            period_starts_on=ended.starts_on,
            reason=ended.reason,
        )
    return event_data.CycleSkipped(
        agency_id=agency_id,
        subscription_id=ended.subscription_id,
        stream=stream,
        period_starts_on=ended.starts_on,
        reason=ended.reason,
        detail=None,
        by=None,
    )


def cut_short(read: Sequence[Cycle]) -> dict[str, date]:
    """The subscriptions of which a pass read as many cycles as it may, and the start of the last one it read."""
    counts = Counter(cycle.subscription_id for cycle in read)
    last = {cycle.subscription_id: cycle.starts_on for cycle in read}
    return {id_: last[id_] for id_, count in counts.items() if count >= CYCLES_PER_PASS_MAX}


def work_stream(store: Store, agency_id: str, ids: Sequence[str], stream: Stream, step: Step, *, again: bool) -> None:
    """Process the due cycles of `stream` for the subscriptions `ids` (hints) of one agency.

    `again`: some were dispatched before, so a try is committed first; a row that was tried five times without an orderly end is
    blocked as one that kills its worker.
    """
    ids = _without_killers(store, agency_id, ids, stream)
    if again:
        ids = _count(store, agency_id, ids, stream)
    try:
        work(
            store,
            agency_id,
            ids,
            step,
            lambda tx, agency, id_, what: _park(tx, agency, id_, stream=stream, reason=DATA_ERROR, detail=what),
        )
    except Exception:
        _forget(store, agency_id, ids, stream, again=again)  # an error of the moment is an orderly end too
        raise
    _forget(store, agency_id, ids, stream, again=again)


def _forget(store: Store, agency_id: str, ids: Sequence[str], stream: Stream, *, again: bool) -> None:
    if again:
        with store.transaction() as tx:
            tries.forget(tx, agency_id, ids, stream)


def _without_killers(store: Store, agency_id: str, ids: Sequence[str], stream: Stream) -> Sequence[str]:
    """A cycle that killed its worker before gets a message of its own, and is postponed before it is tried again.

    If it kills again, nothing dispatched beside it suffers, and the next try comes after twice the wait, not with the next
    lease.
    """
    with store.transaction() as tx:
        found = tries.killed_a_worker(tx, agency_id, ids, stream, KILLS_ITS_WORKER)
        if not found:
            return ids
        alone = len(ids) == 1
        free = lock_of_agency(tx, agency_id, [each.subscription_id for each in found], wait=False)
        until = [
            (each.subscription_id, retry_at(each.blocked_at, tx.as_of) if alone else each.wake_at) for each in found
        ]
        tries.postpone(tx, agency_id, stream, [each for each in until if each[0] in free])
    dropped = set() if alone else {each.subscription_id for each in found}
    return [id_ for id_ in ids if id_ not in dropped]


def _count(store: Store, agency_id: str, ids: Sequence[str], stream: Stream) -> list[str]:
    with store.transaction() as tx:
        tries.count(tx, agency_id, ids, stream)
        over_limit = tries.over_try_limit(tx, agency_id, ids, stream, TRIES_MAX)
    for id_ in sorted(over_limit):
        with store.transaction() as tx:
            _park(
                tx,
                agency_id,
                id_,
                stream=stream,
                reason=KILLS_ITS_WORKER,
                detail="the worker ended without an answer five times",
            )
    return [id_ for id_ in ids if id_ not in over_limit]


def _park(tx: Transaction, agency_id: str, subscription_id: str, *, stream: Stream, reason: str, detail: str) -> None:
    """Block the first unsettled cycle of a subscription's stream; the later ones stay behind it."""
    lock_of_agency(tx, agency_id, [subscription_id], wait=True)
    unsettled = cycles.unsettled(tx, agency_id, [subscription_id], stream)
    if not unsettled:
        return
    made = cycles.with_document(tx, agency_id, stream, subscription_id)
    repeated = [cycle for cycle in unsettled if cycle.starts_on in made]
    if repeated:
        _settle_repeated(tx, agency_id, stream, repeated, made)
        return
    blocked = Blocked(reason, detail)
    # With that many tries behind it, it is dispatched alone.
    tried = TRIES_MAX if reason == KILLS_ITS_WORKER else 0
    cycles.leave_unsettled(tx, agency_id, stream, [block(unsettled[0], blocked, tx.as_of)], tried)
    tell_blocked(tx, facts.require_agency(tx, agency_id), stream, [(unsettled[0], blocked)])
    behind = [block(cycle, Blocked("earlier_cycle_blocked", ""), tx.as_of) for cycle in unsettled[1:]]
    cycles.leave_unsettled(tx, agency_id, stream, behind)


def _settle_repeated(
    tx: Transaction, agency_id: str, stream: Stream, repeated: Sequence[Cycle], made: Mapping[date, str]
) -> None:
    """A document was refused because its cycle has one: that is success, and an alarm that a lock was forgotten."""
    for cycle in repeated:
        repeat = event_data.CycleRepeated(
            agency_id=agency_id,
            subscription_id=cycle.subscription_id,
            stream=stream,
            period_starts_on=cycle.starts_on,
            document_id=made[cycle.starts_on],
        )
        log.error("duplicate.refused", **asdict(repeat))
        tx.record(repeat)
    orders = made if stream == ORDER else {}
    settled = [Settled(c.subscription_id, c.starts_on, "done", None, orders.get(c.starts_on)) for c in repeated]
    cycles.settle(tx, agency_id, stream, settled)
