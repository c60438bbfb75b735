"""The inbox: every upstream message, with what became of it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.store.transaction import Tx

TELL_WAITING_AFTER = timedelta(minutes=5)


class Arrived(NamedTuple):
    """A message as it arrived; `agency_id` and `type` are empty when they could not be read."""

    source: str
    id: str
    agency_id: str
    type: str
    time: datetime | None
    raw: bytes


class Waiting(NamedTuple):
    """A message that refers to something not yet known."""

    inbox_id: int
    source: str
    id: str
    raw: bytes
    received_at: datetime
    told_waiting_at: datetime | None


_WAITING = "inbox_id, source, id, raw, received_at, told_waiting_at"


def store(tx: Tx, arrived: Arrived) -> int | None:
    """Keep a message. Returns its row's id, None if it was stored before (source and id say so)."""
    found: int | None = tx.scalar(
        """
        INSERT INTO inbox (source, id, agency_id, type, time, received_at, raw, state)
        VALUES (:source, :id, :agency_id, :type, :time, :received_at, :raw, 'waiting')
        ON CONFLICT (source, id) DO NOTHING RETURNING inbox_id
        """,
        **arrived._asdict(),
        received_at=tx.as_of,
    )
    return found


def settle(tx: Tx, inbox_id: int, state: str, field: str | None = None, reason: str | None = None) -> None:
    """Record what became of a message: applied, stale or rejected."""
    tx.run(
        """
        UPDATE inbox SET state = :state, field = :field, reason = :reason, waits_for = NULL, wake_at = NULL,
               settled_at = :as_of
        WHERE inbox_id = :inbox_id
        """,
        inbox_id=inbox_id,
        state=state,
        field=field,
        reason=reason,
        as_of=tx.as_of,
    )


def wait(tx: Tx, inbox_id: int, waits_for: str, wake_at: datetime | None) -> None:
    """Leave a message until `waits_for` arrives; `wake_at` is when upstream is told that it waits."""
    tx.run(
        "UPDATE inbox SET state = 'waiting', waits_for = :waits_for, wake_at = :wake_at WHERE inbox_id = :inbox_id",
        inbox_id=inbox_id,
        waits_for=waits_for,
        wake_at=wake_at,
    )


def waiting_for(tx: Tx, agency_id: str, keys: Collection[str]) -> list[Waiting]:
    """The messages of an agency that wait for one of these, in the order they came."""
    rows = tx.rows(
        f"""
        SELECT {_WAITING} FROM inbox
        WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[])) ORDER BY inbox_id
        """,  # noqa: S608
        agency_id=agency_id,
        keys=list(keys),
    )
    return [Waiting._make(row) for row in rows]


def waiting_rows(tx: Tx, agency_id: str, ids: Collection[int]) -> list[Waiting]:
    """Messages of an agency that still wait, by their row ids."""
    rows = tx.rows(
        f"""
        SELECT {_WAITING} FROM inbox
        WHERE agency_id = :agency_id AND inbox_id = ANY(CAST(:ids AS bigint[])) AND state = 'waiting' ORDER BY inbox_id
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
    )
    return [Waiting._make(row) for row in rows]


def wake(tx: Tx, agency_id: str, keys: Collection[str]) -> int:
    """Let intake look again, now, at the messages that wait for one of these. Returns how many."""
    if not keys:
        return 0
    return tx.run(
        """
        UPDATE inbox SET wake_at = :as_of
        WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[]))
        """,
        agency_id=agency_id,
        keys=list(keys),
        as_of=tx.as_of,
    )


def awaited(tx: Tx, agency_id: str, keys: Collection[str]) -> set[str]:
    """Which of these keys some message waits for."""
    rows = tx.rows(
        """
        SELECT DISTINCT waits_for FROM inbox
        WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[]))
        """,
        agency_id=agency_id,
        keys=list(keys),
    )
    return {row[0] for row in rows}


def awaited_invoices(tx: Tx, agency_id: str) -> set[str]:
    """What messages about invoices wait for: the invoice itself, or the settlement of its charge. Nearly always empty."""
    rows = tx.rows(
        """
        SELECT DISTINCT waits_for FROM inbox
        WHERE agency_id = :agency_id AND state = 'waiting'
          AND (waits_for LIKE 'invoice%' OR waits_for LIKE 'settlement/%')
        """,
        agency_id=agency_id,
    )
    return {row[0] for row in rows}


def told_waiting(tx: Tx, inbox_id: int) -> None:
    """Upstream was told that this message waits."""
    tx.run(
        "UPDATE inbox SET told_waiting_at = :as_of, wake_at = NULL WHERE inbox_id = :inbox_id",
        inbox_id=inbox_id,
        as_of=tx.as_of,
    )


def wake_at(tx: Tx, inbox_id: int, at: datetime) -> None:
    """Look at a waiting message again then."""
    tx.run("UPDATE inbox SET wake_at = :at WHERE inbox_id = :inbox_id", inbox_id=inbox_id, at=at)
