"""The page itself: everything inline, nothing loaded, no script from the data; the same rows give the same bytes."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from ops.report.axis import Axis
from ops.report.figures_view import outcomes_section, tiles, troubles_section
from ops.report.gather import gather_lanes
from ops.report.lane_view import lanes_section
from ops.report.money_view import money_section
from ops.report.summary import Summary, summarise
from ops.report.wording import amount_text, count_text, date_text, esc, money_text, period_text

FILE_NAME = "report.html"
Outage = tuple[datetime, datetime] | None


def write_report(
    folder: Path, *, title: str, since: datetime, until: datetime, outage: Outage, input_name: str, seed: int
) -> Path:
    """Write `folder/report.html` from the .jsonl files of a run and return its path.

    The page shows `since` to `until`, two aware instants, as whole UTC days; `outage` is the half-open span in which
    nothing ran. A missing file counts as an empty one. Every text is escaped, no clock is read.

    Raises ValueError, naming file and line, for a line that is not a row of its file.
    """
    path = folder / FILE_NAME
    axis = Axis.over(since, until)
    summary = summarise(folder)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(_page(folder, summary, axis, title=title, outage=outage, input_name=input_name, seed=seed))
    return path


def _page(
    folder: Path, summary: Summary, axis: Axis, *, title: str, outage: Outage, input_name: str, seed: int
) -> Iterator[str]:
    style, script = _asset("report.css"), _asset("report.js")
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}'"
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{esc(title)}</title>\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta name="color-scheme" content="light dark">\n<style>{style}</style></head><body>\n'
    nav = "" if summary.nothing_happened else _nav(summary)
    yield f"<header><h1>{esc(title)}</h1>{_facts(axis, outage, input_name, seed)}{nav}</header><main>\n"
    if summary.nothing_happened:
        yield '<p class="verdict">Nothing happened: no cycle fell due, no document was made, no line was rejected.</p>'
    else:
        yield f'<p class="verdict">{_verdict(summary)}</p>\n'
        yield from tiles(summary)
        yield from money_section(summary, axis, outage)
        yield from outcomes_section(summary)
        if summary.tallies:
            yield from lanes_section(gather_lanes(folder, summary, axis), axis, outage)
        yield from troubles_section(summary)
    yield "</main>\n<footer>Duecycle. This page needs no network. The rows behind it are beside it, in .jsonl "
    yield "files: orders, invoices, charges, notices, cycles, events, rejected.</footer>\n"
    yield f'<div id="tip" role="tooltip" hidden></div><script>{script}</script></body></html>\n'


def _asset(name: str) -> str:
    return files("ops.report").joinpath(name).read_text(encoding="utf-8")


def _facts(axis: Axis, outage: Outage, input_name: str, seed: int) -> str:
    first_on, end_on = axis.begins_at.date(), axis.ends_at.date()
    facts = [
        ("Simulated", f"{period_text(first_on, end_on)} {(end_on - timedelta(days=1)).year}"),
        ("Days", f"{axis.days:,}"),
        ("Input", input_name),
        ("Seed", str(seed)),
    ]
    if outage:
        text = f"{date_text(outage[0].date(), year=True)} until {date_text(outage[1].date(), year=True)}"
        facts.append(("Outage", text))
    return "<dl>" + "".join(f"<div><dt>{name}<dd>{esc(text)}</div>" for name, text in facts) + "</dl>"


def _nav(summary: Summary) -> str:
    links = [("money", "Money", summary.money), ("outcomes", "Outcomes", summary.cycles)]
    links += [
        ("lanes", "Subscriptions", summary.tallies),
        ("troubles", "Failures", True),
        ("rejected", "Rejected", True),
    ]
    return "<nav>" + "".join(f'<a href="#{target}">{text}</a>' for target, text, shown in links if shown) + "</nav>"


def _verdict(summary: Summary) -> str:
    """The run in two sentences."""
    agencies = len({agency_id for agency_id, _ in summary.tallies})
    orders, invoices = summary.orders.total(), summary.invoices.total()
    text = (
        f"{count_text(len(summary.tallies), 'subscription')} of {count_text(agencies, 'agency', 'agencies')} made "
        f"{count_text(orders, 'order')} and {count_text(invoices, 'invoice')}."
    )
    amounts = [
        f"{money_text(money.collected_minor, currency)} of {amount_text(money.invoiced_minor, currency)}"
        for currency, money in sorted(summary.money.items(), key=lambda item: (-item[1].invoices, item[0]))[:3]
    ]
    if amounts:
        text += f" Collected: {', '.join(amounts)}."
    held, blocked, failing = summary.now("held"), summary.now("blocked"), summary.invoices["failing"]
    if not (held or blocked or failing):
        return esc(f"{text} At the end nothing is held, blocked or failing.")
    parts = [
        count_text(held, "cycle is held", "cycles are held") if held else "",
        count_text(blocked, "cycle is blocked", "cycles are blocked") if blocked else "",
        count_text(failing, "invoice is failing", "invoices are failing") if failing else "",
    ]
    return esc(f"{text} At the end {', '.join(filter(None, parts))}.")
