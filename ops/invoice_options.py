"""Options that name an invoice: by its id or by its printed number."""

from collections.abc import Callable
from typing import Any

import click

from shared.domain.keys import sequences_of
from shared.store import invoices
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locked_invoices import load_locked


def invoice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--agency with --invoice or --number."""
    for option in (
        click.option("--number", help="The invoice's printed number, instead of its id."),
        click.option("--invoice", help="The invoice's id."),
        click.option("--agency", required=True, help="The agency's id."),
    ):
        command = option(command)
    return command


def locked_invoice(tx: Transaction, agency_id: str, invoice_id: str | None, number: str | None) -> Invoice:
    """The invoice, with its subscription locked. Raises click.UsageError: none, several, or not said which."""
    if (invoice_id is None) == (number is None):
        raise click.UsageError("say which invoice: --invoice ID or --number NUMBER")
    ids = [invoice_id] if invoice_id is not None else []
    if number is not None:
        ids = invoices.by_number(tx, agency_id, number, sequences_of(number))
    if len(ids) > 1:
        raise click.UsageError(f"two invoices of {agency_id} have the number {number}; use --invoice ID")
    of = invoices.subscriptions_of(tx, agency_id, ids)
    if not of:
        raise click.UsageError(f"there is no invoice {invoice_id or number} of {agency_id}")
    return next(iter(load_locked(tx, agency_id, of).values()))
