"""`duecycle notices`: list mails that could not be sent, send them again, or skip them."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from ops.connect import open_store
from ops.json_rows import NoticeRow
from ops.output import agency_option, by_option, json_option, limit_option, print_rows, who
from shared.domain.keys import notice_subject
from shared.domain.mailing import OUTCOMES, TROUBLES, last_try
from shared.messages import event_data
from shared.store import notice_desk
from shared.store.database import Store
from shared.store.locks import lock_subject
from shared.store.notice_desk import Listed, Wanted

STATES = ("planned", "due", "failed", "skipped", "sent")
ALL = 100_000
COLUMNS = {
    "agency_id": "agency",
    "key": "key",
    "recipient": "to",
    "state": "state",
    "outcome": "outcome",
    "tried_at": "last tried",
    "wake_at": "next try",
    "last_try_at": "given up at",
    "reason": "why",
}


@click.group("notices")
def notices_command() -> None:
    """List, send or skip mails that could not be delivered."""


@notices_command.command("list")
@agency_option
@click.option(
    "--state", type=click.Choice(STATES), help="Only those in this state [given up, or refused and being retried]."
)
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only those whose latest try had this outcome.")
@limit_option
@json_option
def list_command(agency: str | None, state: str | None, outcome: str | None, limit: int, *, as_json: bool) -> None:
    """List mails that were given up or are being retried, oldest first.

    A mail to be retried later is planned, and due once that time comes.
    """
    with open_store() as store, store.transaction() as tx:
        found = notice_desk.listed(tx, Wanted(agency, state, outcome), limit)
    rows = [{**each._asdict(), "last_try_at": _last_try(each)} for each in found]
    print_rows(rows, COLUMNS, NoticeRow, as_json=as_json, none="no mail was refused")


def _last_try(row: Listed) -> Any:
    trouble = next((each for each in TROUBLES if each == row.outcome), None)
    return last_try(trouble, row.refused_since) if trouble is not None and row.state in ("planned", "due") else None


def _chosen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--agency with KEYS or --failed."""
    for option in (
        by_option,
        click.option("--outcome", type=click.Choice(TROUBLES), help="With --failed: only those with this outcome."),
        click.option("--failed", is_flag=True, help="Every mail of the agency that was given up."),
        click.option("--agency", required=True, help="The agency's id."),
        click.argument("keys", nargs=-1),
    ):
        command = option(command)
    return command


@notices_command.command("send")
@_chosen_options
def send_command(keys: tuple[str, ...], agency: str, outcome: str | None, by: str | None, *, failed: bool) -> None:
    """Send mails of an agency now, to the current addresses, with all their tries again.

    A mail keeps its Message-ID, so that a mail program recognises a repeat.
    """
    with open_store(writes=True) as store:
        chosen = _chosen(store, keys, agency, outcome, failed=failed)
        with store.transaction() as tx:
            for key in chosen:
                lock_subject(tx, notice_subject(key))
            done = notice_desk.send_again(tx, agency, chosen)
            for key in done:
                tx.record(event_data.NoticeRetried(agency_id=agency, notice_key=key, by=who(by)))
    _tell(agency, chosen, done, "due now", "already sent or skipped")


@notices_command.command("skip")
@_chosen_options
@click.option("--reason", required=True, help="Why; stored with the mail.")
def skip_command(
    keys: tuple[str, ...], agency: str, outcome: str | None, by: str | None, reason: str, *, failed: bool
) -> None:
    """Skip mails of an agency, so that they are never sent."""
    with open_store(writes=True) as store:
        chosen = _chosen(store, keys, agency, outcome, failed=failed)
        with store.transaction() as tx:
            for key in chosen:
                lock_subject(tx, notice_subject(key))
            done = notice_desk.skip(tx, agency, chosen, reason)
            for key in done:
                skipped = event_data.NoticeSkipped(agency_id=agency, notice_key=key, reason=reason, by=who(by))
                tx.record(skipped)
    _tell(agency, chosen, done, "skipped", "already sent or skipped, or being sent right now")


def _chosen(store: Store, keys: Sequence[str], agency: str, outcome: str | None, *, failed: bool) -> list[str]:
    """The keys that are meant, sorted. Raises click errors (exit code 2) that say what to write."""
    if bool(keys) == failed:
        raise click.UsageError("give the keys of mails, or --failed; see: notices list")
    if outcome is not None and not failed:
        raise click.UsageError("--outcome needs --failed; leave it out with keys")
    with store.transaction() as tx:
        if failed:
            return sorted(each.key for each in notice_desk.listed(tx, Wanted(agency, "failed", outcome), ALL))
        known = notice_desk.known(tx, agency, keys)
    unknown = sorted(set(keys) - known)
    if unknown:
        raise click.BadParameter(f"there is no mail {unknown[0]} of {agency}; see: notices list", param_hint="KEYS")
    return sorted(known)


def _tell(agency: str, chosen: Sequence[str], done: Sequence[str], what: str, otherwise: str) -> None:
    click.echo(f"{len(done)} of {len(chosen)} mails of {agency} {'is' if len(done) == 1 else 'are'} {what}")
    for key in sorted(set(chosen) - set(done)):
        click.echo(f"left unchanged: {key} ({otherwise})", err=True)
