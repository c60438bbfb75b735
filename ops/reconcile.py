"""`duecycle reconcile`: compare our records with the providers' lists, in both directions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from ops.account import unsaid_sharing
from ops.connect import open_store
from ops.json_rows import DifferenceRow, UnaskedRow
from ops.output import agency_option, json_option, print_json, print_rows
from shared.billing import reconciliation
from shared.billing.reconciliation import SETTLES_WITHIN, Difference, ProviderLists
from shared.gateways.capabilities import as_online
from shared.secret_store import reader
from shared.store import accounts, facts
from shared.store.accounts import Configured
from shared.store.database import Store
from workers.gateway_accounts import GatewayRegistry

NOT_ASKED = "not_asked"
COLUMNS = {
    "agency_id": "agency",
    "provider": "provider",
    "what": "what",
    "reference": "reference",
    "invoice_id": "invoice",
    "here_minor": "here",
    "there_minor": "there",
    "currency": "currency",
}


@click.command("reconcile")
@agency_option
@click.option("--days", type=click.IntRange(1, 90), default=3, show_default=True, help="Days to look back.")
@click.option("--apply", "apply_", is_flag=True, help="Record payments and refunds that only the provider lists.")
@json_option
def reconcile_command(agency: str | None, days: int, *, apply_: bool, as_json: bool) -> None:
    """Compare our records with the providers' lists.

    This needs the accounts' secrets. An account that several agencies use is compared only if each of them is set up with
    --shared, because then only payments with our own key can be told apart.

    Exit code 0: no difference is left. 1: there are differences, or a provider could not be asked. The agency is notified of
    each difference once.
    """
    left: list[Difference] = []
    unasked: list[dict[str, str]] = []
    with open_store(writes=True) as store:
        registry = GatewayRegistry(reader(), {})
        with store.transaction() as tx:
            known = accounts.configured(tx)
        found = [each for each in known if agency in (None, each.agency_id)]
        if not found:
            raise click.UsageError("no account is set up; see: duecycle account set")
        for account in found:
            if several := unsaid_sharing(account, known, reader()):
                unasked.append(_unasked(account, several))
                continue
            try:
                told = _look(store, registry, account, timedelta(days=days))
            except OSError as error:
                unasked.append(_unasked(account, f"{account.agency_id}: {error}"))
                continue
            left += _settle(store, told, apply_=apply_)
    _print(left, unasked, len(found), as_json=as_json)
    if left or unasked:
        raise SystemExit(1)


def _unasked(account: Configured, why: str) -> dict[str, str]:
    """An account that was not compared: a message for people, and a row for programs."""
    click.echo(why, err=True)
    return {"agency_id": account.agency_id, "provider": account.provider, "what": NOT_ASKED, "why": why}


def _print(left: list[Difference], unasked: list[dict[str, str]], count: int, *, as_json: bool) -> None:
    """Says how many accounts could not be compared: nothing is known of those."""
    none = "no differences"
    if unasked:
        compared = count - len(unasked)
        none = f"{len(unasked)} of {count} accounts could not be asked"
        none += f"; no difference in the other {compared}" if compared else "; nothing was compared"
    rows: list[Mapping[str, Any]] = [each._asdict() for each in left]
    print_rows(rows, COLUMNS, DifferenceRow, as_json=as_json, none=none)
    if as_json:
        print_json(unasked, UnaskedRow)
    if left and unasked and not as_json:
        click.echo(f"{len(unasked)} of {count} accounts could not be asked")


def _look(store: Store, registry: GatewayRegistry, account: Configured, back: timedelta) -> list[Difference]:
    agency_id, provider = account.agency_id, account.provider
    with store.transaction() as tx:
        since = tx.as_of - back
        gateway = registry(tx, agency_id).get(provider, "gateway_missing")
    if isinstance(gateway, str):
        raise OSError(f"{provider} can't be asked: {gateway}")
    online = as_online(gateway)
    begin = since - SETTLES_WITHIN
    listed = list(online.payments_since(begin)), list(online.refunds_since(begin))
    lists = ProviderLists(
        agency_id=agency_id,
        provider=provider,
        since=since,
        payments=listed[0],
        refunds=listed[1],
        shared=account.shared,
    )
    with store.transaction() as tx:
        return reconciliation.compare(tx, lists)


def _settle(store: Store, found: list[Difference], *, apply_: bool) -> list[Difference]:
    """Record what can be recorded, notify agencies of all others, and return those. One transaction, and one lock, for each."""
    left = []
    for difference in found:
        with store.transaction() as tx:
            agency = facts.require_agency(tx, difference.agency_id)
            if apply_ and reconciliation.adopt(tx, agency, difference):
                continue
            reconciliation.tell(tx, agency, difference)
            left.append(difference)
    return left
