"""`duecycle status`: due and stuck work, and the state of the pools, at a glance."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from ops.connect import open_store, settings_for
from ops.json_rows import StatusRow, json_line
from ops.output import agency_option, lasted, shown
from shared.broker.errors import BrokerError
from shared.broker.startup_check import queue_loads
from shared.messages.work import POOLS
from shared.settings import Settings
from shared.store import figures, pauses
from shared.store.database import Store
from shared.store.errors import unreachable
from shared.store.figures import Count, Figures


@click.command("status")
@agency_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--watch", type=click.IntRange(1, 3600), is_flag=False, flag_value=2, help="Refresh every this many seconds [2]."
)
def status_command(agency: str | None, watch: int | None, *, as_json: bool) -> None:
    """Show due, held and blocked work, and the queues.

    Queues are shown if DUECYCLE_BROKER_URL is set.
    """
    settings = settings_for("DATABASE_URL")
    with open_store(settings) as store:
        if as_json:
            click.echo(json_line(look(store, settings, agency), StatusRow))
            return
        console = Console(highlight=False)
        if watch is None:
            console.print(page(look(store, settings, agency)))
            return
        picture = Picture(store, settings, agency)
        with Live(console=console, auto_refresh=False) as live:
            try:
                while True:
                    live.update(picture.now(), refresh=True)
                    time.sleep(watch)
            except KeyboardInterrupt:
                return


class Picture:
    """The screen of --watch: the current figures or, while the database can't be asked, why not and the last ones."""

    def __init__(self, store: Store, settings: Settings, agency: str | None) -> None:
        self.store = store
        self._settings, self._agency = settings, agency
        self._last: Group | str = "no figures yet"

    def now(self) -> Group:
        """The figures of now."""
        try:
            self._last = page(look(self.store, self._settings, self._agency))
        except Exception as error:  # noqa: BLE001 - whatever failed, the next refresh may work
            words = f"the database can't be asked ({unreachable(error)}); trying again. Last figures:"
            return Group(words, "", self._last)
        return self._last


def look(store: Store, settings: Settings, agency: str | None) -> dict[str, Any]:
    """Everything that the command shows, as plain data."""
    with store.transaction() as tx:
        found = figures.snapshot(tx, agency)
        paused = pauses.shown(tx)
    cycles = [
        {
            "stream": each.stream,
            "state": each.state,
            "reason": each.reason or None,
            "cycles": each.rows,
            "oldest_due_at": each.oldest_due_at,
            "oldest_seconds": _age(found, each.oldest_due_at),
        }
        for each in found.cycles
    ]
    return {
        "as_of": found.as_of,
        "agency_id": agency,
        "cycles": cycles,
        "charges": {state: _count(found, count) for state, count in found.charges.items()},
        "charges_stuck": {reason: _count(found, count) for reason, count in sorted(found.charges_stuck.items())},
        "notices": {outcome or "untried": _count(found, each) for outcome, each in sorted(found.notices.items())},
        "other": {name: _count(found, getattr(found, name)) for name in _OTHER},
        "alarms": {"late_releases": found.late_releases, "refused_duplicates": found.refused_duplicates},
        "scheduler_seen_seconds": _age(found, found.beat_at),
        "accounts_paused": found.accounts_paused,
        "paused": [pause._asdict() for pause in paused if agency in (None, pause.agency_id) or not pause.agency_id],
        "queues": _queues(settings),
    }


_OTHER = {
    "schedules_due": "schedules to be planned",
    "rechecks": "changed facts to be processed",
    "refunds_open": "open refunds",
    "failing_invoices": "open failed invoices",
    "notices_due": "notices to be sent now",
    "notices_failed": "notices given up",
    "inbox_waiting": "messages from upstream waiting",
    "inbox_rejected": "messages from upstream rejected",
    "webhooks_unproven": "webhooks not confirmed by their provider yet",
    "webhooks_set_aside": "webhooks that could not be applied",
    "events_unpublished": "events not published yet",
    "events_refused": "events refused by a queue",
    "rechecks_failing": "changed facts that could not be processed",
    "schedules_failing": "schedules that can't be planned",
}


def _count(found: Figures, count: Count) -> dict[str, Any]:
    return {"count": count.rows, "oldest_at": count.oldest_at, "oldest_seconds": _age(found, count.oldest_at)}


def _age(found: Figures, then: datetime | None) -> int | None:
    return None if then is None else max(0, round((found.as_of - then).total_seconds()))


def _queues(settings: Settings) -> Any:
    """Depth and consumers by pool; words when the broker can't be asked; None when there is no address of one."""
    if not settings.broker_urls:
        return None
    try:
        return {
            pool: None if load is None else {"waiting": load[0], "consumers": load[1]}
            for pool, load in queue_loads(settings.broker_urls, "duecycle status").items()
        }
    except BrokerError as error:
        return {"error": str(error)}


def page(told: Mapping[str, Any]) -> Group:
    """The figures as tables."""
    alarms = told["alarms"]
    seen = told["scheduler_seen_seconds"]
    lines = [
        f"as of {shown(told['as_of'])}, scheduler seen {'never' if seen is None else lasted(seen) + ' ago'}",
        f"late releases {alarms['late_releases']}, refused duplicates {alarms['refused_duplicates']} (both must stay 0)",
    ]
    lines += [
        pauses.told(pause["pool"], pause["agency_id"], shown(pause["paused_at"]), pause["reason"])
        for pause in told["paused"]
    ]
    return Group(*lines, "", _cycles(told), "", _others(told), "", _pools(told))


def _cycles(told: Mapping[str, Any]) -> Table:
    table = _table("cycles", "state", "reason", "count", "oldest due for")
    for each in told["cycles"]:
        age = lasted(each["oldest_seconds"])
        table.add_row(each["stream"], each["state"], shown(each["reason"]), f"{each['cycles']:,}", age)
    if not told["cycles"]:
        table.add_row("none unsettled", "", "", "", "")
    return table


def _others(told: Mapping[str, Any]) -> Table:
    table = _table("what", "count", "oldest")
    rows = [(f"charges {state}", each) for state, each in told["charges"].items()]
    rows += [(f"charges and refunds stuck: {reason}", each) for reason, each in told["charges_stuck"].items()]
    rows += [(f"notices not sent yet: {outcome}", each) for outcome, each in told["notices"].items()]
    rows += [(label, told["other"][name]) for name, label in _OTHER.items()]
    for label, each in rows:
        if each["count"]:
            age = each["oldest_seconds"]
            table.add_row(label, f"{each['count']:,}", "-" if age is None else lasted(age))
    if told["accounts_paused"]:
        table.add_row("paused gateway accounts", str(told["accounts_paused"]), "-")
    return table


def _pools(told: Mapping[str, Any]) -> Table:
    table = _table("pool", "waiting", "consumers")
    queues = told["queues"]
    if queues is None or "error" in queues:
        table.add_row("queues", "-", "DUECYCLE_BROKER_URL is not set" if queues is None else queues["error"])
        return table
    for pool in (*POOLS, "changes"):
        each = queues[pool]
        table.add_row(pool, *(("-", "no queue") if each is None else (f"{each['waiting']:,}", str(each["consumers"]))))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("count", "waiting", "consumers") else "left")
    return table
