"""Events: append-only, numbered without gaps within their subject, published once by the relay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.store import bulk, tables
from shared.store.transaction import Event, Transaction

_COLUMNS = ("agency_id", "type", "subject", "subject_seq", "at", "data")
_encode = msgspec.json.encode


def write(tx: Transaction, agency_id: str, events: Sequence[Event]) -> None:
    """Append events; the caller holds the lock of every subject, so the numbers have no gap and no race."""
    if not events:
        return
    subjects = list({event.subject for event in events})
    last = {
        row[0]: row[1]
        for row in tx.rows(
            """
            SELECT s.subject, e.subject_seq FROM unnest(CAST(:subjects AS text[])) AS s(subject)
            CROSS JOIN LATERAL (SELECT subject_seq FROM events WHERE agency_id = :agency_id AND subject = s.subject
                                ORDER BY subject_seq DESC LIMIT 1) AS e
            """,
            agency_id=agency_id,
            subjects=subjects,
        )
    }
    rows = []
    for event in events:
        seq = last[event.subject] = last.get(event.subject, 0) + 1
        rows.append((agency_id, event.type, event.subject, seq, tx.as_of, _encode(event.data).decode()))
    if bulk.insert(tx, tables.events, _COLUMNS, rows) != len(rows):
        raise RuntimeError("an event number was taken: a subject was written without its lock")


class Unpublished(NamedTuple):
    """An event on its way out."""

    agency_id: str
    event_id: int
    type: str
    subject: str
    subject_seq: int
    at: datetime
    data: Any


_COLUMNS_OUT = "e.agency_id, e.event_id, e.type, e.subject, e.subject_seq, e.at, e.data"


def unpublished(tx: Transaction, limit: int) -> list[Unpublished]:
    """The oldest events that nobody has tried to publish, by id; an event committed late with a lower id is among them."""
    return [
        Unpublished._make(row)
        for row in tx.rows(
            f"""
            SELECT {_COLUMNS_OUT} FROM events AS e
            WHERE e.published_at IS NULL AND NOT e.waits ORDER BY e.event_id LIMIT :limit
            """,  # noqa: S608
            limit=limit,
        )
    ]


def mark_published(tx: Transaction, published: Sequence[Unpublished]) -> None:
    """Record that the exchange has confirmed these events. What waited behind them goes out next."""
    if not published:
        return
    of = _ids(published)
    tx.run(
        """
        UPDATE events AS e SET published_at = :at, waits = false
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[])) AS v(agency_id, event_id)
        WHERE e.agency_id = v.agency_id AND e.event_id = v.event_id
        """,
        at=tx.as_of,
        **of,
    )


class History(NamedTuple):
    """Which events are read again: of one agency or of all, of one subject, and since when."""

    agency_id: str | None = None
    subject: str | None = None
    since: datetime | None = None


def recorded(tx: Transaction, which: History, after: tuple[str, int], limit: int) -> list[Unpublished]:
    """The next events after (agency, event id) that the exchange has confirmed: agency by agency, each subject's in order.

    The others are the relay's: it is still to publish them, and would publish them again after us.
    """
    conditions = ["e.published_at IS NOT NULL", "(e.agency_id, e.event_id) > (:after_agency, :after_id)"]
    conditions += [f"e.{name} = :{name}" for name in ("agency_id", "subject") if getattr(which, name) is not None]
    conditions += ["e.at >= :since"] if which.since is not None else []
    return [
        Unpublished._make(row)
        for row in tx.rows(
            f"""
            SELECT {_COLUMNS_OUT} FROM events AS e WHERE {" AND ".join(conditions)}
            ORDER BY e.agency_id, e.event_id LIMIT :limit
            """,  # noqa: S608
            after_agency=after[0],
            after_id=after[1],
            limit=limit,
            **{name: value for name, value in which._asdict().items() if value is not None},
        )
    ]


def _ids(events: Sequence[Unpublished]) -> dict[str, list[Any]]:
    return {"agencies": [event.agency_id for event in events], "ids": [event.event_id for event in events]}
