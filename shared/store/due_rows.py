"""Rows whose `wake_at` has come: dispatch moves it by the lease. Only `wake_at` and `dispatches` change.

Within a statement a row is known by where it lies: its table and its place in it. The place alone is not enough, for every
partition of a table counts its own.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.store.database import Transaction


class DueRow(NamedTuple):
    """A row to dispatch. `id` is what its pool takes: a subscription, an invoice, a notice's key or an inbox row."""

    agency_id: str
    id: str
    dispatches: int
    tries: int


class Source(NamedTuple):
    """Where rows of a pool are, and how they are named."""

    table: str
    id: str
    where: str


# The charges pool takes invoices: it collects what is open of them, gives back, checks the pages where their clients
# pay, and asks what was taken back.
_SOURCES = {
    "orders": (Source("cycles", "subscription_id", "stream = 'order'"),),
    "invoices": (Source("cycles", "subscription_id", "stream = 'invoice'"),),
    "charges": tuple(
        Source(table, "invoice_id", "true") for table in ("charges", "refunds", "pay_links", "payment_inquiries")
    ),
    "notices": (Source("notices", "key", "true"),),
    "intake": (Source("inbox", "inbox_id::text", "true"),),
}
POOLS = tuple(_SOURCES)
PLAN, RECHECK = "plan", "recheck"
_SERVED = "NOT agency_id = ANY(CAST(:excluded AS text[]))"
_DUE_WORK = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {table} WHERE {where} AND {_SERVED})"  # noqa: S608
    for name, table, where in (
        *(
            (pool, source.table, f"{source.where} AND wake_at <= :as_of")
            for pool, sources in _SOURCES.items()
            for source in sources
        ),
        (PLAN, "schedules", "next_at <= :as_of AND (retry_at IS NULL OR retry_at <= :as_of)"),
        (RECHECK, "rechecks", "(retry_at IS NULL OR retry_at <= :as_of)"),
    )
)


def due_work(tx: Transaction, excluded: Collection[str]) -> set[str]:
    """Which pools have a due row, and whether there is something to plan or to recheck, without the excluded agencies.

    One statement, so that an idle tick is one.
    """
    return {row[0] for row in tx.rows(_DUE_WORK, as_of=tx.as_of, excluded=list(excluded))}


# seen: the oldest due rows, at most as many as fill the room. One bounded walk of the partial index, without locks.
# permitted: an agency whose rate is limited keeps its oldest `most` rows. `alone`: a row with many tries gets a message
#   of its own, for the next try may kill its worker.
# placed: which message a row belongs to. Each holds one agency, and new rows apart from those dispatched before (`again`).
# messages: the oldest messages that there is room for; the rows of all others stay as they are.
# chosen: the rows of those messages. MATERIALIZED, so that it is computed once although `due` reads it twice.
# due: the same rows again, now locked. Another scheduler may have taken some since `seen`: SKIP LOCKED passes over what it
#   holds, and `wake_at <= :as_of` over what it has committed. MATERIALIZED, so that the update writes just the locked rows.
#   `IS TRUE` keeps PostgreSQL from joining with the whole table: rows are fetched by place, then compared.
_TAKE_DUE = """
WITH seen AS (
    SELECT tableoid AS home, ctid AS at, agency_id, {id} AS id, wake_at, {counters} FROM {table}
    WHERE {where} AND wake_at <= :as_of AND NOT agency_id = ANY(CAST(:excluded AS text[]))
    ORDER BY wake_at LIMIT :limit
), permitted AS (
    SELECT s.*, dispatches > 0 AS again, CASE WHEN tries >= :alone_after THEN id ELSE '' END AS alone
    FROM (SELECT *, row_number() OVER (PARTITION BY agency_id ORDER BY wake_at, home, at) AS place FROM seen) AS s
    LEFT JOIN unnest(CAST(:paced AS text[]), CAST(:allowed AS integer[])) AS a(agency_id, most) USING (agency_id)
    WHERE a.most IS NULL OR s.place <= a.most
), placed AS (
    SELECT home, at, wake_at, agency_id, again, alone,
           (row_number() OVER (PARTITION BY agency_id, again, alone ORDER BY wake_at, home, at) - 1) / :size AS part
    FROM permitted
), messages AS (
    SELECT agency_id, again, alone, part FROM placed GROUP BY 1, 2, 3, 4 ORDER BY min(wake_at), 1, 2, 3, 4
    LIMIT :room
), chosen AS MATERIALIZED (
    SELECT home, at FROM placed JOIN messages USING (agency_id, again, alone, part)
), due AS MATERIALIZED (
    SELECT tableoid AS home, ctid AS at FROM {table}
    WHERE ctid = ANY(ARRAY(SELECT at FROM chosen)) AND ((tableoid, ctid) IN (SELECT home, at FROM chosen)) IS TRUE
      AND wake_at <= :as_of FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE {table} AS t SET wake_at = :until {counted}
FROM due WHERE t.ctid = due.at AND t.tableoid = due.home
RETURNING t.agency_id, t.{id}, {returned}"""


class MessageSize(NamedTuple):
    """How rows become messages: `rows` at most in each; from `alone_after` tries on a row gets one of its own."""

    rows: int
    alone_after: int


def take_due(
    tx: Transaction,
    pool: str,
    room: int,
    *,
    size: MessageSize,
    excluded: Collection[str],
    lease: timedelta,
    allowed: Mapping[str, int] | None = None,
) -> list[DueRow]:
    """Take the due rows of a pool that fit into `room` messages, oldest first; they are due again after the lease.

    A message holds rows of one agency, dispatched before or not, so a thousand agencies with a row each need a thousand: only
    as many as there is room for are taken, and no other row is locked or written. Rows of excluded agencies stay, and those
    above what is `allowed` for their agency. Rows that another scheduler is taking right now are passed over.
    """
    taken_rows: list[DueRow] = []
    for source in _SOURCES[pool]:
        room_left = room - _messages(taken_rows, size)
        if room_left <= 0:
            break
        taken = Counter(row.agency_id for row in taken_rows)
        rows = tx.rows(
            _take_due_sql(source, counts=pool != "intake"),
            as_of=tx.as_of,
            until=tx.as_of + lease,
            excluded=list(excluded),
            limit=room_left * size.rows,
            room=room_left,
            size=size.rows,
            alone_after=size.alone_after,
            paced=list(allowed or ()),
            allowed=[max(0, most - taken[agency_id]) for agency_id, most in (allowed or {}).items()],
        )
        taken_rows += [DueRow._make(row) for row in rows]
    return taken_rows


def _messages(taken_rows: Collection[DueRow], size: MessageSize) -> int:
    """At least as many messages as these rows make."""
    return sum(-(-rows // size.rows) for rows in Counter(row.agency_id for row in taken_rows).values())


def _take_due_sql(source: Source, *, counts: bool) -> str:
    return _TAKE_DUE.format(
        id=source.id,
        table=source.table,
        where=source.where,
        counters="dispatches, tries" if counts else "0 AS dispatches, 0 AS tries",
        counted=", dispatches = least(t.dispatches + 1, 1000)" if counts else "",
        returned="t.dispatches, t.tries" if counts else "1, 0",
    )


def agencies_due(tx: Transaction, pool: str, limit: int, excluded: Collection[str]) -> list[str]:
    """The agencies of the oldest `limit` due rows of a pool."""
    oldest = " UNION ALL ".join(
        f"""(SELECT agency_id FROM {source.table}
             WHERE {source.where} AND wake_at <= :as_of AND NOT agency_id = ANY(CAST(:excluded AS text[]))
             ORDER BY wake_at LIMIT :limit)"""  # noqa: S608
        for source in _SOURCES[pool]
    )
    rows = tx.rows(
        f"SELECT DISTINCT agency_id FROM ({oldest}) AS oldest",  # noqa: S608
        as_of=tx.as_of,
        excluded=list(excluded),
        limit=limit,
    )
    return [row[0] for row in rows]


def sleep(tx: Transaction, pool: str, agency_id: str, until: datetime) -> int:
    """Let the due rows of an agency wake at `until`, without dispatching them. Returns how many."""
    return sum(_sleep(tx, source, agency_id, until) for source in _SOURCES[pool])


def _sleep(tx: Transaction, source: Source, agency_id: str, until: datetime) -> int:
    return tx.run(
        f"""
        UPDATE {source.table} AS t SET wake_at = :until
        FROM (SELECT tableoid AS home, ctid AS at FROM {source.table}
              WHERE {source.where} AND agency_id = :agency_id AND wake_at <= :as_of FOR NO KEY UPDATE SKIP LOCKED) AS due
        WHERE t.ctid = due.at AND t.tableoid = due.home
        """,  # noqa: S608
        agency_id=agency_id,
        as_of=tx.as_of,
        until=until,
    )


def give_back(tx: Transaction, pool: str, taken_rows: Collection[DueRow], dispatched_until: datetime) -> None:
    """Publishing failed: the rows that were taken for it, until `dispatched_until`, are due again at once."""
    for source in _SOURCES[pool]:
        _give_back(tx, source, taken_rows, dispatched_until)


def _give_back(tx: Transaction, source: Source, taken_rows: Collection[DueRow], dispatched_until: datetime) -> None:
    tx.run(
        f"""
        UPDATE {source.table} AS t SET wake_at = :as_of
        FROM (SELECT t.tableoid AS home, t.ctid AS at FROM {source.table} AS t
              JOIN unnest(CAST(:agencies AS text[]), CAST(:ids AS text[])) AS v(agency_id, id)
                ON t.agency_id = v.agency_id AND t.{source.id} = v.id
              WHERE {source.where} AND wake_at = :dispatched_until FOR NO KEY UPDATE OF t SKIP LOCKED) AS mine
        WHERE t.ctid = mine.at AND t.tableoid = mine.home
        """,  # noqa: S608
        as_of=tx.as_of,
        dispatched_until=dispatched_until,
        agencies=[row.agency_id for row in taken_rows],
        ids=[row.id for row in taken_rows],
    )


def next_instant(tx: Transaction, excluded: Collection[str]) -> datetime | None:
    """The earliest instant at which anything wakes or is due, None when nothing ever will be."""
    found: datetime | None = tx.scalar(
        """
        SELECT min(at) FROM (
            SELECT min(next_at) AS at FROM schedules
            WHERE next_at IS NOT NULL AND retry_at IS NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(retry_at) FROM schedules WHERE retry_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(retry_at) FROM rechecks WHERE retry_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM cycles WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM charges WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM refunds WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM pay_links WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM payment_inquiries
                      WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM notices WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
            UNION ALL SELECT min(wake_at) FROM inbox WHERE wake_at IS NOT NULL AND NOT agency_id = ANY(CAST(:x AS text[]))
        ) AS every
        """,
        x=list(excluded),
    )
    return found
