"""Pauses: rows that pause a pool, for one agency or for all, until an operator removes them."""

from datetime import datetime
from typing import Final, NamedTuple

from shared.store.database import Transaction

EVERYBODY: Final = ""  # the agency_id of a pause for all


class Pause(NamedTuple):
    """A pool is paused; `agency_id` is "" for all agencies."""

    agency_id: str
    pool: str
    paused_at: datetime
    reason: str | None


def told(pool: str, agency_id: str, since: str, reason: str | None) -> str:
    """A pause in words, with the command that ends it, wherever it is shown."""
    whom, option = (f"agency {agency_id}", f" --agency {agency_id}") if agency_id != EVERYBODY else ("all agencies", "")
    why = f" ({reason})" if reason else ""
    return f"the {pool} pool is paused for {whom} since {since}{why}; duecycle resume {pool}{option}"


def listed(tx: Transaction, pool: str | None = None) -> list[Pause]:
    """All pauses, or those of one pool."""
    rows = tx.rows(
        """
        SELECT agency_id, pool, paused_at, reason FROM pauses
        WHERE CAST(:pool AS text) IS NULL OR pool = :pool ORDER BY pool, agency_id
        """,
        pool=pool,
    )
    return [Pause._make(row) for row in rows]


def shown(tx: Transaction) -> list[Pause]:
    """All pauses, for people; without the reasons if the database's role may not read what operators write."""
    reason = "reason" if tx.scalar("SELECT has_column_privilege('pauses', 'reason', 'SELECT')") else "NULL"
    rows = tx.rows(f"SELECT agency_id, pool, paused_at, {reason} FROM pauses ORDER BY pool, agency_id")  # noqa: S608
    return [Pause._make(row) for row in rows]


def add(tx: Transaction, pool: str, agency_id: str, reason: str | None) -> bool:
    """Pause a pool. Returns False if it is paused already."""
    return bool(
        tx.run(
            """
            INSERT INTO pauses (agency_id, pool, paused_at, reason) VALUES (:agency_id, :pool, :as_of, :reason)
            ON CONFLICT DO NOTHING
            """,
            agency_id=agency_id,
            pool=pool,
            as_of=tx.as_of,
            reason=reason,
        )
    )


def remove(tx: Transaction, pool: str, agency_id: str) -> bool:
    """Take a pause away. Returns False if there is none."""
    return bool(
        tx.run("DELETE FROM pauses WHERE agency_id = :agency_id AND pool = :pool", agency_id=agency_id, pool=pool)
    )
