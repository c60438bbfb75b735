"""Rows whose `wake_at` has come: dispatch moves it by the lease and rings the pool. Only `wake_at` and `rings` change."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.store.transaction import Tx


class Woken(NamedTuple):
    """A row to ring for. `id` is what its pool takes: a subscription, an invoice, a notice's key or an inbox row."""

    agency_id: str
    id: str
    rings: int
    tries: int


class Source(NamedTuple):
    """Where a pool's rows are, and how they are named."""

    table: str
    id: str
    where: str
    order: str


_SOURCES = {
    "orders": Source("cycles", "subscription_id", "stream = 'order'", "wake_at"),
    "invoices": Source("cycles", "subscription_id", "stream = 'invoice'", "wake_at"),
    "charges": Source("charges", "invoice_id", "true", "wake_at"),
    "notices": Source("notices", "key", "true", "wake_at"),
    "intake": Source("inbox", "inbox_id::text", "true", "wake_at"),
}
POOLS = tuple(_SOURCES)
PLAN, RECHECK = "plan", "recheck"
_SERVED = "NOT agency_id = ANY(CAST(:excluded AS text[]))"
_DUE_WORK = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {table} WHERE {where} AND {_SERVED})"  # noqa: S608
    for name, table, where in (
        *((pool, source.table, f"{source.where} AND wake_at <= :as_of") for pool, source in _SOURCES.items()),
        (PLAN, "schedules", "next_at <= :as_of"),
        (RECHECK, "rechecks", "true"),
    )
)


def due_work(tx: Tx, excluded: Collection[str]) -> set[str]:
    """Which pools have a due row, and whether there is something to plan or to recheck, without the excluded agencies.

    One statement, so that an idle look at everything is one.
    """
    return {row[0] for row in tx.rows(_DUE_WORK, as_of=tx.as_of, excluded=list(excluded))}


def wake(tx: Tx, pool: str, limit: int, excluded: Collection[str], lease: timedelta) -> list[Woken]:
    """Take up to `limit` due rows of a pool, oldest first, without the excluded agencies; ring again after the lease.

    Rows that another scheduler is taking right now are passed over.
    """
    source = _SOURCES[pool]
    counts = pool != "intake"
    rows = tx.rows(
        f"""
        WITH due AS MATERIALIZED (
            SELECT ctid AS at FROM {source.table}
            WHERE {source.where} AND wake_at <= :as_of AND NOT agency_id = ANY(CAST(:excluded AS text[]))
            ORDER BY wake_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE {source.table} AS t SET wake_at = :until {", rings = least(t.rings + 1, 1000)" if counts else ""}
        FROM due WHERE t.ctid = due.at
        RETURNING t.agency_id, t.{source.id}, {"t.rings, t.tries" if counts else "1, 0"}
        """,  # noqa: S608
        as_of=tx.as_of,
        until=tx.as_of + lease,
        excluded=list(excluded),
        limit=limit,
    )
    return [Woken._make(row) for row in rows]


def next_instant(tx: Tx, excluded: Collection[str]) -> datetime | None:
    """The earliest instant at which anything wakes or falls due, None when nothing ever will."""
    found: datetime | None = tx.scalar(
        """
        SELECT min(at) FROM (
            SELECT min(next_at) AS at FROM schedules WHERE next_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM cycles WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM charges WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM notices WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM inbox WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
        ) AS every
        """,
        x=list(excluded),
    )
    return found
