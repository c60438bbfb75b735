"""Steps of a migration that may take long: none holds a table while it works, and each may be run again after half of it.

A migration is either one short transaction (`op`), or a list of these. CONTRIBUTING.md says which changes need them.
"""

import time

from alembic import op
from sqlalchemy import Connection, text

# Writers and readers queue behind a lock that is waited for, so it is waited for no longer than this.
LOCK_TIMEOUT = "2s"
_BRIEF = 2.0
_ROUNDS = 20  # rows that others write meanwhile in the old way are found by another round
_BLOCKS = 500  # of a table, in one transaction: some ten thousand rows


class HeldUpError(Exception):
    """Others held a table, or migrated, for longer than we may wait; the message says who. What was done stays."""


def add_index(name: str, table: str, columns: str, *, unique: bool = False, where: str = "") -> None:
    """Build an index while rows are written. One that an earlier try left half-built is rebuilt.

    It waits for older transactions, as long as the migration may still wait; then it is told which those are.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        valid = connection.execute(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
        ).scalar()
        _wait_long(connection)
        try:
            if valid is False:
                connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
            if valid is not True:
                kind = "UNIQUE INDEX" if unique else "INDEX"
                rows = f" WHERE {where}" if where else ""
                connection.execute(text(f"CREATE {kind} CONCURRENTLY {name} ON {table} ({columns}){rows}"))
        finally:
            _wait_briefly(connection)


def drop_index(name: str) -> None:
    """Remove an index that no statement uses any more."""
    with op.get_context().autocommit_block():
        _wait_long(op.get_bind())
        try:
            op.get_bind().execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        finally:
            _wait_briefly(op.get_bind())


def add_check(name: str, table: str, condition: str) -> None:
    """Let a condition hold for new rows at once, and for the old ones once they were looked at, which locks nobody out."""
    with op.get_context().autocommit_block():
        _add_check(op.get_bind(), name, table, condition)


def require(table: str, column: str) -> None:
    """Let a column be NOT NULL. Its rows are looked at before, under a check, so that the change itself takes a moment."""
    with op.get_context().autocommit_block():
        connection, name = op.get_bind(), f"ck_{table}_{column}_given"
        _add_check(connection, name, table, f"{column} IS NOT NULL")
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"))
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))


def in_batches(table: str, assignments: str, where: str) -> None:
    """Change the rows for which `where` holds, some blocks of the table at a time. Changed rows must no longer meet it.

    Raises HeldUpError if there are still some after many rounds.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        some = text(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {where})".replace(":", r"\:"))  # noqa: S608
        for _ in range(_ROUNDS):
            if not connection.execute(some).scalar_one():
                return
            for part in _parts(connection, table):
                _batches(connection, part, f"UPDATE {part} SET {assignments} WHERE ({where})")  # noqa: S608
        if connection.execute(some).scalar_one():
            raise HeldUpError(
                f"after {_ROUNDS} rounds {table} still has rows where {where}: somebody writes more of them all the time;"
                " end older programs, then run this again: what was done stays"
            )


def _batches(connection: Connection, part: str, update: str) -> None:
    blocks = connection.execute(
        text("SELECT pg_relation_size(CAST(:part AS regclass)) / current_setting('block_size')::bigint"), {"part": part}
    ).scalar_one()
    for first in range(0, blocks, _BLOCKS):
        bounds = f"ctid >= '({first},0)' AND ctid < '({first + _BLOCKS},0)'"
        connection.execute(text(f"{update} AND {bounds}".replace(":", r"\:")))


def _parts(connection: Connection, table: str) -> list[str]:
    """The table, or its partitions."""
    found = connection.execute(
        text("SELECT CAST(relid AS text) FROM pg_partition_tree(CAST(:table AS regclass)) WHERE isleaf"),
        {"table": table},
    )
    return [row[0] for row in found] or [table]


def _add_check(connection: Connection, name: str, table: str, condition: str) -> None:
    there = connection.execute(
        text("SELECT 1 FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :name"),
        {"table": table, "name": name},
    ).scalar()
    if not there:
        connection.execute(
            text(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID".replace(":", r"\:"))
        )
    connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))


def _wait_long(connection: Connection) -> None:
    """For what nobody queues behind: as long as is left, which is never without an end."""
    config = op.get_context().config
    until = None if config is None else config.attributes.get("until")
    left = 0.0 if until is None else until - time.monotonic()
    connection.execute(text(f"SET lock_timeout = '{f'{left:.0f}s' if left > _BRIEF else LOCK_TIMEOUT}'"))


def _wait_briefly(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
