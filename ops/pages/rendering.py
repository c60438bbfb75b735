"""Rows, messages and log lines as text that is the same in each run."""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from inspect import getsourcefile
from pathlib import Path
from typing import Any

import msgspec

from ops.pages.story import Change, Step

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 118
# Counters of the database, digests, and what the page shows elsewhere: a message's bytes, frozen names and addresses.
HIDDEN = frozenset(
    {
        *("inbox_id", "event_id", "digest", "credential", "raw", "snapshot", "context", "request", "effective_at"),
        *("received_at", "known_since", "instructed_at", "recorded_at", "agency_id", "waits"),
    }
)
ELSEWHERE = frozenset({"events"})  # shown as what they are, with their data
# What differs from run to run, and an example of it.
EXAMPLES: Mapping[str, Any] = {"seconds": 0.0312, "message_id": "0f8fad5b-d9cb-469f-a165-70867728950e"}


def link(code: Callable[..., Any] | type) -> str:
    """A function or class by its name, as a link to its file."""
    path = Path(getsourcefile(code) or "").resolve().relative_to(ROOT)
    return f"[`{code.__name__}`](../{path.as_posix()})"


def rows(changes: Sequence[Change]) -> Iterator[str]:
    """A line for each row that is new (+) or has changed (~), with the columns that say something."""
    for change in changes:
        if change.table not in ELSEWHERE:
            text = _added(change.after) if change.before is None else _moved(change.before, change.after)
            if text:
                sign = "+" if change.before is None else "~"
                yield from textwrap.wrap(
                    f"{sign} {change.table}: {text}", WIDTH, subsequent_indent="    ", break_on_hyphens=False
                )


def _added(after: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in after.items() if value and name not in HIDDEN)


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    moved = {name: value for name, value in after.items() if value != before[name] and name not in HIDDEN}
    which = next((f"{name} {after[name]}: " for name in ("stream",) if name in after and "attempt" not in after), "")
    return (
        which + ", ".join(f"{name} {_was(before[name])}{shown(value)}" for name, value in moved.items())
        if moved
        else ""
    )


def _was(value: Any) -> str:
    return "→ " if value is None else f"{shown(value)} → "


def shown(value: Any) -> str:
    """A value of a row."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return str(value)


def instant(value: datetime) -> str:
    """An instant in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def events(step: Step) -> Iterator[str]:
    """The events that a step recorded, each with its number within its subject and its data."""
    for change in step.changes:
        if change.table == "events" and change.before is None:
            row = change.after
            data = json.dumps(dict(sorted(row["data"].items())), ensure_ascii=False)
            yield from textwrap.wrap(
                f"{row['subject']} #{row['subject_seq']} {row['type']} {data}",
                WIDTH,
                subsequent_indent="    ",
                break_on_hyphens=False,
                break_long_words=False,
            )


def log_lines(step: Step, process: str) -> Iterator[str]:
    """The log as a process writes it; what differs from run to run is replaced by an example."""
    for line in step.log:
        told = {name: EXAMPLES.get(name, value) for name, value in line.items() if name != "log_level"}
        event = {"event": told.pop("event"), **told}
        yield json.dumps({**event, "level": line["log_level"], "timestamp": instant(step.at), "process": process})


def work_messages(step: Step) -> Iterator[str]:
    """The messages that were published, by their queue."""
    for due in step.due:
        body = {"agency_id": due.agency_id, "ids": due.ids, "again": due.again}
        yield f"{due.pool}: {json.dumps(body)}"


def block(lines: Sequence[str], language: str = "text") -> list[str]:
    """Lines in a fence; nothing if there are none."""
    return [f"```{language}", *lines, "```", ""] if lines else []
