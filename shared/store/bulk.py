"""Many rows, one statement: INSERT and UPDATE over `unnest` of one array per column."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from shared.store.errors import require_all
from shared.store.transaction import Transaction

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(tx: Transaction, table: Table, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows (tuples in the order of `columns`); a row that exists already stays as it is.

    Returns how many rows were written. JSON columns take encoded text.
    """
    if not rows:
        return 0
    shared, values = _columns(rows)
    return tx.run(_insert_sql(table, columns, shared), **values)


def upsert(
    tx: Transaction,
    table: Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    kept: tuple[tuple[str, str], ...] = (),
) -> None:
    """Write rows (key values…, other values…), one per key; a row that exists already takes the other values.

    `kept`: columns that stay as they are where a condition holds, which may name the table and `excluded`.
    """
    if not rows:
        return
    shared, values = _columns(rows)
    tx.run(_upsert_sql(table, keys, columns, shared, kept), **values)


def still_in(column: str, states: Collection[str]) -> str:
    """The condition that a text column holds one of our states, in a form that hides the column's statistics.

    At the last ANALYZE all rows may have ended. From that the planner expects to find none of them under way, and joins each
    row under way with each row of the batch.
    """
    return "({} || '') IN ({})".format(column, ", ".join(f"'{state}'" for state in sorted(states)))


def update(
    tx: Transaction,
    table: Table,
    agency_id: str,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    where: str = "true",
) -> None:
    """Set `columns` of an agency's rows `t` found by `keys`, and by `where`; each row is (key values…, new values…).

    Raises MissedRowsError unless every row was found.
    """
    if rows:
        written = update_found(tx, table, agency_id, keys, columns, rows, where)
        require_all(written, len(rows), f"{table.name} of {agency_id}")


def update_found(
    tx: Transaction,
    table: Table,
    agency_id: str,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    where: str,
) -> int:
    """The same for rows that may have gone on without us. Returns how many were written."""
    if not rows:
        return 0
    shared, values = _columns(rows)
    return tx.run(_update_sql(table, keys, columns, shared, where), agency_id=agency_id, **values)


def _columns(rows: Sequence[Sequence[Any]]) -> tuple[frozenset[int], dict[str, Any]]:
    """Which columns have one value in all rows, and the values to send: those once, the other columns as arrays.

    One row is sent as arrays of one, so that small batches share few statements.
    """
    values: dict[str, Any] = {}
    shared = set()
    for position, column in enumerate(zip(*rows, strict=True)):
        if 1 < len(rows) == column.count(column[0]):
            shared.add(position)
            values[f"c{position}"] = column[0]
        else:
            values[f"c{position}"] = list(column)
    if len(shared) == len(values):  # rows that are all the same: one array says how many
        shared.discard(0)
        values["c0"] = [values["c0"]] * len(rows)
    return frozenset(shared), values


def _source(table: Table, columns: tuple[str, ...], shared: frozenset[int]) -> tuple[str, list[str]]:
    """The unnest call of the columns that differ, and the expression of each column."""
    names, arrays, expressions = [], [], []
    for position, name in enumerate(columns):
        column = table.c[name].type
        kind = "text" if isinstance(column, JSONB) else column.compile(_DIALECT)
        if position in shared:
            value = f"CAST(:c{position} AS {kind})"
        else:
            names.append(name)
            arrays.append(f"CAST(:c{position} AS {kind}[])")
            value = f"v.{name}"
        expressions.append(f"{value}::jsonb" if isinstance(column, JSONB) else value)
    return f"unnest({', '.join(arrays)}) AS v({', '.join(names)})", expressions


@cache
def _insert_sql(table: Table, columns: tuple[str, ...], shared: frozenset[int], then: str = "DO NOTHING") -> str:
    source, expressions = _source(table, columns, shared)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(expressions)} FROM {source}"  # noqa: S608
        f" ON CONFLICT {then}"
    )


@cache
def _upsert_sql(
    table: Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    shared: frozenset[int],
    kept: tuple[tuple[str, str], ...],
) -> str:
    taken = {name: f"excluded.{name}" for name in columns}
    stays = {name: f"CASE WHEN {when} THEN {table.name}.{name} ELSE excluded.{name} END" for name, when in kept}
    sets = ", ".join(f"{name} = {value}" for name, value in {**taken, **stays}.items())
    return _insert_sql(table, keys + columns, shared, f"({', '.join(keys)}) DO UPDATE SET {sets}")


@cache
def _update_sql(
    table: Table, keys: tuple[str, ...], columns: tuple[str, ...], shared: frozenset[int], where: str
) -> str:
    source, expressions = _source(table, keys + columns, shared)
    sets = ", ".join(f"{name} = {value}" for name, value in zip(columns, expressions[len(keys) :], strict=True))
    found = " AND ".join(f"t.{name} = {value}" for name, value in zip(keys, expressions, strict=False))
    return (
        f"UPDATE {table.name} AS t SET {sets} FROM {source}"  # noqa: S608
        f" WHERE t.agency_id = :agency_id AND {found} AND {where}"
    )
