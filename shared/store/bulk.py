"""Many rows, one statement: INSERT and UPDATE over `unnest` of one array per column."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from shared.store.transaction import Tx

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows (tuples in the order of `columns`); a row that exists already stays as it is.

    Returns how many rows were written. JSON columns take encoded text.
    """
    if not rows:
        return 0
    return tx.run(_insert_sql(table, columns), **_arrays(rows))


def update(
    tx: Tx, table: Table, agency_id: str, keys: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> int:
    """Set `columns` of an agency's rows found by `keys`; each row is (key values…, new values…).

    Returns how many rows were changed.
    """
    if not rows:
        return 0
    return tx.run(_update_sql(table, keys, columns), agency_id=agency_id, **_arrays(rows))


def _arrays(rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {f"c{position}": list(values) for position, values in enumerate(zip(*rows, strict=True))}


def _source(table: Table, columns: tuple[str, ...]) -> tuple[str, list[str]]:
    """The unnest call, and the expression of each column in it."""
    arrays, expressions = [], []
    for position, name in enumerate(columns):
        kind = table.c[name].type
        json = isinstance(kind, JSONB)
        arrays.append(f"CAST(:c{position} AS {'text' if json else kind.compile(_DIALECT)}[])")
        expressions.append(f"v.{name}::jsonb" if json else f"v.{name}")
    return f"unnest({', '.join(arrays)}) AS v({', '.join(columns)})", expressions


@cache
def _insert_sql(table: Table, columns: tuple[str, ...]) -> str:
    source, expressions = _source(table, columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(expressions)} FROM {source}"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )


@cache
def _update_sql(table: Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    source, expressions = _source(table, keys + columns)
    sets = ", ".join(f"{name} = {value}" for name, value in zip(columns, expressions[len(keys) :], strict=True))
    found = " AND ".join(f"t.{name} = v.{name}" for name in keys)
    return f"UPDATE {table.name} AS t SET {sets} FROM {source} WHERE t.agency_id = :agency_id AND {found}"  # noqa: S608
