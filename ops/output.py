"""Output of commands: a table for people, or one JSON object per line for programs. And the person who ran them."""

import getpass
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ops.json_rows import JsonRow, json_line

WIDE = 240


def print_rows(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], struct: type[JsonRow], *, as_json: bool, none: str
) -> None:
    """Print rows: `columns` are those of the table, by key, with their headings; JSON has the fields of `struct`. `none` for no
    rows."""
    if as_json:
        print_json(rows, struct)
        return
    if not rows:
        click.echo(none)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(shown(row.get(key)) for key in columns))
    # In a file or a pipe there is no edge to keep to.
    Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(table)


def print_json(rows: Iterable[Mapping[str, Any]], struct: type[JsonRow]) -> None:
    """Print rows for programs."""
    for row in rows:
        click.echo(json_line(row, struct))


def shown(value: Any) -> str:
    """A value for people: timestamps in UTC to the second, a dash for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def lasted(seconds: float) -> str:
    """A span for people: 42 s, 3 min, 5 h, 2 d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def who(given: str | None) -> str:
    """The name for the audit trail: as given, else the operating system user."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
by_option = click.option("--by", help="Your name for the audit trail [operating system user].")
agency_option = click.option("--agency", help="Only this agency.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows to show."
)
