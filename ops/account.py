"""`duecycle account`: an agency's accounts with payment providers. Rows hold the name of a secret, never the secret."""

from collections.abc import Sequence

import click

from ops.connect import open_store
from ops.json_rows import AccountRow
from ops.output import agency_option, by_option, json_option, print_rows, who
from shared.domain.keys import segment
from shared.domain.pacing import DEFAULT_RATE
from shared.gateways.providers import ONLINE
from shared.messages import event_data
from shared.secret_store import NAME, ReadSecret, reader, variable_of
from shared.store import accounts
from shared.store.accounts import Configured
from shared.store.locks import lock_subject
from shared.store.operator_lists import agency_known

# Prefixes of secrets: catches a secret given where its name is expected.
LIKE_SECRETS = tuple(prefix for each in ONLINE.values() for prefix in each.secret_prefixes)
SECRETS = ", or ".join(each.secret_text for each in ONLINE.values())
WEBHOOK_SECRETS = ", or ".join(each.webhook_secret_text for each in ONLINE.values())
COLUMNS = {
    "agency_id": "agency",
    "provider": "provider",
    "secret": "secret",
    "secret_found": "found here",
    "test": "test",
    "rate_per_second": "rate /s",
    "webhook_secret": "webhook secret",
    "webhooks": "webhook path",
    "shared": "shared",
}


@click.group("account")
def account_command() -> None:
    """Manage agencies' accounts with payment providers."""


@account_command.command("set")
@click.option("--agency", required=True, help="The agency's id.")
@click.option("--provider", type=click.Choice(list(ONLINE)), required=True, help="The payment provider.")
@click.option("--secret", required=True, help=f"The name of the secret that holds {SECRETS}.")
@click.option(
    "--rate", type=click.IntRange(1, 1000), default=DEFAULT_RATE, show_default=True, help="Charge attempts per second."
)
@click.option("--webhook-secret", help=f"The name of the secret that verifies webhooks: {WEBHOOK_SECRETS}.")
@click.option("--test", is_flag=True, help="This is a test account.")
@click.option("--shared", is_flag=True, help="Confirm that other agencies use the same account.")
@by_option
def set_command(
    *,
    agency: str,
    provider: str,
    secret: str,
    rate: int,
    webhook_secret: str | None,
    by: str | None,
    test: bool,
    shared: bool,
) -> None:
    """Set the provider account that an agency charges with."""
    _check_names(secret, webhook_secret)
    account = Configured(
        agency_id=agency,
        provider=provider,
        secret=secret,
        test=test,
        rate_per_second=rate,
        webhook_secret=webhook_secret,
        shared=shared,
    )
    with open_store() as store, store.transaction() as tx:
        lock_subject(tx, f"account/{provider}")
        if not agency_known(tx, agency):
            raise click.BadParameter(f"there is no agency {agency}", param_hint="--agency")
        accounts.configure(tx, account)
        tx.record(_set(account, who(by)))
        known = accounts.configured(tx)
    _tell(agency, account, known)


def _set(account: Configured, by: str) -> event_data.AccountSet:
    return event_data.AccountSet(
        agency_id=account.agency_id,
        provider=account.provider,
        secret_name=account.secret,
        webhook_secret_name=account.webhook_secret,
        rate_per_second=account.rate_per_second,
        is_test=account.test,
        is_shared=account.shared,
        by=by,
    )


def _tell(agency: str, account: Configured, known: Sequence[Configured]) -> None:
    provider, secret, webhook_secret = account.provider, account.secret, account.webhook_secret
    click.echo(f"{agency} charges with its {provider} account; its secret is {variable_of(secret)}, or a file {secret}")
    if reader()(secret) is None:
        click.echo("this secret is not set here: the charges process needs it and waits until it is")
    if webhook_secret is not None:
        click.echo(f"its webhook path is {webhooks_of(account)}, verified with {variable_of(webhook_secret)}")
    if several := unsaid_sharing(account, known, reader()):
        click.echo(several)


def webhooks_of(account: Configured) -> str:
    """The path to which the provider sends the webhooks of an account."""
    return f"/webhooks/{account.provider}/{segment(account.agency_id)}"


def unsaid_sharing(account: Configured, known: Sequence[Configured], read: ReadSecret) -> str | None:
    """The agencies that share an account, and what to do about it; None if it is not shared or all of them confirmed it.

    The same account: the same name of a secret, or the same secret under two names.
    """
    value = read(account.secret)
    found = [
        each
        for each in known
        if each.provider == account.provider
        and (each.secret == account.secret or (value is not None and read(each.secret) == value))
    ]
    if len(found) < 2 or all(each.shared for each in found):
        return None
    return (
        f"{' and '.join(each.agency_id for each in found)} collect through the same {account.provider} account: give each an"
        " account of its own, or confirm it for each of them: duecycle account set --shared"
    )


@account_command.command("list")
@agency_option
@json_option
def list_command(agency: str | None, *, as_json: bool) -> None:
    """List accounts, and whether this process finds their secrets."""
    read = reader()
    with open_store() as store, store.transaction() as tx:
        found = accounts.configured(tx, agency)
    rows = [
        {**each._asdict(), "secret_found": read(each.secret) is not None, "webhooks": webhooks_of(each)}
        for each in found
    ]
    print_rows(rows, COLUMNS, AccountRow, as_json=as_json, none="no account is set up; see: duecycle account set")


def _check_names(secret: str, webhook_secret: str | None) -> None:
    for option, name in (("--secret", secret), ("--webhook-secret", webhook_secret)):
        if name is not None and (not NAME.fullmatch(name) or name.startswith(LIKE_SECRETS)):
            wrong = (
                "give its name, in lower-case letters, digits, - and _; the value goes into the environment or a file"
            )
            raise click.BadParameter(wrong, param_hint=option)
