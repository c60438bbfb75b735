"""`duecycle simulate`: play a file of messages and write everything that happened to a folder."""

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.json_rows import SummaryRow, json_line
from ops.report import write_report
from ops.servers.postgres import EmbeddedPostgres
from ops.servers.postgres_programs import find_binaries
from ops.simulate.outputs import write_outputs
from ops.simulate.run import Outage, Ran, run
from ops.simulate.summary import Summary, summarise
from ops.simulate.upstream import Upstream
from ops.simulate.world import World
from shared.store import deployment, migrate
from shared.store.database import FixedClock, Store, make_engine
from shared.store.invariants import violations

WAITED_FOR_MAX = 5
OWN = ("postgres", "mails", "report.html", "summary.json")


class Day(click.ParamType[date]):
    """A date on the command line."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            found = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a calendar date; write it as YYYY-MM-DD, for example 2026-09-05", param, ctx)
        if not 1970 <= found.year <= 2199:
            self.fail(f"{value} is outside 1970-01-01 … 2199-12-31", param, ctx)
        return found


class Span(click.ParamType[Outage]):
    """FROM..TO on the command line: a half-open span of dates, as UTC midnights."""

    name = "from..to"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Outage:
        if isinstance(value, Outage):
            return value
        first, dots, last = value.partition("..")
        if not dots:
            self.fail(f"{value!r} is not a span; write FROM..TO, for example 2026-07-01..2026-08-01", param, ctx)
        since, until = (Day().convert(each, param, ctx) for each in (first, last))
        if since >= until:
            self.fail(f"{value!r} ends before it begins; FROM must be earlier than TO", param, ctx)
        return Outage(*(datetime.combine(each, datetime.min.time(), UTC) for each in (since, until)))


@click.command("simulate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--until", type=Day(), required=True, help="Last day of the run (inclusive, in each agency's time zone).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--outage", type=Span(), help="Simulate an outage between these dates (UTC midnights, the last one exclusive)."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Shuffle the order of work repeatably; 0 keeps it in order."
)
@click.option("--force", is_flag=True, help="Replace the files of an earlier run in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def simulate_command(
    file: Path, until: date, out: Path, outage: Outage | None, seed: int, *, force: bool, as_json: bool
) -> None:
    """Simulate billing from a file of change messages.

    The real scheduler and pools run under a virtual clock.
    """
    programs = find_binaries()  # before anything of the last run is removed
    _prepare(out, force=force)
    console = Console(stderr=True)
    with EmbeddedPostgres(out / "postgres", durable=False, binaries=programs) as server:
        migrate.upgrade(server.url())
        clock = FixedClock(datetime(1970, 1, 1, tzinfo=UTC))
        store = Store(make_engine(server.url(), ping=False, prepare_threshold=5), clock)
        with store.transaction() as tx:
            deployment.fix(tx, "simulation")
        try:
            ran = _run(
                store, clock, World(store, out / "mails", seed), file=file, until=until, outage=outage, console=console
            )
            write_outputs(store, out, ran.left)
            summary = summarise(store, ran)
            broken = violations(store)
        finally:
            store.engine.dispose()
    shutil.rmtree(out / "postgres", ignore_errors=True)
    (out / "summary.json").write_text(json.dumps(summary.as_json(), indent=2) + "\n")
    span = None if outage is None else (outage.since, outage.until)
    report = write_report(
        out, title="Duecycle run", since=ran.since, until=ran.until, outage=span, input_name=file.name, seed=seed
    )
    _show(summary, report, as_json=as_json)
    unheard = _unheard(file, summary, ran)
    if unheard:
        click.echo(unheard, err=True)
    for violation in broken:
        click.echo(f"broken: {violation}", err=True)
    if broken or unheard:
        raise SystemExit(1)


def _unheard(file: Path, summary: Summary, ran: Ran) -> str | None:
    """The error for a run in which no message was applied: why the first was not, and what the others wait for."""
    counts = summary.counts["messages"]
    if ran.lines == 0 or counts.get("applied") or counts.get("stale"):
        return None
    rejected = [f"line {line.number}: {said.reason}" for line, said in ran.left if said.state == "rejected"]
    waiting = sorted({said.reason for _, said in ran.left if said.state == "waiting"})
    why = "; ".join([*rejected[:1], *waiting[:WAITED_FOR_MAX]])
    return f"this run did nothing: no message of {file.name} was applied: {why}; see rejected.jsonl and waiting.jsonl"


def _prepare(out: Path, *, force: bool) -> None:
    if out.exists() and any(out.iterdir()):
        if not force:
            raise click.BadParameter(
                f"{out} is not empty; choose another folder, or add --force to replace the last run", param_hint="--out"
            )
        for old in out.iterdir():
            if old.suffix == ".jsonl" or old.name in OWN:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    out.mkdir(parents=True, exist_ok=True)


def _run(
    store: Store, clock: FixedClock, world: World, *, file: Path, until: date, outage: Outage | None, console: Console
) -> Ran:
    upstream = Upstream(file)
    last = datetime.combine(until, datetime.min.time(), UTC)
    first = upstream.start or last
    days = max(1, (last - first).days + 1)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("simulating", total=days, at="")

        def progress(at: datetime, lines: int) -> None:
            bar.update(task, completed=(at - first).days, at=f"{at:%Y-%m-%d %H:%M}  {lines} messages")

        return run(store, clock, world, upstream=upstream, until_on=until, outage=outage, progress=progress)


def _show(summary: Summary, report: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_line(summary.as_json(), SummaryRow))
        return
    table = Table(title="Results of the run", title_justify="left")
    table.add_column("What")
    table.add_column("Count", justify="right")
    table.add_column("Of these")
    for what, count, of_these in summary.rows():
        table.add_row(what, count, of_these)
    Console().print(table)
    click.echo(f"Report: {report}")
