"""`duecycle pause` and `duecycle resume`: let a pool stand still for a while; its rows stay due."""

from typing import Any

import click

from ops.connect import open_store
from ops.printing import by_option, who
from shared.messages import event_data
from shared.messages.work import POOLS
from shared.store import pauses
from shared.store.locks import lock_subject
from shared.store.operating import agency_known
from shared.store.transaction import Store, Tx


class Pausable(click.Choice[str]):
    """A pool that can stand still; of the others it is told what to do instead."""

    def __init__(self) -> None:
        super().__init__(pauses.PAUSABLE)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in POOLS and value not in pauses.PAUSABLE:
            self.fail(f"{value} can't be paused; {INSTEAD[value]}", param, ctx)
        return super().convert(value, param, ctx)


INSTEAD = {
    "orders": "end its processes (in Docker: --scale orders=0): orders stay due meanwhile; or pause invoices, which come first",
    "intake": "end its processes (in Docker: --scale intake=0): upstream's messages wait in their queue meanwhile",
}
pool_argument = click.argument("pool", type=Pausable())
of_agency = click.option("--agency", help="Only for this agency [all of them].")


@click.command("pause")
@pool_argument
@of_agency
@click.option("--reason", help="Why, for whoever looks at it later.")
@by_option
def pause_command(pool: str, agency: str | None, reason: str | None, by: str | None) -> None:
    """Ring POOL for nothing new until it is resumed. What is under way is finished; what falls due waits."""
    with open_store() as store, store.transaction() as tx:
        _begin(tx, pool, agency)
        if pauses.add(tx, pool, agency or pauses.EVERYBODY, reason):
            tx.record(event_data.PoolPaused(agency_id=agency, pool=pool, reason=reason, by=who(by)))
            click.echo(f"{pool} paused for {agency or 'all agencies'}")
        else:
            click.echo(f"{pool} is paused for {agency or 'all agencies'} already")


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


def _begin(tx: Tx, pool: str, agency: str | None) -> None:
    lock_subject(tx, f"pool/{pool}")
    if agency is not None and not agency_known(tx, agency):
        raise click.BadParameter(f"there is no agency {agency}", param_hint="--agency")
