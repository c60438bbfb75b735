"""Many rows, one statement: INSERT and UPDATE over `unnest` of one array per column."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from functools import cache
from typing import Any

import msgspec
from psycopg import Connection, DataError
from psycopg.adapt import Dumper
from psycopg.types.json import set_json_loads
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from shared.store.errors import require_all
from shared.store.transaction import Transaction

_NUL = "\0"
_PLAIN = (int, date, datetime, time)


class ArrayDumper(Dumper):
    """Dumps a flat list whose elements are text, bytes, numbers, dates, times, aware datetimes, booleans or None."""

    oid = 0

    def dump(self, obj: list[Any]) -> bytes:
        """The array literal. Raises psycopg.DataError for a NUL character, which PostgreSQL cannot store."""
        encoding = self.connection.info.encoding if self.connection is not None else "utf-8"
        return _literal(obj).encode(encoding)


def register(connection: Connection[Any]) -> None:
    """Let a connection send lists, and read JSON, this way."""
    connection.adapters.register_dumper(list, ArrayDumper)
    set_json_loads(msgspec.json.decode, connection)


def _literal(values: list[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {str}:
        return f'{{"{_escaped(values)}"}}'
    if len(kinds) == 1 and kinds <= set(_PLAIN):
        return f'{{"{_QUOTED.join(map(str, values))}"}}'
    return f"{{{','.join(map(_element, values))}}}"


_QUOTED = '","'


def _escaped(texts: list[str]) -> str:
    """All elements at once: joined by the one character that none may contain, then escaped, then split."""
    joined = _NUL.join(texts)
    if joined.count(_NUL) != len(texts) - 1:
        raise DataError("PostgreSQL text cannot contain NUL (0x00) characters")
    return joined.replace("\\", "\\\\").replace('"', '\\"').replace(_NUL, _QUOTED)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{_escaped([value])}"'
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, _PLAIN):
        return f'"{value}"'
    raise TypeError(
        f"an array element is {type(value).__name__}: give text, bytes, numbers, dates, times, instants or None"
    )


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
    *,
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
    *,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    where: str = "true",
) -> None:
    """Set `columns` of an agency's rows `t` found by `keys`, and by `where`; each row is (key values…, new values…).

    Raises MissedRowsError unless every row was found.
    """
    if rows:
        written = update_found(tx, table, agency_id, keys=keys, columns=columns, rows=rows, where=where)
        require_all(written, len(rows), f"{table.name} of {agency_id}")


def update_found(
    tx: Transaction,
    table: Table,
    agency_id: str,
    *,
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
