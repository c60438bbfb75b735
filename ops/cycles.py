"""``duecycle cycles``: print the boundaries of a recurrence, to check an anchor before a subscription uses it."""

import re
from collections.abc import Iterator
from datetime import date, time
from difflib import get_close_matches
from typing import Any, get_args

import click

from ops.json_rows import CycleRow, json_line
from shared.domain.calendar import Recurrence, Unit, due_at, zone_exists, zone_names

_MOST = 10_000_000  # more than the days of the years 1 to 9999
_HEADINGS = ("index", "starts on", "ends on", "due at (UTC)")


def _date(text: str) -> date:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        raise click.BadParameter(f"{_shortened(text)} is not a date: write it as YYYY-MM-DD, for example 2026-01-31.")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text} does not exist ({error}): give a date of the calendar.") from error


def _time(text: str) -> time:
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text) is None:
        raise click.BadParameter(f"{_shortened(text)} is not a time of day: write it as HH:MM, from 00:00 to 23:59.")
    return time.fromisoformat(text)


def _zone(text: str) -> str:
    if zone_exists(text):
        return text
    names = sorted(zone_names())
    known = {name.rpartition("/")[2].lower(): name for name in names} | {name.lower(): name for name in names}
    close = get_close_matches(text.lower()[:64], known, n=1, cutoff=0.85)
    hint = f"did you mean {known[close[0]]}?" if close else "give an IANA name such as Europe/Berlin."
    raise click.BadParameter(f"{_shortened(text)} is not a known time zone: {hint}")


def _whole_number(text: str | int) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise click.BadParameter(f"{_shortened(str(text))} is not a whole number: write digits only.") from error
    if abs(number) > _MOST:
        raise click.BadParameter(f"{_shortened(str(text))} is too large: stay within {_MOST:,}.")
    return number


def _at_least_one(text: str | int) -> int:
    number = _whole_number(text)
    if number < 1:
        raise click.BadParameter(f"{number} is too small: give a whole number of at least 1.")
    return number


@click.command("cycles")
@click.option("--anchor", "anchor_on", type=_date, metavar="DATE", required=True, help="First day of cycle 0.")
@click.option("--unit", type=click.Choice(get_args(Unit)), required=True, help="Unit of the recurrence.")
@click.option("--every", type=_at_least_one, metavar="N", default=1, show_default=True, help="Units per cycle.")
@click.option(
    "--timezone", "zone", type=_zone, metavar="ZONE", default="UTC", show_default=True, help="IANA time zone."
)
@click.option(
    "--issue-time",
    type=_time,
    metavar="HH:MM",
    default="00:00",
    show_default=True,
    help="Local time at which cycles fall due.",
)
@click.option(
    "--from-index",
    type=_whole_number,
    metavar="I",
    default=0,
    show_default=True,
    help="First cycle to print; negative: before the anchor.",
)
@click.option(
    "--count", type=_at_least_one, metavar="N", default=12, show_default=True, help="How many cycles to print."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def cycles_command(
    *,
    anchor_on: date,
    unit: Unit,
    every: int,
    zone: str,
    issue_time: time,
    from_index: int,
    count: int,
    as_json: bool,
) -> None:
    """Print when the cycles of a recurrence start and fall due.

    The end of a cycle is the start of the next. Cycles are counted from the anchor, so a cycle on the 31st falls on the
    last day of shorter months and on the 31st again after that.

    \b
    Example:
      duecycle cycles --anchor 2026-01-31 --unit month --timezone Europe/Berlin
    """
    recurrence = Recurrence(anchor_on, unit, every)
    _refuse_outside_calendar(recurrence, zone, issue_time, from_index, count)
    rows = _rows(recurrence, zone, issue_time, range(from_index, from_index + count))
    lines = (json_line(row, CycleRow) for row in rows) if as_json else _table(rows, from_index, count)
    for line in lines:
        click.echo(line)


def _rows(recurrence: Recurrence, zone: str, issue_time: time, indices: range) -> Iterator[dict[str, Any]]:
    starts_on = recurrence.boundary(indices[0])
    for index in indices:
        ends_on = recurrence.boundary(index + 1)
        yield {
            "index": index,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "due_at": due_at(starts_on, zone, issue_time),
        }
        starts_on = ends_on


def _refuse_outside_calendar(recurrence: Recurrence, zone: str, issue_time: time, from_index: int, count: int) -> None:
    """Check both ends before anything is printed; everything between them is then within the calendar too.

    Raises:
        click.BadParameter: the first or last cycle leaves the years 1 to 9999.
    """
    try:
        due_at(recurrence.boundary(from_index), zone, issue_time)
    except OverflowError as error:
        raise click.BadParameter(
            f"cycle {from_index} lies outside the years 1 to 9999: choose a cycle inside them.",
            param_hint="'--from-index'",
        ) from error
    try:
        recurrence.boundary(from_index + count)
    except OverflowError as error:
        raise click.BadParameter(
            f"cycle {from_index + count - 1} ends outside the years 1 to 9999: lower --count or --every.",
            param_hint="'--count'",
        ) from error


def _table(rows: Iterator[dict[str, Any]], from_index: int, count: int) -> Iterator[str]:
    """Aligned lines, one at a time: the width of a column is known before its rows are."""
    width = max(len(_HEADINGS[0]), len(str(from_index)), len(str(from_index + count - 1)))
    yield f"{_HEADINGS[0]:>{width}}  {_HEADINGS[1]:<10}  {_HEADINGS[2]:<10}  {_HEADINGS[3]}"
    for row in rows:
        at = row["due_at"].isoformat().replace("+00:00", "Z")
        yield f"{row['index']:>{width}}  {row['starts_on']}  {row['ends_on']}  {at}"


def _shortened(value: str) -> str:
    """A value for an error message, however long it was."""
    return repr(value if len(value) <= 64 else value[:63] + "…")
