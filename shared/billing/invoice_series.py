"""An invoice series stops when its latest invoice is void or given up, and goes on: what it missed is skipped."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from shared.billing.notify import AGENCY, Draft, notify
from shared.documents import notice_data
from shared.domain.calendar import Recurrence, due_at, local_date
from shared.domain.facts import INVOICE, Agency
from shared.domain.planning import CANCELLED, CYCLES_PER_PASS_MAX, Schedule
from shared.messages import event_data
from shared.store import cycles, invoices, schedules, spans
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.spans import Span

SERIES_STOPPED = "series_stopped"


def stop_after(tx: Transaction, agency: Agency, ended: Sequence[Invoice], status: str) -> None:
    """Invoices of locked subscriptions have just become void or uncollectible: a series whose latest one that is stops now."""
    latest = latest_of_series(tx, agency.agency_id, ended)
    stop(tx, agency, {each.subscription_id: f"previous_invoice_{status}" for each in latest})


def latest_of_series(tx: Transaction, agency_id: str, found: Sequence[Invoice]) -> list[Invoice]:
    """Those of these invoices that are the latest of their series, and count for it since it was last resumed."""
    ids = sorted({each.subscription_id for each in found if each.cycle_index is not None})
    if not ids:
        return []
    latest = invoices.latest_ids(tx, agency_id, ids)
    resumed = schedules.resumed_indexes(tx, agency_id, ids)
    return [
        each
        for each in found
        if latest.get(each.subscription_id) == each.invoice_id
        and (each.cycle_index or 0) >= resumed.get(each.subscription_id, 0)
    ]


def stop(tx: Transaction, agency: Agency, stopped: Mapping[str, str]) -> None:
    """Stop series, given as subscription → reason, and notify the agency; one that is stopped already stays as it is."""
    if not stopped:
        return
    newly = schedules.stop(tx, agency.agency_id, sorted(stopped.items()), INVOICE)
    drafts = []
    for id_ in newly:
        tx.record(event_data.SeriesStopped(agency_id=agency.agency_id, subscription_id=id_, reason=stopped[id_]))
        said = notice_data.SeriesStopped(subscription_id=id_, reason=stopped[id_])
        drafts.append(
            Draft(
                said=said,
                audience=AGENCY,
                about=id_,
                subscription_id=id_,
                client_id=None,
                invoice_id=None,
                instance=tx.as_of.date().isoformat(),
            )
        )
    notify(tx, agency, drafts)


def resume(tx: Transaction, agency: Agency, ids: Collection[str], from_on: date | None, at: datetime) -> set[str]:
    """Let the stopped invoice series of locked subscriptions go on. Returns those that do; nothing stopped the others.

    Each goes on at the first boundary on or after `from_on`; without one, at the first that falls due later than `at`.
    Cycles missed before that are written as skipped. A series that the subscription's own end stopped stays ended, and one
    that this end leaves no further cycle stays stopped.
    """
    resumed: list[Schedule] = []
    missed: list[Span] = []
    for bounded in schedules.with_limits(tx, [(agency.agency_id, id_) for id_ in sorted(ids)], due_only=False):
        schedule = bounded.schedule
        if schedule.stream != INVOICE or schedule.anchor_on is None or schedule.stopped_reason in (None, CANCELLED):
            continue
        index = _first_index(agency, schedule, from_on, at)
        starts_on = schedule.boundary(index)
        falls_due_at = due_at(starts_on, agency.timezone, agency.issue_time)
        if bounded.limits.over(starts_on, falls_due_at):
            continue
        missed += _missed(agency, tx.as_of, schedule, first=schedule.next_index, end=index, before=starts_on)
        resumed.append(
            schedule._replace(
                next_index=index,
                next_at=falls_due_at,
                planned_until=starts_on,
                stopped_reason=None,
                resumed_index=index,
            )
        )
        record_resumed(tx, agency.agency_id, schedule, starts_on)
    spans.insert(tx, missed)
    schedules.rewrite(tx, agency.agency_id, resumed)
    done = {schedule.subscription_id for schedule in resumed}
    cycles.release(tx, agency.agency_id, done)
    return done


def record_resumed(tx: Transaction, agency_id: str, stopped: Schedule, resumes_on: date) -> None:
    """Leave the event of a stopped series that goes on."""
    tx.record(
        event_data.SeriesResumed(
            agency_id=agency_id,
            subscription_id=stopped.subscription_id,
            resumes_on=resumes_on,
            previous_reason=stopped.stopped_reason,
        )
    )


def _first_index(agency: Agency, schedule: Schedule, from_on: date | None, at: datetime) -> int:
    """The index the series goes on with, never before the next one it would have had."""
    if schedule.anchor_on is None:
        raise ValueError("a series without an anchor can't go on")
    recurrence = Recurrence(schedule.anchor_on, schedule.unit, schedule.every)
    if from_on is not None:
        index = recurrence.first_on_or_after(from_on)
    else:
        index = recurrence.first_on_or_after(local_date(at, agency.timezone))
        if due_at(recurrence.boundary(index), agency.timezone, agency.issue_time) <= at:
            index += 1
    return max(schedule.next_index, index + schedule.anchor_index)


def skip_missed(tx: Transaction, agency: Agency, schedule: Schedule, before: date) -> int:
    """Write every cycle of a stopped series that would have started before a date as skipped; the last one ends there.

    More of them than fit into a pass are one row. Returns the index of the first cycle on or after that date.
    """
    first = schedule.next_index
    end = max(first, schedule.rhythm().first_on_or_after(before))
    spans.insert(tx, _missed(agency, tx.as_of, schedule, first=first, end=end, before=before))
    return end


def _missed(agency: Agency, as_of: datetime, schedule: Schedule, *, first: int, end: int, before: date) -> list[Span]:
    if end - first > CYCLES_PER_PASS_MAX:
        return [_skipped(agency, as_of, schedule, first=first, end=end, before=before)]
    return [_skipped(agency, as_of, schedule, first=index, end=index + 1, before=before) for index in range(first, end)]


def _skipped(agency: Agency, as_of: datetime, schedule: Schedule, *, first: int, end: int, before: date) -> Span:
    """The cycles from one index up to another, as one row."""
    starts_on = schedule.boundary(first)
    return Span(
        agency_id=agency.agency_id,
        subscription_id=schedule.subscription_id,
        stream=INVOICE,
        starts_on=starts_on,
        ends_on=min(schedule.boundary(end), before),
        cycle_index=first,
        periods=end - first,
        rhythm=schedule.rhythm(),
        due_at=due_at(starts_on, agency.timezone, agency.issue_time),
        reason=SERIES_STOPPED,
        settled_at=as_of,
    )
