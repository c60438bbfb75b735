"""`duecycle backlog`: which orders and invoices should be there and are not, why, and what will be made of each."""

from collections.abc import Iterator
from typing import Any

import click

from ops.connect import open_store
from ops.json_rows import BacklogRow
from ops.output import agency_option, json_option, lasted, limit_option, print_rows
from shared.domain.planning import catch_up
from shared.store import operator_lists, schedules
from shared.store.database import Store, Transaction
from shared.store.operator_lists import Unsettled, Wanted

COLUMNS = {
    "agency_id": "agency",
    "subscription_id": "subscription",
    "stream": "missing",
    "starts_on": "from",
    "ends_on": "to",
    "missing_for": "for",
    "why": "why",
}
# In words, by reason; a due row without one is simply next.
WHY = {
    "invoice_missing": "waits for the invoice of its period",
    "invoice_unpaid": "waits for the invoice of its period to be paid",
    "invoice_blocked": "the invoice of its period is blocked",
    "series_stopped": "the invoice series is stopped; send subscription.resumed",
    "payment_failed": "held by a failed payment",
    "invoice_overdue": "held by an overdue invoice",
    "invoice_uncollectible": "held by an uncollectible invoice",
    "price_missing": "the service has no price; send service.upserted with price_minor",
    "currency_mismatch": "currencies differ; see: blocked show",
    "earlier_cycle_blocked": "an earlier cycle of the series is blocked",
    "data_error": "an error in its data; see: blocked show",
    "kills_its_worker": "it crashed its worker five times; see: blocked show",
}


@click.command("backlog")
@agency_option
@limit_option
@json_option
def backlog_command(agency: str | None, limit: int, *, as_json: bool) -> None:
    """List missing orders and invoices, and why they are missing.

    These are cycles that are due without a document, and cycles that are not planned yet. Each document is created
    automatically once its cause is resolved: one per cycle, with that cycle's period.
    """
    with open_store() as store:
        rows = missing(store, agency, limit + 1)
    print_rows(rows[:limit], COLUMNS, BacklogRow, as_json=as_json, none="nothing is missing")
    if len(rows) > limit and not as_json:
        click.echo(f"… and more; use --limit {2 * limit} to see them")


def missing(store: Store, agency: str | None, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` missing documents, longest due first, as plain data."""
    with store.transaction() as tx:
        rows = [_row(tx, each) for each in operator_lists.unsettled(tx, Wanted(agency), limit)]
        rows += _unplanned(tx, agency, limit)
    return sorted(rows, key=lambda row: (row["due_at"], row["agency_id"], row["subscription_id"]))[:limit]


def _row(tx: Transaction, each: Unsettled) -> dict[str, Any]:
    seconds = round((tx.as_of - each.due_at).total_seconds())
    why = WHY.get(each.reason or "", each.reason) if each.state != "due" else "due; the pool is next"
    blocking = each.blocking_invoice_id or each.blocking_starts_on
    return {
        **each._asdict(),
        "will_make": f"an {each.stream} for {each.starts_on} … {each.ends_on}",
        "missing_for": lasted(seconds),
        "missing_seconds": seconds,
        "why": f"{why} ({blocking})" if blocking else why,
    }


def _unplanned(tx: Transaction, agency: str | None, limit: int) -> Iterator[dict[str, Any]]:
    """What plan would write now, without writing it."""
    for schedule, limits in schedules.with_limits(tx, schedules.due_of(tx, agency, limit), due_only=True):
        for _index, starts_on, ends_on, due_at, skipped, *_span in catch_up(schedule, limits, tx.as_of)[0]:
            if skipped:
                continue
            seconds = round((tx.as_of - due_at).total_seconds())
            yield {
                "agency_id": schedule.agency_id,
                "subscription_id": schedule.subscription_id,
                "stream": schedule.stream,
                "starts_on": starts_on,
                "ends_on": ends_on,
                "due_at": due_at,
                "state": "unplanned",
                "reason": None,
                "detail": None,
                "since": None,
                "wake_at": None,
                "tries": 0,
                "blocking_invoice_id": None,
                "blocking_starts_on": None,
                "will_make": f"an {schedule.stream} for {starts_on} … {ends_on}",
                "missing_for": lasted(seconds),
                "missing_seconds": seconds,
                "why": "not planned yet; is a scheduler running?",
            }
