"""`duecycle refund`: refund an invoice through its provider, or record a refund made elsewhere."""

from typing import Any

import click

from ops.connect import open_store
from ops.invoice_options import invoice_options, locked_invoice
from ops.json_rows import RefundRow
from ops.output import agency_option, by_option, json_option, limit_option, print_rows, who
from shared.billing import refund_payments, reversed_payments
from shared.billing.manual_resolution import NotInDoubtError, resolve_refund
from shared.billing.refund_payments import RefundRefusedError
from shared.store import facts, invoices, operator_lists, refunds
from shared.store.refunds import Refund

STATES = ("due", "sending", "unknown", "pending", "succeeded", "failed")
COLUMNS = {
    "agency_id": "agency",
    "invoice_id": "invoice",
    "refund_seq": "refund",
    "state": "state",
    "amount_minor": "amount (minor units)",
    "currency": "currency",
    "source": "by",
    "origin": "origin",
    "code": "code",
    "requested_at": "since",
}


@click.group("refund")
def refund_command() -> None:
    """Manage refunds, and record reversed payments."""


@refund_command.command("request")
@invoice_options
@click.option("--amount-minor", type=click.IntRange(1), help="Amount in minor units [everything that is left].")
@click.option("--reason", help="Why; stored with the refund and not sent to anyone.")
@click.option("--outside", is_flag=True, help="The refund was made elsewhere: only record it.")
@by_option
def request_command(
    *,
    agency: str,
    invoice: str | None,
    number: str | None,
    amount_minor: int | None,
    reason: str | None,
    by: str | None,
    outside: bool,
) -> None:
    """Refund money of a paid or void invoice; `refund list` shows the progress."""
    with open_store(writes=True) as store, store.transaction() as tx:
        found = locked_invoice(tx, agency, invoice, number)
        whose = facts.require_agency(tx, agency)
        try:
            if outside:
                done = refund_payments.record(
                    tx,
                    whose,
                    found,
                    amount_minor=amount_minor,
                    reason=reason,
                    refunded_at=tx.as_of,
                    outside=None,
                    by=who(by),
                )
            else:
                done = refund_payments.request(tx, whose, found, amount_minor, reason, by=who(by))
        except RefundRefusedError as refused:
            raise click.UsageError(str(refused)) from None
    total = sum(each.amount_minor for each in done)
    what = "was recorded as refunded" if outside else "will be refunded"
    click.echo(f"{total} {found.currency} (minor units) of invoice {found.number or found.invoice_id} {what}")


@refund_command.command("list")
@agency_option
@click.option("--invoice", help="Every refund of this invoice, by its id (needs --agency).")
@click.option("--number", help="Every refund of this invoice, by its printed number (needs --agency).")
@click.option(
    "--state", type=click.Choice(STATES), help="Only those in this state [without --invoice or --number: open ones]."
)
@limit_option
@json_option
def list_command(
    agency: str | None, invoice: str | None, number: str | None, state: str | None, limit: int, *, as_json: bool
) -> None:
    """List open refunds, oldest first, or all refunds of one invoice."""
    of_one = invoice is not None or number is not None
    if of_one and agency is None:
        raise click.UsageError("--invoice and --number need --agency ID")
    with open_store() as store, store.transaction() as tx:
        if of_one:
            of = locked_invoice(tx, agency or "", invoice, number).invoice_id
            found = refunds.of_invoices(tx, agency or "", [of])
            rows = [_row(agency or "", each) for each in found if state in (None, each.state)]
        else:
            rows = operator_lists.refunds_listed(tx, agency, state, limit)
    none = "this invoice has no refund" if of_one else "no such refund" if state else "no refund is open"
    print_rows(rows[:limit], COLUMNS, RefundRow, as_json=as_json, none=none)


def _row(agency: str, refund: Refund) -> dict[str, Any]:
    """A refund of one invoice, with the fields that a list of all has."""
    found = {"agency_id": agency, **refund._asdict()}
    return {name: found[name] for name in RefundRow.__struct_fields__}


@refund_command.command("resolve")
@invoice_options
@click.option("--refund", type=click.IntRange(1), required=True, help="Number of the refund, as refund list shows it.")
@click.option("--refunded", metavar="REFERENCE", help="The provider made the refund, under this reference.")
@click.option(
    "--not-refunded",
    is_flag=True,
    help="The provider has no such refund: mark it as failed, so that it can be requested again.",
)
@by_option
def resolve_command(
    *,
    agency: str,
    invoice: str | None,
    number: str | None,
    refund: int,
    refunded: str | None,
    by: str | None,
    not_refunded: bool,
) -> None:
    """Record the outcome of a refund in doubt, after you looked it up with the provider by its idempotency key."""
    if (refunded is None) == (not not_refunded):
        raise click.UsageError("say what you found: --refunded REFERENCE or --not-refunded")
    with open_store(writes=True) as store, store.transaction() as tx:
        found = locked_invoice(tx, agency, invoice, number)
        try:
            resolve_refund(tx, facts.require_agency(tx, agency), found, refund, refunded, by=who(by))
        except NotInDoubtError as error:
            raise click.UsageError(str(error)) from None
    click.echo(f"refund {refund} of invoice {found.number or found.invoice_id}: {refunded or 'marked as failed'}")


@refund_command.command("taken-back")
@invoice_options
@click.option("--payment", required=True, metavar="REFERENCE", help="The reference of the payment that was reversed.")
@click.option(
    "--amount-minor", type=click.IntRange(0), required=True, help="Amount reversed so far in total, in minor units."
)
@by_option
def taken_back_command(
    *, agency: str, invoice: str | None, number: str | None, payment: str, amount_minor: int, by: str | None
) -> None:
    """Record a reversed payment (a lost dispute, a returned debit) when the provider can't report it."""
    with open_store(writes=True) as store, store.transaction() as tx:
        found = locked_invoice(tx, agency, invoice, number)
        whose = facts.require_agency(tx, agency)
        if not reversed_payments.said_by_hand(tx, whose, found, payment, amount_minor, by=who(by)):
            raise click.UsageError(f"invoice {found.number or found.invoice_id} has no payment {payment}")
        after = invoices.load(tx, agency, [found.invoice_id])[found.invoice_id]
    click.echo(
        f"{amount_minor} {found.currency} (minor units) of {payment} recorded as reversed: the invoice is {after.status}"
    )
