"""`duecycle charge`: attempts to collect that have not ended; and a person's word on one that nobody else can settle."""

import click

from ops.connect import open_store
from ops.naming import invoice_options, locked_invoice
from ops.printing import agency_option, by_option, json_option, limit_option, print_rows, who
from shared.acts.settled_by_hand import NotInDoubtError, resolve
from shared.store import charges, facts

COLUMNS = {
    "agency_id": "agency",
    "invoice_id": "invoice",
    "attempt": "attempt",
    "state": "state",
    "code": "code",
    "provider": "provider",
    "key": "key",
    "since": "since",
    "wake_at": "next look",
}


@click.group("charge")
def charge_command() -> None:
    """Attempts to collect money."""


@charge_command.command("list")
@agency_option
@click.option("--state", type=click.Choice(["due", "sending", "unknown", "pending", "action_required"]))
@click.option("--code", help="Only those with this code, such as secret_missing or needs_a_person.")
@limit_option
@json_option
def list_command(agency: str | None, state: str | None, code: str | None, limit: int, *, as_json: bool) -> None:
    """List attempts that have not ended, longest first; with the reason of those that can't go out."""
    with open_store() as store, store.transaction() as tx:
        rows = charges.unended(tx, agency, state, code, limit)
    print_rows(rows, COLUMNS, as_json=as_json, none="no attempt is open")


@charge_command.command("resolve")
@invoice_options
@click.option("--paid", metavar="REFERENCE", help="The provider has the money: its id of the payment.")
@click.option(
    "--not-charged", is_flag=True, help="The provider has no such payment: the attempt goes out again, same key."
)
@by_option
def resolve_command(
    agency: str, invoice: str | None, number: str | None, paid: str | None, by: str | None, *, not_charged: bool
) -> None:
    """Say what became of the invoice's attempt in doubt, after a look at the provider's own pages by its key."""
    if (paid is None) == (not not_charged):
        raise click.UsageError("say what you found: --paid REFERENCE or --not-charged")
    with open_store() as store, store.transaction() as tx:
        found = locked_invoice(tx, agency, invoice, number)
        try:
            charge = resolve(tx, facts.require_agency(tx, agency), found, paid, by=who(by))
        except NotInDoubtError as error:
            raise click.UsageError(str(error)) from None
    what = f"is paid by {paid}" if paid is not None else "was not charged, and the attempt goes out again"
    click.echo(f"attempt {charge.attempt} of invoice {found.number or found.invoice_id}: it {what}")
