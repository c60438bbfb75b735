"""Rows of the ledger that hold several periods of which only the end matters: all of them are skipped for one reason."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Final, NamedTuple

from shared.domain.calendar import due_at
from shared.domain.facts import Agency, Stream
from shared.domain.planning import Rhythm
from shared.store import bulk, tables
from shared.store.database import Transaction
from shared.store.errors import require_all


class Span(NamedTuple):
    """Skipped periods that follow each other, as one row."""

    agency_id: str
    subscription_id: str
    stream: Stream
    starts_on: date
    ends_on: date
    cycle_index: int
    periods: int
    rhythm: Rhythm
    due_at: datetime
    reason: str
    settled_at: datetime


_COLUMNS: Final = (
    *("agency_id", "subscription_id", "stream", "starts_on", "ends_on", "cycle_index", "periods", "rhythm"),
    *("due_at", "reason", "settled_at", "state"),
)


def insert(tx: Transaction, spans: Sequence[Span]) -> None:
    """Write rows; of one period they are cycles like any other."""
    rows = [
        (*each._replace(rhythm=None if each.periods == 1 else each.rhythm.text()), "skipped")  # type: ignore[arg-type]
        for each in spans
    ]
    bulk.insert(tx, tables.cycles, _COLUMNS, rows)


def overlapping(
    tx: Transaction, agency_id: str, subscription_id: str | None, *, stream: str | None, from_on: date, to_on: date
) -> list[Span]:
    """The rows of several periods that reach into a half-open span of days."""
    rows = tx.rows(
        f"""
        SELECT {", ".join(_COLUMNS[:-1])} FROM cycles
        WHERE agency_id = :agency_id AND periods > 1 AND starts_on < :to_on AND ends_on > :from_on
          AND (CAST(:subscription_id AS text) IS NULL OR subscription_id = :subscription_id)
          AND (CAST(:stream AS text) IS NULL OR stream = :stream)
        ORDER BY subscription_id, stream, starts_on
        """,  # noqa: S608
        agency_id=agency_id,
        subscription_id=subscription_id,
        stream=stream,
        from_on=from_on,
        to_on=to_on,
    )
    return [Span._make((*row[:7], Rhythm.of(row[7]), *row[8:])) for row in rows]


def split(tx: Transaction, agency: Agency, spans: Sequence[Span], from_on: date, to_on: date) -> None:
    """Let the periods that start in [from_on, to_on) be rows of their own, the others before and after them stay together."""
    if not spans:
        return
    deleted = tx.run(
        """
        DELETE FROM cycles AS c
        USING unnest(CAST(:ids AS text[]), CAST(:streams AS text[]), CAST(:starts AS date[])) AS v(id, stream, starts_on)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.id AND c.stream = v.stream AND c.starts_on = v.starts_on
        """,
        agency_id=agency.agency_id,
        ids=[each.subscription_id for each in spans],
        streams=[each.stream for each in spans],
        starts=[each.starts_on for each in spans],
    )
    require_all(deleted, len(spans), f"cycles of {agency.agency_id}")
    insert(tx, [piece for each in spans for piece in _pieces(agency, each, from_on, to_on)])


def _pieces(agency: Agency, span: Span, from_on: date, to_on: date) -> Iterator[Span]:
    first, end = span.cycle_index, span.cycle_index + span.periods
    begin = min(max(span.rhythm.first_on_or_after(from_on), first), end)
    stop = min(max(span.rhythm.first_on_or_after(to_on), begin), end)
    alone = range(begin, stop + 1) if begin < stop else ()
    for index, following in pairwise(sorted({first, *alone, end})):
        starts_on = span.starts_on if index == first else span.rhythm.boundary(index)
        yield span._replace(
            starts_on=starts_on,
            ends_on=span.ends_on if following == end else span.rhythm.boundary(following),
            cycle_index=index,
            periods=following - index,
            due_at=due_at(starts_on, agency.timezone, agency.issue_time),
        )
