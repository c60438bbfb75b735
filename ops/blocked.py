"""`duecycle blocked`: list blocked cycles, retry them, or skip them permanently."""

from datetime import date

import click

from ops.connect import open_store
from ops.json_rows import BlockedRow, EventRow
from ops.output import agency_option, by_option, json_option, limit_option, print_json, print_rows, shown, who
from ops.simulate.command import Day
from shared.domain.facts import Stream
from shared.domain.keys import subscription_subject
from shared.messages import event_data
from shared.store import cycles, operator_lists
from shared.store.cycles import Settled
from shared.store.database import Store, Transaction
from shared.store.locks import lock_subscriptions
from shared.store.operator_lists import Unsettled, Wanted

SKIPPED = "skipped_by_operator"
ALL_OF_ONE = 100_000
COLUMNS = {
    "agency_id": "agency",
    "subscription_id": "subscription",
    "stream": "stream",
    "starts_on": "starts on",
    "reason": "reason",
    "since": "blocked since",
    "wake_at": "next try",
}
stream_option = click.option("--stream", type=click.Choice(["order", "invoice"]), help="Only orders, or only invoices.")
reason_option = click.option("--reason", help="Only those blocked for this reason.")


@click.group("blocked")
def blocked_command() -> None:
    """List, show, retry or skip blocked cycles."""


@blocked_command.command("list")
@agency_option
@stream_option
@reason_option
@limit_option
@json_option
def list_command(agency: str | None, stream: str | None, reason: str | None, limit: int, *, as_json: bool) -> None:
    """List blocked cycles, longest due first."""
    with open_store() as store, store.transaction() as tx:
        found = operator_lists.unsettled(tx, Wanted(agency, None, stream, reason, "blocked"), limit + 1)
    print_rows(
        [row._asdict() for row in found[:limit]], COLUMNS, BlockedRow, as_json=as_json, none="nothing is blocked"
    )
    if len(found) > limit and not as_json:
        click.echo(f"… and more; use --limit {2 * limit} to see them")


@blocked_command.command("show")
@click.argument("agency")
@click.argument("subscription")
@stream_option
@json_option
def show_command(agency: str, subscription: str, stream: str | None, *, as_json: bool) -> None:
    """Show the blocked cycles of a subscription: why, since when, what unblocks them, and the latest events."""
    with open_store() as store, store.transaction() as tx:
        found = operator_lists.unsettled(tx, Wanted(agency, subscription, stream, None, "blocked"), ALL_OF_ONE)
        events = operator_lists.last_events(tx, agency, subscription_subject(subscription), 10)
    if as_json:
        print_json((row._asdict() for row in found), BlockedRow)
        print_json(events, EventRow)
        return
    if not found:
        click.echo(f"subscription {subscription} of {agency} has no blocked cycle")
    for row in found:
        click.echo(f"{row.stream} {row.starts_on} … {row.ends_on}, due since {shown(row.due_at)}")
        click.echo(f"  blocked since {shown(row.since)}: {row.reason}")
        click.echo(f"  {row.detail or 'no details'}")
        click.echo(f"  next try {shown(row.wake_at)}, or as soon as the data it depends on changes")
    for event in events:
        click.echo(f"{shown(event['at'])} {event['type']}")


@blocked_command.command("retry")
@agency_option
@click.option("--subscription", help="Only this subscription (needs --agency).")
@stream_option
@reason_option
@click.option("--all", "everything", is_flag=True, help="Every blocked cycle of every agency.")
@by_option
def retry_command(
    agency: str | None,
    subscription: str | None,
    stream: str | None,
    reason: str | None,
    by: str | None,
    *,
    everything: bool,
) -> None:
    """Retry blocked cycles now instead of at their next scheduled try; needs --agency, --reason or --all."""
    if not (agency or reason or everything):
        raise click.UsageError("say which cycles: --agency ID, --reason REASON, or --all")
    if subscription and not agency:
        raise click.UsageError("--subscription needs --agency")
    with open_store(writes=True) as store:
        count = retry(store, Wanted(agency, subscription, stream, reason, "blocked"), who(by))
    click.echo(f"{count} blocked cycles will be retried now" if count else "no such cycle is blocked")


def retry(store: Store, wanted: Wanted, by: str) -> int:
    """Wake blocked cycles, subscription by subscription under its lock. Returns how many."""
    with store.transaction() as tx:
        pairs = operator_lists.blocked_pairs(tx, wanted)
    count = 0
    for agency_id, subscription_id in pairs:
        with store.transaction() as tx:
            for row in _locked(tx, wanted._replace(agency_id=agency_id, subscription_id=subscription_id)):
                operator_lists.try_again(tx, row)
                tx.record(
                    event_data.CycleRetried(
                        agency_id=agency_id,
                        subscription_id=subscription_id,
                        stream=row.stream,
                        period_starts_on=row.starts_on,
                        reason=row.reason,
                        by=by,
                    )
                )
                count += 1
    return count


@blocked_command.command("skip")
@click.argument("agency")
@click.argument("subscription")
@click.option("--stream", type=click.Choice(["order", "invoice"]), required=True, help="The cycle's stream.")
@click.option("--starts-on", type=Day(), required=True, help="First day of the cycle.")
@click.option("--reason", required=True, help="Why no document will be created; stored in the cycle's history.")
@by_option
def skip_command(
    *, agency: str, subscription: str, stream: Stream, starts_on: date, reason: str, by: str | None
) -> None:
    """Skip a blocked cycle permanently, so that no document is created; this can't be undone."""
    which = f"the {stream} cycle of {subscription} that starts on {starts_on}"
    with open_store(writes=True) as store:
        done = skip(store, agency, subscription, stream=stream, starts_on=starts_on, why=reason, by=who(by))
    if not done:
        raise click.UsageError(f"{which} is not blocked; see: blocked list")
    click.echo(f"{which} is skipped; later ones continue")


def skip(
    store: Store, agency_id: str, subscription_id: str, *, stream: Stream, starts_on: date, why: str, by: str
) -> bool:
    """Skip a blocked cycle and release what waited for it, in one transaction. Returns False if it is not blocked."""
    with store.transaction() as tx:
        wanted = Wanted(agency_id, subscription_id, stream, None, "blocked")
        if not any(row.starts_on == starts_on for row in _locked(tx, wanted)):
            return False
        cycles.settle(tx, agency_id, stream, [Settled(subscription_id, starts_on, "skipped", SKIPPED)])
        tx.record(
            event_data.CycleSkipped(
                agency_id=agency_id,
                subscription_id=subscription_id,
                stream=stream,
                period_starts_on=starts_on,
                reason=SKIPPED,
                detail=why,
                by=by,
            )
        )
        # Later cycles and its order waited for it.
        cycles.wake_blocked(tx, agency_id, [subscription_id])
        cycles.release(tx, agency_id, [subscription_id])
    return True


def _locked(tx: Transaction, wanted: Wanted) -> list[Unsettled]:
    """The blocked cycles of one subscription, read after its lock is held."""
    lock_subscriptions(tx, [(wanted.agency_id or "", wanted.subscription_id or "")], wait=True)
    return operator_lists.unsettled(tx, wanted, ALL_OF_ONE)
