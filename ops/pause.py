"""`duecycle pause` and `duecycle resume`: let a pool stand still for a while; its rows stay due."""

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
of_agency = click.option("--agency", help="Only for this agency [all of them].")


@click.command("pause")
@pool_argument
@of_agency
@click.option("--reason", help="Why, for whoever looks at it later.")
@by_option
def pause_command(pool: str, agency: str | None, reason: str | None, by: str | None) -> None:
    """Let POOL take nothing new until it is resumed. What is under way is finished; what falls due waits.

    Intake stops within seconds, for all agencies: their messages lie in one queue, and wait there. A scheduler that starts
    meanwhile plans no new cycles before intake has caught up.
    """
    with open_store() as store, store.transaction() as tx:
        _begin(tx, pool, agency)
        if pauses.add(tx, pool, agency or pauses.EVERYBODY, reason):
            tx.record(event_data.PoolPaused(agency_id=agency, pool=pool, reason=reason, by=who(by)))
            click.echo(f"{pool} paused for {agency or 'all agencies'}")
        else:
            click.echo(f"the {pool} pool is paused for {agency or 'all agencies'} already")


@click.command("resume")
@pool_argument
@of_agency
@by_option
def resume_command(pool: str, agency: str | None, by: str | None) -> None:
    """Let POOL go on. A pause for all agencies and one for a single agency are lifted each by itself."""
    with open_store() as store:
        _resume(store, pool, agency, who(by))


def _resume(store: Store, pool: str, agency: str | None, by: str) -> None:
    with store.transaction() as tx:
        _begin(tx, pool, agency)
        if pauses.remove(tx, pool, agency or pauses.EVERYBODY):
            tx.record(event_data.PoolResumed(agency_id=agency, pool=pool, by=by))
            click.echo(f"{pool} goes on for {agency or 'all agencies'}")
        else:
            click.echo(f"{pool} is not paused for {agency or 'all agencies'}")
        left = [pause.agency_id or "all agencies" for pause in pauses.listed(tx, pool)]
    if left:
        click.echo(f"still paused for {', '.join(left)}")


def _begin(tx: Transaction, pool: str, agency: str | None) -> None:
    if pool == "intake" and agency is not None:
        raise click.BadParameter(
            "intake stands still for all agencies or for none, because their messages lie in one queue; leave it out, or pause"
            " orders, invoices, charges and notices of this agency",
            param_hint="--agency",
        )
    lock_subject(tx, f"pool/{pool}")
    if agency is not None and not agency_known(tx, agency):
        raise click.BadParameter(f"there is no agency {agency}", param_hint="--agency")
