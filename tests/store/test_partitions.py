"""On partitioned tables a row's place is unique within its partition only: dispatch still touches exactly its own rows."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.store import due_rows
from shared.store.database import Store, Transaction
from shared.store.due_rows import DueRow, MessageSize

TABLES = ("cycles", "charges", "refunds", "pay_links", "notices", "inbox")
AGENCIES = 6
LEASE = timedelta(minutes=2)
SIZE = MessageSize(rows=500, alone_after=3)
POOL_TABLES = {
    "orders": (("cycles", "stream = 'order'"),),
    "invoices": (("cycles", "stream = 'invoice'"),),
    "charges": (("charges", "true"), ("refunds", "true")),
    "notices": (("notices", "true"),),
    "intake": (("inbox", "true"),),
}


@pytest.fixture
def tx(ledger: Store) -> Iterator[Transaction]:
    """Tables as copies in four partitions by agency, with the rows of six agencies, all of them due."""
    with ledger.transaction() as tx:
        for table in TABLES:
            tx.run(f"ALTER TABLE {table} RENAME TO plain")
            tx.run(f"CREATE TABLE {table} (LIKE plain) PARTITION BY HASH (agency_id)")
            for part in range(4):
                of = f"PARTITION OF {table} FOR VALUES WITH (MODULUS 4, REMAINDER {part})"
                tx.run(f"CREATE TABLE {table}_{part} {of}")
            also = ", 'inbox_id', inbox_id + 10000 * n" if table == "inbox" else ""
            tx.run(
                f"""
                INSERT INTO {table}
                SELECT (jsonb_populate_record(plain, said)).*
                FROM plain, generate_series(1, {AGENCIES}) AS n, LATERAL (
                    SELECT jsonb_build_object('agency_id', 'a' || n, 'wake_at', CAST(:due AS text) {also}) AS said) AS s
                WHERE agency_id = (SELECT min(agency_id) FROM agencies)
                """,  # noqa: S608
                due=(tx.as_of - timedelta(minutes=1)).isoformat(),
            )
            tx.run("DROP TABLE plain CASCADE")
        yield tx


def touched(tx: Transaction, pool: str, at: object) -> Counter[str]:
    """How many rows of each agency wake at an instant."""
    found: Counter[str] = Counter()
    for table, where in POOL_TABLES[pool]:
        sql = f"SELECT agency_id, count(*) FROM {table} WHERE {where} AND wake_at = :at GROUP BY 1"  # noqa: S608
        found.update(dict(tuple(row) for row in tx.rows(sql, at=at)))
    return found


def rows_of(tx: Transaction, pool: str) -> int:
    """How many rows an agency has; each of the six has as many."""
    return sum(
        tx.scalar(f"SELECT count(*) FROM {table} WHERE {where} AND agency_id = 'a1'")  # noqa: S608
        for table, where in POOL_TABLES[pool]
    )


@pytest.mark.parametrize("pool", POOL_TABLES)
def test_sleep_moves_the_rows_of_its_agency_alone(tx: Transaction, pool: str) -> None:
    until = tx.as_of + timedelta(hours=1)
    each = rows_of(tx, pool)
    assert each > 0
    assert due_rows.sleep(tx, pool, "a3", until) == each
    assert touched(tx, pool, until) == {"a3": each}


@pytest.mark.parametrize("pool", POOL_TABLES)
def test_wake_takes_the_rows_that_it_returns(tx: Transaction, pool: str) -> None:
    """The rows of two agencies are excluded and those of a third are limited; nothing beside is moved."""
    each = rows_of(tx, pool)
    taken_rows = due_rows.take_due(tx, pool, 100, size=SIZE, excluded=["a1", "a2"], lease=LEASE, allowed={"a3": 1})
    taken = Counter(row.agency_id for row in taken_rows)
    assert taken == {"a3": 1, "a4": each, "a5": each, "a6": each}
    assert touched(tx, pool, tx.as_of + LEASE) == taken


@pytest.mark.parametrize("pool", POOL_TABLES)
def test_what_was_not_published_is_given_back_alone(tx: Transaction, pool: str) -> None:
    each = rows_of(tx, pool)
    taken_rows = due_rows.take_due(tx, pool, 100, size=SIZE, excluded=[], lease=LEASE)
    assert len(taken_rows) == AGENCIES * each
    back: list[DueRow] = [row for row in taken_rows if row.agency_id == "a5"]
    due_rows.give_back(tx, pool, back, tx.as_of + LEASE)
    assert touched(tx, pool, tx.as_of) == {"a5": each}
