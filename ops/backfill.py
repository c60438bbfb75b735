"""`duecycle backfill`: bill past cycles that were left out on purpose."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import click

from ops.connect import open_store
from ops.json_rows import BackfillRow
from ops.output import by_option, json_option, print_rows, who
from ops.simulate.command import Day
from scheduler.plan import write
from shared.domain.calendar import due_at, local_date
from shared.domain.facts import Agency
from shared.domain.planning import BEFORE_KNOWN, catch_up
from shared.messages import event_data
from shared.store import facts, operator_lists, schedules, spans
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from shared.store.operator_lists import Past

COLUMNS = {"subscription_id": "subscription", "stream": "stream", "starts_on": "from", "ends_on": "to", "what": "what"}
OPEN, PLAN = "reopen", "plan"
SUBSCRIPTIONS_MAX = 100_000


class Span(NamedTuple):
    """The requested cycles: those of an agency that start in [from_on, to_on), of one or all subscriptions and streams."""

    agency_id: str
    from_on: date
    to_on: date
    subscription_id: str | None
    stream: str | None


@click.command("backfill")
@click.option("--agency", required=True, help="The agency's id.")
@click.option("--from", "from_on", type=Day(), required=True, help="First day on which a cycle may start.")
@click.option("--to", "to_on", type=Day(), required=True, help="The day after the last such day; today at the latest.")
@click.option("--subscription", help="Only this subscription.")
@click.option("--stream", type=click.Choice(["order", "invoice"]), help="Only orders, or only invoices.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--apply", "apply_it", is_flag=True, help="Make the changes.")
@by_option
@json_option
def backfill_command(
    *,
    agency: str,
    from_on: date,
    to_on: date,
    subscription: str | None,
    stream: str | None,
    by: str | None,
    dry_run: bool,
    apply_it: bool,
    as_json: bool,
) -> None:
    """Create missing documents for past cycles of an agency.

    Cycles that ended before Duecycle knew the subscription are reopened, and cycles not planned yet are planned. Cycles that
    have a document, or were skipped or cancelled by a rule, are listed and left unchanged: nothing is created twice.
    """
    if dry_run == apply_it:
        raise click.UsageError("give either --dry-run or --apply")
    if from_on >= to_on:
        raise click.BadParameter(f"{to_on} is not later than {from_on}", param_hint="--to")
    span = Span(agency, from_on, to_on, subscription, stream)
    with open_store(writes=True) as store:
        rows = backfill(store, span, who(by) if apply_it else None)
    print_rows(rows, COLUMNS, BackfillRow, as_json=as_json, none="no cycle of this agency starts between these dates")
    count = sum(row["action"] is not None for row in rows)
    if not as_json:
        click.echo(
            f"{count} cycles {'reopened or planned' if apply_it else 'would be reopened or planned; use --apply to do it'}"
        )


def backfill(store: Store, span: Span, by: str | None) -> list[dict[str, Any]]:
    """What is to be done for each cycle of the span; with `by` it is done, one subscription after another.

    Raises click.BadParameter: there is no such agency, or the span reaches into the future.
    """
    with store.transaction() as tx:
        agency = facts.agency(tx, span.agency_id)
        if agency is None:
            raise click.BadParameter(f"there is no agency {span.agency_id}", param_hint="--agency")
        today = local_date(tx.as_of, agency.timezone)
        if span.to_on > today:
            raise click.BadParameter(f"{span.to_on} is after today ({today}, {agency.timezone})", param_hint="--to")
        until = due_at(span.to_on, agency.timezone, agency.issue_time) - timedelta(microseconds=1)
        ids = _subscriptions(tx, span)
    done: list[dict[str, Any]] = []
    for id_ in ids:
        with suppress(_Undone), store.transaction() as tx:
            lock_of_agency(tx, span.agency_id, [id_], wait=True)
            done += _apply(tx, agency, span._replace(subscription_id=id_), min(until, tx.as_of), by)
            if by is None:
                raise _Undone
    return done


class _Undone(Exception):  # noqa: N818 - it states what is done
    """A dry run: the changes were made and are rolled back."""


def _subscriptions(tx: Transaction, span: Span) -> list[str]:
    found = spans.overlapping(
        tx, span.agency_id, span.subscription_id, stream=span.stream, from_on=span.from_on, to_on=span.to_on
    )
    return sorted(
        {row["subscription_id"] for row in _rows(tx, span, tx.as_of)} | {each.subscription_id for each in found}
    )


def _rows(tx: Transaction, span: Span, until: datetime) -> list[dict[str, Any]]:
    past = operator_lists.cycles_between(
        tx, span.agency_id, span.subscription_id, stream=span.stream, from_on=span.from_on, to_on=span.to_on
    )
    rows = [{**each._asdict(), **_verdict(each)} for each in past]
    for schedule, limits in _unplanned(tx, span):
        for each in catch_up(schedule, limits, until)[0]:
            skipped = each.skipped
            rows.append(
                {
                    "agency_id": schedule.agency_id,
                    "subscription_id": schedule.subscription_id,
                    "stream": schedule.stream,
                    "starts_on": each.starts_on,
                    "ends_on": each.ends_on,
                    "state": None,
                    "reason": None,
                    "document": None,
                    "by_hand": None,
                    "action": PLAN,
                    "what": f"is planned, and skipped: {skipped}" if skipped else f"is planned: an {schedule.stream}",
                }
            )
    return rows


def _unplanned(tx: Transaction, span: Span) -> Sequence[schedules.Bounded]:
    """The schedules whose next boundary lies before the span's end; those before its start are planned on the way."""
    pairs = schedules.due_of(tx, span.agency_id, SUBSCRIPTIONS_MAX)
    chosen = [pair for pair in pairs if span.subscription_id in (None, pair[1])]
    found = schedules.with_limits(tx, chosen, due_only=True)
    return [each for each in found if span.stream in (None, each.schedule.stream)]


def _verdict(cycle: Past) -> dict[str, Any]:
    """What becomes of a cycle that has a row already."""
    if cycle.document is not None:
        return {"action": None, "what": f"has {cycle.document} already"}
    if cycle.state != "skipped":
        return {"action": None, "what": f"is {cycle.state}" + (f": {cycle.reason}" if cycle.reason else "")}
    if cycle.reason != BEFORE_KNOWN:
        return {"action": None, "what": f"stays skipped: {cycle.reason}"}
    if cycle.by_hand is not None:
        return {"action": None, "what": f"refused: {cycle.by_hand} was issued by hand in that period"}
    return {"action": OPEN, "what": f"is opened again: an {cycle.stream}"}


def _apply(tx: Transaction, agency: Agency, span: Span, until: datetime, by: str | None) -> list[dict[str, Any]]:
    """Decide and apply under the lock of one subscription; a row with many periods is split at the requested ones."""
    whole = spans.overlapping(
        tx, span.agency_id, span.subscription_id, stream=span.stream, from_on=span.from_on, to_on=span.to_on
    )
    spans.split(tx, agency, [each for each in whole if each.reason == BEFORE_KNOWN], span.from_on, span.to_on)
    rows = _rows(tx, span, until)
    past = operator_lists.cycles_between(
        tx, span.agency_id, span.subscription_id, stream=span.stream, from_on=span.from_on, to_on=span.to_on
    )
    opened = [each for each in past if _verdict(each)["action"] == OPEN]
    if opened:
        operator_lists.reopen(tx, span.agency_id, opened)
    for each in opened:
        tx.record(
            event_data.CycleReopened(
                agency_id=span.agency_id,
                subscription_id=each.subscription_id,
                stream=each.stream,
                period_starts_on=each.starts_on,
                previous_reason=BEFORE_KNOWN,
                by=by,
            )
        )
    write(tx, _unplanned(tx, span), until=until)
    return rows
