"""`duecycle doctor`: check the invariants of the database."""

import click

from ops.connect import open_store
from ops.json_rows import InvariantRow, ViolationRow
from ops.output import json_option, print_json
from shared.store.invariants import INVARIANTS, check


@click.command("doctor")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows to show per broken promise."
)
@json_option
def doctor_command(limit: int, *, as_json: bool) -> None:
    """Check every promise about the ledger.

    Shows the rows that break one and changes nothing. Exit code 1: a promise is broken.
    """
    with open_store() as store:
        found = check(store, limit)
    broken = {violation.invariant for violation in found}
    if as_json:
        rows = [
            {"invariant": each.name, "promise": each.promise, "holds": each.name not in broken} for each in INVARIANTS
        ]
        told = [{"invariant": each.invariant, "broken_by": dict(each.keys)} for each in found]
        print_json(rows, InvariantRow)
        print_json(told, ViolationRow)
    else:
        for each in INVARIANTS:
            click.echo(f"{'BROKEN' if each.name in broken else 'ok    '} {each.name}: {each.promise}")
        for violation in found:
            click.echo(f"broken: {violation.line()}", err=True)
    if broken:
        raise SystemExit(1)
