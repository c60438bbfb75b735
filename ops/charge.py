"""`duecycle charge`: attempts to collect that have not ended; and a person's word on one that nobody else can settle."""

from datetime import datetime

import click
import msgspec

from ops.connect import open_store
from ops.invoice_options import invoice_options, locked_invoice
from ops.json_rows import ChargeRow
from ops.output import agency_option, by_option, json_option, limit_option, print_rows, who
from shared.billing.manual_resolution import NotInDoubtError, in_doubt, resolve
from shared.domain.calendar import local_date
from shared.domain.charging import Charge
from shared.domain.unknown_outcomes import is_remembered
from shared.gateways.port import (
    NOT_NAMED,
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotFound,
    NotYetKnowable,
    Pending,
    Sent,
    Succeeded,
)
from shared.gateways.providers import provider_of
from shared.secret_store import reader
from shared.store import charges, facts
from shared.store.database import Store
from shared.store.pay_links import PayLink
from workers.gateway_accounts import GatewayRegistry, sandbox_of

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
@click.option("--state", type=click.Choice(["planned", "due", "sending", "unknown", "pending", "action_required"]))
@click.option("--code", help="Only those with this code, such as secret_missing or needs_a_person.")
@limit_option
@json_option
def list_command(agency: str | None, state: str | None, code: str | None, limit: int, *, as_json: bool) -> None:
    """List attempts that have not ended, longest first; with the reason of those that can't go out.

    An attempt is planned until its time has come, and due from then on.
    """
    with open_store() as store, store.transaction() as tx:
        rows = charges.unended(tx, agency, state, code, limit)
    print_rows(rows, COLUMNS, ChargeRow, as_json=as_json, none="no attempt is open")


@charge_command.command("resolve")
@invoice_options
@click.option("--paid", metavar="REFERENCE", help="The provider has the money: its id of the payment.")
@click.option(
    "--not-charged", is_flag=True, help="The provider has no such payment: the attempt goes out again, same key."
)
@click.option("--no-lookup", is_flag=True, help="With --not-charged: do not ask the provider once more.")
@by_option
def resolve_command(
    agency: str,
    invoice: str | None,
    number: str | None,
    paid: str | None,
    by: str | None,
    *,
    not_charged: bool,
    no_lookup: bool,
) -> None:
    """Say what became of the invoice's attempt in doubt, after a look at the provider's own pages by its key.

    With --not-charged the provider is asked once more first (this needs the account's secret): what it says overrides yours.
    """
    if (paid is None) == (not not_charged):
        raise click.UsageError("say what you found: --paid REFERENCE or --not-charged")
    with open_store(acts=True) as store:
        if not_charged and not no_lookup:
            paid = _look_again(store, agency, invoice, number)
        with store.transaction() as tx:
            found = locked_invoice(tx, agency, invoice, number)
            try:
                resolved = resolve(tx, facts.require_agency(tx, agency), found, paid, by=who(by))
            except NotInDoubtError as error:
                raise click.UsageError(str(error)) from None
            now = tx.as_of
    what = f"attempt {resolved.attempt}" if isinstance(resolved, Charge) else f"page {resolved.link_seq}"
    then = f"is paid by {paid}" if paid is not None else "was not charged, and the invoice can be charged again"
    click.echo(f"{what} of invoice {found.number or found.invoice_id}: it {then}")
    if paid is None and isinstance(resolved, Charge):
        _warn_of_dead_key(resolved, now)


def _look_again(store: Store, agency_id: str, invoice_id: str | None, number: str | None) -> str | None:
    """Ask the provider once more before anything goes out. Returns its id of the money if it has it after all.

    Raises click.UsageError where it says something else than "not here", or can't be asked.
    """
    with store.transaction() as tx:
        invoice = locked_invoice(tx, agency_id, invoice_id, number)
        agency = facts.require_agency(tx, agency_id)
        try:
            doubtful = in_doubt(tx, agency, invoice)
        except NotInDoubtError as error:
            raise click.UsageError(str(error)) from None
        gateways = GatewayRegistry(reader(), sandbox_of(store))(tx, agency_id)
        gateway = gateways.get(doubtful.provider or "", "gateway_missing")
        today = local_date(tx.as_of, agency.timezone)
    if isinstance(doubtful, PayLink):
        return None  # nothing goes out by a page's end: the client, or an attempt of its own, pays anew
    if isinstance(gateway, str) or doubtful.request is None:
        raise click.UsageError(
            f"{doubtful.provider} can't be asked here: {gateway}; run this where the secrets are, or --no-lookup"
        )
    request = msgspec.json.decode(doubtful.request, type=ChargeRequest)
    sent = Sent(doubtful.first_sent_at or doubtful.sent_at or doubtful.planned_at, doubtful.reference)
    return _taken_as(doubtful, gateway.lookup(request, today, sent))


def _taken_as(charge: Charge, found: Found) -> str | None:
    match found:
        case Succeeded(reference):
            click.echo(f"{charge.provider} does know it: it was paid by {reference}", err=True)
            return reference
        case NotFound():
            return None
        case NotYetKnowable(detail) if detail == NOT_NAMED:
            click.echo(f"{charge.provider} has no event for it, which proves nothing; your answer is used", err=True)
            return None
        case Pending() | Declined() | ActionRequired():
            said = type(found).__name__.lower()
            raise click.UsageError(
                f"{charge.provider} knows it ({said}); it will be resolved automatically; nothing is sent"
            )
        case _:
            raise click.UsageError(f"{charge.provider} can't be asked at this moment; try again, or --no-lookup")


def _warn_of_dead_key(charge: Charge, now: datetime) -> None:
    """Past its retention a key protects nobody: the request that goes out again is a new one there."""
    if charge.sent_at is not None and not is_remembered(
        provider_of(charge.provider).key_retention, charge.sent_at, now
    ):
        click.echo(
            f"warning: {charge.provider} no longer remembers the key {charge.key}; if the first request went through after all,"
            " the client pays twice",
            err=True,
        )
