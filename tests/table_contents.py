"""Whole tables, to be compared: a step that must change nothing is compared in every column of every row."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from shared.store import tables
from shared.store.database import Store

Contents = dict[str, list[dict[str, Any]]]


def contents(store: Store, without: Collection[str] = ()) -> Contents:
    """Every row of every table, by table, in a fixed order. `without`: columns that may differ, `table.column` or `column`."""
    found: Contents = {}
    with store.transaction() as tx:
        for table in tables.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in without and f"{table.name}.{c.name}" not in without]
            rows = tx.connection.execute(select(*columns)).mappings()
            found[table.name] = sorted((dict(row) for row in rows), key=repr)
    return found


def changed(before: Contents, after: Contents) -> dict[str, tuple[list[Any], list[Any]]]:
    """By table: the rows that are gone and the rows that are new. Empty when nothing has changed."""
    found = {}
    for table, rows in before.items():
        gone = [row for row in rows if row not in after[table]]
        new = [row for row in after[table] if row not in rows]
        if gone or new or len(rows) != len(after[table]):
            found[table] = (gone, new)
    return found
