"""Schedules → cycles: every boundary that has come, each as a row, before anybody works on it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from shared.billing.checkout import settle_initial_payments
from shared.billing.halving import halved
from shared.domain.facts import INVOICE
from shared.domain.planning import Planned, Rhythm, Schedule, catch_up
from shared.store import cycles, facts, schedules, spans
from shared.store.database import Store, Transaction
from shared.store.errors import describe, is_data_error, limit_of
from shared.store.locks import Pair, lock_subscriptions
from shared.store.spans import Span

SCHEDULES_PER_PASS = 1000
log = structlog.get_logger()


def plan(store: Store, *, batch: int = SCHEDULES_PER_PASS, excluded: Sequence[str] = ()) -> int:
    """One pass over the schedules that are due, in one transaction. Returns how many schedules it moved.

    A schedule far behind is planned in steps of 36 cycles; call again until the answer is 0. Two schedulers at once pass
    over each other's subscriptions. `excluded` agencies are left alone.
    """
    return plan_pass(store, batch=batch, excluded=excluded).total()


def plan_pass(store: Store, *, batch: int = SCHEDULES_PER_PASS, excluded: Sequence[str] = ()) -> Counter[str]:
    """`plan`, with how many schedules of each agency it moved.

    A subscription that can't be planned, by its data, a bug or a limit, is set aside for a while: the others of the pass go on.
    """
    chosen: list[Pair] = []
    try:
        with store.transaction() as tx:
            chosen = schedules.due(tx, batch, excluded)
            return _plan(tx, chosen)
    except Exception as error:
        if not chosen or not (is_data_error(error) or limit_of(error)):
            raise
    return _plan_in_parts(store, list(dict.fromkeys(chosen)), lambda tx: schedules.due(tx, batch, excluded))


def _plan(tx: Transaction, chosen: Sequence[Pair]) -> Counter[str]:
    locked = lock_subscriptions(tx, chosen, wait=False)
    due = schedules.with_limits(tx, locked, due_only=True) if locked else []
    write(tx, due)
    return Counter(each.schedule.agency_id for each in due)


def _plan_in_parts(store: Store, chosen: list[Pair], due: Callable[[Transaction], Sequence[Pair]]) -> Counter[str]:
    """Split subscriptions down to those that can't be planned; a pass that hits a limit, until its parts stay below it."""
    moved: Counter[str] = Counter()

    def attempt(part: Sequence[Pair]) -> int:
        with store.transaction() as tx:
            planned = _plan(tx, sorted(set(due(tx)) & set(part)))
        moved.update(planned)
        return planned.total()

    halved("schedules", chosen, attempt, lambda pair, error: _set_aside(store, pair, error))
    return moved


def _set_aside(store: Store, pair: Pair, error: Exception) -> None:
    log.error("schedule.set_aside", agency_id=pair[0], subscription_id=pair[1], error=describe(error))
    with store.transaction() as tx:
        schedules.set_aside(tx, pair)


def write(tx: Transaction, due: Sequence[schedules.Bounded], until: datetime | None = None) -> int:
    """Plan these schedules of locked subscriptions up to `until` (default: now): insert their cycles, move them on.

    Returns how many schedules it moved.
    """
    if not due:
        return 0
    rows: list[tuple[object, ...]] = []
    skipped: list[Span] = []
    moved: list[Schedule] = []
    never_billed: dict[str, list[str]] = {}
    for schedule, limits in due:
        planned, after = catch_up(schedule, limits, until or tx.as_of)
        if _without_first(schedule, planned, after):
            never_billed.setdefault(schedule.agency_id, []).append(schedule.subscription_id)
        rows.extend(_row(tx, schedule, cycle) for cycle in planned if cycle.rhythm is None)
        skipped.extend(_span(tx, schedule, cycle, cycle.rhythm) for cycle in planned if cycle.rhythm is not None)
        moved.append(after)
    cycles.insert(tx, rows)
    spans.insert(tx, skipped)
    schedules.move(tx, moved)
    for agency_id, ids in never_billed.items():
        settle_initial_payments(tx, facts.require_agency(tx, agency_id), ids)
    return len(moved)


def _without_first(schedule: Schedule, planned: Sequence[Planned], after: Schedule) -> bool:
    """True if it is certain now that the first cycle will have no invoice: money that its checkout took has none to pay."""
    if schedule.stream != INVOICE or schedule.next_index > 0:
        return False
    return after.stopped_reason is not None if not planned else planned[0].skipped is not None


def _row(tx: Transaction, schedule: Schedule, cycle: Planned) -> tuple[object, ...]:
    """A cycle's row: due and waking now, or skipped from the start because its period ended before we knew of it."""
    index, starts_on, ends_on, due_at, skipped = cycle[:5]
    fate = ("skipped", skipped, None, tx.as_of) if skipped else ("due", None, tx.as_of, None)
    return (schedule.agency_id, schedule.subscription_id, schedule.stream, starts_on, ends_on, index, due_at, *fate)


def _span(tx: Transaction, schedule: Schedule, cycle: Planned, rhythm: Rhythm) -> Span:
    """The row of many periods that ended before we knew of them."""
    return Span(
        agency_id=schedule.agency_id,
        subscription_id=schedule.subscription_id,
        stream=schedule.stream,
        starts_on=cycle.starts_on,
        ends_on=cycle.ends_on,
        cycle_index=cycle.cycle_index,
        periods=cycle.periods,
        rhythm=rhythm,
        due_at=cycle.due_at,
        reason=cycle.skipped or "",
        settled_at=tx.as_of,
    )
