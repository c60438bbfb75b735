"""`duecycle inbox`: list, show and replay the stored messages from upstream."""

import click

from ops.connect import open_store
from ops.json_rows import MessageRow, ReplayedRow
from ops.output import agency_option, by_option, json_option, limit_option, print_rows, who
from shared.store import operator_lists
from workers.intake.replay import replay

STATES = ("waiting", "rejected", "applied", "repeated", "stale")
COLUMNS = {
    "inbox_id": "no.",
    "received_at": "received",
    "agency_id": "agency",
    "name": "message",
    "state": "state",
    "why": "why",
}
WHY_CHARACTERS = 60  # in the table; show and --json have all of it


@click.group("inbox")
def inbox_command() -> None:
    """List, show or replay messages from upstream."""


@inbox_command.command("list")
@click.option(
    "--state", type=click.Choice(STATES), help="Only those in this state; waiting and rejected ones need attention."
)
@agency_option
@limit_option
@json_option
def list_command(state: str | None, agency: str | None, limit: int, *, as_json: bool) -> None:
    """List messages from upstream, newest first."""
    with open_store() as store, store.transaction() as tx:
        found = operator_lists.messages(tx, state, agency, limit)
    rows = [row._asdict() if as_json else {**row._asdict(), **_brief(row)} for row in found]
    print_rows(rows, COLUMNS, MessageRow, as_json=as_json, none="no such message")


def _brief(row: operator_lists.Kept) -> dict[str, str]:
    """Name and reason, short enough for the table."""
    why = (
        f"{row.field}: {row.reason}"
        if row.field
        else row.reason or (row.waits_for and f"waits for {row.waits_for}") or ""
    )
    name = row.type.removeprefix("duecycle.").removesuffix(".v1")
    return {"name": name, "why": why if len(why) <= WHY_CHARACTERS else f"{why[:WHY_CHARACTERS]}…"}


@inbox_command.command("show")
@click.argument("number", type=int)
def show_command(number: int) -> None:
    """Show a message as it arrived, and its outcome."""
    with open_store() as store, store.transaction() as tx:
        found = operator_lists.message(tx, number)
    if found is None:
        raise click.BadParameter(f"there is no message {number}; see: inbox list", param_hint="NUMBER")
    kept, raw = found
    for name, value in kept._asdict().items():
        click.echo(f"{name}: {value if value is not None else '-'}")
    click.echo(raw.decode("utf-8", "replace"))


@inbox_command.command("replay")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--rejected", is_flag=True, help="Replay every rejected message (with --agency: only of that agency).")
@agency_option
@by_option
@json_option
def replay_command(
    numbers: tuple[int, ...], agency: str | None, by: str | None, *, rejected: bool, as_json: bool
) -> None:
    """Apply rejected or waiting messages again, after their cause was fixed.

    They are applied oldest first. A message that was applied already is left as it is.
    """
    if bool(numbers) == rejected:
        raise click.UsageError("give message numbers, or --rejected")
    with open_store(writes=True) as store:
        chosen = list(numbers)
        if rejected:
            with store.transaction() as tx:
                chosen = [row.inbox_id for row in operator_lists.messages(tx, "rejected", agency, 100_000)]
        rows = []
        for number in sorted(chosen):
            received = replay(store, number, who(by))
            if received is None:
                raise click.BadParameter(f"there is no message {number}; see: inbox list", param_hint="NUMBERS")
            rows.append({"inbox_id": number, **received._asdict()})
    columns = {"inbox_id": "no.", "id": "id", "state": "state now", "field": "field", "reason": "reason"}
    print_rows(rows, columns, ReplayedRow, as_json=as_json, none="no message is rejected")
