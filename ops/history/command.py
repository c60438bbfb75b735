"""`duecycle subscription show` and `duecycle invoice show`: what happened, in words, and why nothing is charged now."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from ops.connect import open_store
from ops.history.lines import Line, happened
from ops.history.now import Standing, stands
from ops.history.words import Words, amount, period, words_of
from ops.json_rows import AboutInvoice, AboutSubscription, HappenedRow, NowRow, json_line
from ops.output import json_option
from shared.domain.keys import sequences_of
from shared.store import history
from shared.store.database import Transaction
from shared.store.history import Known, Named

agency_option = click.option("--agency", help="The agency's id; needed if several agencies use the same id or number.")
limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="Show only this many of the newest lines.",
)


@click.group("subscription")
def subscription_command() -> None:
    """Show the history of a subscription."""


@subscription_command.command("show")
@click.argument("subscription", metavar="ID")
@agency_option
@limit_option
@json_option
def show_subscription(subscription: str, agency: str | None, limit: int, *, as_json: bool) -> None:
    """Show the history of a subscription, oldest first, and what is still open.

    It covers facts, cycles, documents, payments, charge attempts and mails; below that, what is not charged or not created, and
    why. Times are in the agency's time zone.
    """
    with open_store() as store, store.transaction() as tx:
        found = history.subscriptions_named(tx, agency, subscription)
        named = _the_one(found, f"subscription {subscription}", agency, "ID")
        _print(tx, named, limit, as_json=as_json)


@click.group("invoice")
def invoice_command() -> None:
    """Show the history of an invoice."""


@invoice_command.command("show")
@click.argument("number")
@agency_option
@limit_option
@json_option
def show_invoice(number: str, agency: str | None, limit: int, *, as_json: bool) -> None:
    """Show the history of an invoice, by number or id, oldest first, and why it is not charged.

    Times are in the agency's time zone.
    """
    with open_store() as store, store.transaction() as tx:
        found = history.invoices_named(tx, agency, number, sequences_of(number))
        named = _the_one(found, f"invoice {number}", agency, "NUMBER")
        _print(tx, named, limit, as_json=as_json)


def _the_one(found: Sequence[Named], what: str, agency: str | None, hint: str) -> Named:
    """Raises click.BadParameter if there is none, or several."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.BadParameter(f"there is no {what}{f' of {agency}' if agency else ''}", param_hint=hint)
    agencies = sorted({each.agency_id for each in found})
    if len(agencies) > 1:
        raise click.BadParameter(f"{what} exists for {', '.join(agencies)}; use --agency ID", param_hint=hint)
    ids = ", ".join(each.invoice_id or each.subscription_id for each in found)
    raise click.BadParameter(f"several match {what}: {ids}; give the id", param_hint=hint)


def _print(tx: Transaction, named: Named, limit: int, *, as_json: bool) -> None:
    for line in told(tx, named, limit, as_json=as_json):
        click.echo(line)


def told(tx: Transaction, named: Named, limit: int, *, as_json: bool = False) -> Iterator[str]:
    """The lines of the answer, for people or for programs."""
    known = history.known(tx, named)
    words = words_of(known)
    lines = happened(known, words, named.invoice_id)
    left_out, lines = max(0, len(lines) - limit), lines[-limit:]
    standing = stands(known, words, named.invoice_id)
    about = _about(known, named)
    if as_json:
        return _for_programs(about, lines, standing, words)
    return _for_people(about, lines, standing, words=words, known=known, left_out=left_out)


def _about(known: Known, named: Named) -> dict[str, Any]:
    about: dict[str, Any] = {"agency_id": named.agency_id, "timezone": known.agency["timezone"]}
    if named.invoice_id is None:
        return {**about, **known.subscription}
    (invoice,) = (row for row in known.invoices if row["invoice_id"] == named.invoice_id)
    return {**about, "subscription_id": named.subscription_id, **invoice}


def _for_programs(
    about: dict[str, Any], lines: Sequence[Line], standing: Sequence[Standing], words: Words
) -> Iterator[str]:
    yield json_line({"kind": "about", **about}, AboutInvoice if "invoice_id" in about else AboutSubscription)
    for line in lines:
        yield json_line({"kind": "happened", "local": words.when(line.at), **line._asdict()}, HappenedRow)
    for each in standing:
        yield json_line({"kind": "now", **each._asdict()}, NowRow)


def _for_people(
    about: dict[str, Any],
    lines: Sequence[Line],
    standing: Sequence[Standing],
    *,
    words: Words,
    known: Known,
    left_out: int,
) -> Iterator[str]:
    yield _heading(about, words)
    yield ""
    if left_out:
        yield f"… {left_out} earlier lines; --limit {len(lines) + left_out} shows them"
    for line in lines:
        yield f"{words.when(line.at)}  {line.text}"
    yield ""
    yield f"now, {words.when(known.as_of)} in {about['timezone']}:"
    for each in standing:
        yield f"  {each.text}"
    if not standing:
        yield "  nothing is open"


def _heading(about: dict[str, Any], words: Words) -> str:
    whose = f"agency {about['agency_id']}, client {about['client_id']}"
    if "total_minor" not in about:
        return (
            f"subscription {about['subscription_id']}: {about['status']}, {whose}, service {about['service_id']},"
            f" {about['checkout']}, starts on {about['starts_on']}, collection {about['collection']}"
        )
    span = about["cycle_starts_on"] and f" for {period(about['cycle_starts_on'], about['cycle_ends_on'])}"
    collected = amount(about["collected_minor"], about["currency"])
    return (
        f"{words.invoice(about)}{span or ''}: {about['status']}, {whose}, subscription {about['subscription_id']},"
        f" {words.money(about, 'total_minor')}, collected {collected}, due {about['due_on']},"
        f" collection {about['collection']}"
    )
