"""Events: append-only, numbered without gaps within their subject, published once by the relay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.store import bulk, tables
from shared.store.tx import Event, Tx

_COLUMNS = ("agency_id", "type", "subject", "subject_seq", "at", "data")
_encode = msgspec.json.encode


def write(tx: Tx, agency_id: str, events: Sequence[Event]) -> None:
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


def unpublished(tx: Tx, limit: int) -> list[Unpublished]:
    """The oldest events nobody has published, by id; an event committed late with a lower id is among them."""
    return [
        Unpublished._make(row)
        for row in tx.rows(
            """
            SELECT agency_id, event_id, type, subject, subject_seq, at, data FROM events
            WHERE published_at IS NULL ORDER BY event_id LIMIT :limit
            """,
            limit=limit,
        )
    ]


def mark_published(tx: Tx, published: Sequence[Unpublished]) -> None:
    """Record that the exchange has confirmed these events."""
    tx.run(
        """
        UPDATE events AS e SET published_at = :at
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[])) AS v(agency_id, event_id)
        WHERE e.agency_id = v.agency_id AND e.event_id = v.event_id
        """,
        at=tx.as_of,
        agencies=[event.agency_id for event in published],
        ids=[event.event_id for event in published],
    )
