"""`duecycle pause` and `duecycle resume`: stop and restart a pool's work; its rows stay due."""

import click

from ops.connect import open_store
from ops.output import by_option, who
from shared.messages import event_data
from shared.messages.work import POOLS
from shared.store import pauses
from shared.store.database import Store, Transaction
from shared.store.locks import lock_subject
from shared.store.operator_lists import agency_known

pool_argument = click.argument("pool", type=click.Choice(POOLS))
of_agency = click.option("--agency", help="Only for this agency [all agencies].")


@click.command("pause")
@pool_argument
@of_agency
@click.option("--reason", help="Why; shown by duecycle status.")
@by_option
def pause_command(pool: str, agency: str | None, reason: str | None, by: str | None) -> None:
    """Stop sending new work to a pool until it is resumed.

    Work in progress is finished. Intake stops within seconds and for all agencies, because their messages share one queue.
    A scheduler that starts in the meantime plans no new cycles until intake has caught up.
    """
    with open_store() as store, store.transaction() as tx:
        _begin(tx, pool, agency)
        if pauses.add(tx, pool, agency or pauses.EVERYBODY, reason):
            tx.record(event_data.PoolPaused(agency_id=agency, pool=pool, reason=reason, by=who(by)))
            click.echo(f"{pool} paused for {agency or 'all agencies'}")
        else:
            click.echo(f"{pool} is already paused for {agency or 'all agencies'}")


@click.command("resume")
@pool_argument
@of_agency
@by_option
def resume_command(pool: str, agency: str | None, by: str | None) -> None:
    """Resume a paused pool.

    A pause for all agencies and one for a single agency are lifted separately.
    """
    with open_store() as store:
        _resume(store, pool, agency, who(by))


def _resume(store: Store, pool: str, agency: str | None, by: str) -> None:
    with store.transaction() as tx:
        _begin(tx, pool, agency)
        if pauses.remove(tx, pool, agency or pauses.EVERYBODY):
            tx.record(event_data.PoolResumed(agency_id=agency, pool=pool, by=by))
            click.echo(f"{pool} resumed for {agency or 'all agencies'}")
        else:
            click.echo(f"{pool} is not paused for {agency or 'all agencies'}")
        left = [pause.agency_id or "all agencies" for pause in pauses.listed(tx, pool)]
    if left:
        click.echo(f"still paused for {', '.join(left)}")


def _begin(tx: Transaction, pool: str, agency: str | None) -> None:
    if pool == "intake" and agency is not None:
        raise click.BadParameter(
            "intake can only be paused for all agencies, because their messages share one queue; leave it out, or pause"
            " orders, invoices, charges and notices of this agency",
            param_hint="--agency",
        )
    lock_subject(tx, f"pool/{pool}")
    if agency is not None and not agency_known(tx, agency):
        raise click.BadParameter(f"there is no agency {agency}", param_hint="--agency")
