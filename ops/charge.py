"""`duecycle charge`: list open charge attempts, and resolve one in doubt by hand."""

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
    "wake_at": "next check",
}


@click.group("charge")
def charge_command() -> None:
    """List open charge attempts, or resolve one in doubt."""


@charge_command.command("list")
@agency_option
@click.option(
    "--state",
    type=click.Choice(["planned", "due", "sending", "unknown", "pending", "action_required"]),
    help="Only those in this state.",
)
@click.option("--code", help="Only those with this code, such as secret_missing or needs_a_person.")
@limit_option
@json_option
def list_command(agency: str | None, state: str | None, code: str | None, limit: int, *, as_json: bool) -> None:
    """List open charge attempts, oldest first, and why some can't be sent.

    An attempt is planned until its time comes, and due from then on.
    """
    with open_store() as store, store.transaction() as tx:
        rows = charges.unended(tx, agency, state, code, limit)
    print_rows(rows, COLUMNS, ChargeRow, as_json=as_json, none="no charge attempt is open")


@charge_command.command("resolve")
@invoice_options
@click.option("--paid", metavar="REFERENCE", help="The provider has the payment, under this reference.")
@click.option(
    "--not-charged",
    is_flag=True,
    help="The provider has no such payment: send the attempt again with the same idempotency key.",
)
@click.option("--no-lookup", is_flag=True, help="With --not-charged: do not ask the provider first.")
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
    """Record the outcome of a charge attempt in doubt, after you looked it up with the provider by its idempotency key.

    With --not-charged the provider is asked once more first (this needs the account's secret), and its answer takes precedence.
    """
    if (paid is None) == (not not_charged):
        raise click.UsageError("say what you found: --paid REFERENCE or --not-charged")
    with open_store(writes=True) as store:
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
    """Ask the provider once more before anything is sent. Returns the payment's reference if it was paid after all.

    Raises click.UsageError if it answers anything but "not found", or can't be asked.
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
        return None  # closing a page sends nothing: the client, or a charge attempt, pays again
    if isinstance(gateway, str) or doubtful.request is None:
        raise click.UsageError(
            f"{doubtful.provider} can't be asked here: {gateway}; run this where the secrets are, or use --no-lookup"
        )
    request = msgspec.json.decode(doubtful.request, type=ChargeRequest)
    sent = Sent(doubtful.first_sent_at or doubtful.sent_at or doubtful.planned_at, doubtful.reference)
    return _taken_as(doubtful, gateway.lookup(request, today, sent))


def _taken_as(charge: Charge, found: Found) -> str | None:
    match found:
        case Succeeded(reference):
            click.echo(f"{charge.provider} found it after all: it was paid by {reference}", err=True)
            return reference
        case NotFound():
            return None
        case NotYetKnowable(detail) if detail == NOT_NAMED:
            click.echo(f"{charge.provider} has no event for it, which proves nothing; your answer is used", err=True)
            return None
        case Pending() | Declined() | ActionRequired():
            said = type(found).__name__.lower()
            raise click.UsageError(
                f"{charge.provider} knows this attempt ({said}); it will be resolved automatically, and nothing is sent"
            )
        case _:
            raise click.UsageError(f"{charge.provider} can't be asked right now; try again, or use --no-lookup")


def _warn_of_dead_key(charge: Charge, now: datetime) -> None:
    """After the provider has forgotten the idempotency key, a repeated request counts as a new one."""
    if charge.sent_at is not None and not is_remembered(
        provider_of(charge.provider).key_retention, charge.sent_at, now
    ):
        click.echo(
            f"warning: {charge.provider} no longer remembers the key {charge.key}; if the first request went through after all,"
            " the client will pay twice",
            err=True,
        )
