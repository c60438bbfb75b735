"""Jumps of the database's clock that a process has measured, and an operator's word that the clock is right."""

from datetime import datetime
from typing import NamedTuple

from shared.store.clock_watch import MARK, ONE_WITH_OPEN_JUMP
from shared.store.database import Transaction
from shared.store.locks import lock_subject

SUBJECT = "clock"


class Known(NamedTuple):
    """The newest time at which a scheduler worked, and a jump that has not ended: when it was, what was seen, by whom."""

    worked_at: datetime | None
    expected_at: datetime | None
    seen_at: datetime | None
    found_by: str | None


def known(tx: Transaction) -> Known:
    """What is known of the clock."""
    (row,) = tx.rows(
        f"SELECT {MARK}, j.expected_at, j.seen_at, j.found_by FROM {ONE_WITH_OPEN_JUMP}"  # noqa: S608
    )
    return Known._make(row)


def accept(tx: Transaction, by: str) -> bool:
    """The clock is right as it is: every process goes on from here. Returns whether a jump was open."""
    lock_subject(tx, SUBJECT)
    ended = tx.run(
        "UPDATE clock_jumps SET ended_at = :as_of, accepted_by = :by WHERE ended_at IS NULL", as_of=tx.as_of, by=by
    )
    if not ended:
        tx.run(
            """
            INSERT INTO clock_jumps (expected_at, seen_at, found_by, ended_at, accepted_by)
            VALUES (:as_of, :as_of, :by, :as_of, :by)
            """,
            as_of=tx.as_of,
            by=by,
        )
    tx.run("UPDATE heartbeats SET at = :as_of WHERE name = 'scheduler' AND at > :as_of", as_of=tx.as_of)
    return ended > 0
