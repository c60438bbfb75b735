"""`duecycle clock`: compare the clocks, and confirm that the database's clock is right."""

from datetime import datetime

import click

from ops.connect import open_store, settings_for
from ops.output import by_option, who
from shared.domain.clock import shown
from shared.messages import event_data
from shared.store import clock_jumps
from shared.store.clock_jumps import Known
from shared.store.database import machine_now


@click.group("clock")
def clock_command() -> None:
    """Check the database's clock, or confirm that it is right."""


@clock_command.command("show")
def show_command() -> None:
    """Compare the database's clock with this machine's and with the scheduler's last tick."""
    with open_store() as store, store.transaction() as tx:
        now, known = tx.as_of, clock_jumps.known(tx)
    for line in _lines(now, machine_now(), known):
        click.echo(line)


@clock_command.command("accept")
@click.option("--reason", help="Why; stored in the audit trail.")
@by_option
def accept_command(reason: str | None, by: str | None) -> None:
    """Confirm that the database's clock is right, so that every process trusts it again.

    Whatever is due at that time is planned and charged at once, so compare it with a clock that you trust first. If the
    clock is wrong, fix the clock instead: the processes then continue automatically.
    """
    bound = settings_for("DATABASE_URL").clock_jump
    with open_store() as store, store.transaction() as tx:
        own = machine_now()
        was_open = clock_jumps.accept(tx, who(by))
        tx.record(event_data.ClockAccepted(agency_id=None, reason=reason, by=who(by)))
        now = tx.as_of
    click.echo(
        f"{shown(now)} is accepted as the current time" + ("" if was_open else "; no process had reported a jump")
    )
    if abs(own - now) > bound:
        click.echo(
            f"this machine's clock says {shown(own)}: a process that starts here waits until it is right", err=True
        )


def _lines(now: datetime, own: datetime, known: Known) -> list[str]:
    lines = [f"database        {shown(now)}", f"this machine    {shown(own)}"]
    if known.worked_at is not None:
        lines.append(f"last scheduler  {shown(known.worked_at)}")
    if known.expected_at is not None and known.seen_at is not None:
        lines.append(
            f"a clock jump is open: the database said {shown(known.seen_at)} at {shown(known.expected_at)}"
            f" (found by {known.found_by}); nothing is planned or charged until it is right again,"
            " or until: duecycle clock accept"
        )
    return lines
