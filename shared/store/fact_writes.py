"""Write what upstream sends: newest state by revision, with every accepted revision of services and subscriptions kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import JSONB

from shared.store import bulk
from shared.store.database import Transaction


class Standing(NamedTuple):
    """What is stored of a fact."""

    revision: int
    digest: str
    effective_at: datetime


def standings(tx: Transaction, table: Table, keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Standing]:
    """What is stored under these keys, each in the order of the table's key columns; what is not known is absent."""
    if not keys:
        return {}
    names = [column.name for column in table.primary_key]
    arrays = ", ".join(f"CAST(:{name} AS text[])" for name in names)
    rows = tx.rows(
        f"SELECT {', '.join(names)}, revision, digest, effective_at FROM {table.name}"  # noqa: S608
        f" JOIN unnest({arrays}) AS k({', '.join(names)}) USING ({', '.join(names)})",
        **{name: list(column) for name, column in zip(names, zip(*keys, strict=True), strict=True)},
    )
    wide = len(names)
    return {tuple(row[:wide]): Standing._make(row[wide:]) for row in rows}


# The same credential again, not newly made the default: nobody asks for anything that was not asked for before.
_REPEATED = (
    "payment_methods.credential = excluded.credential AND (payment_methods.is_default OR NOT excluded.is_default)"
)
_KEPT: Mapping[str, tuple[tuple[str, str], ...]] = {
    "payment_methods": (("instructed_at", _REPEATED), ("received_at", _REPEATED)),
}


def keeps(table: Table) -> bool:
    """True if writing a fact of this table again may leave columns as they are."""
    return table.name in _KEPT


def upsert_all(tx: Transaction, table: Table, rows: Mapping[tuple[str, ...], Mapping[str, Any]]) -> None:
    """Write facts whole, by key. JSON columns take encoded text. The caller has compared revisions under the agency's lock."""
    if not rows:
        return
    names = tuple(column.name for column in table.primary_key)
    columns = tuple(next(iter(rows.values())))
    written = [(*key, *values.values()) for key, values in rows.items()]
    bulk.upsert(tx, table, names, columns, written, _KEPT.get(table.name, ()))


def change(tx: Transaction, table: Table, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Overwrite columns of a fact that is known; the others stay."""
    sets = ", ".join(f"{name} = {_expression(table, name)}" for name in values)
    found = " AND ".join(f"{name} = :{name}" for name in keys)
    tx.run(f"UPDATE {table.name} SET {sets} WHERE {found}", **keys, **values)  # noqa: S608


def _expression(table: Table, name: str) -> str:
    return f"CAST(:{name} AS jsonb)" if isinstance(table.c[name].type, JSONB) else f":{name}"


def remove_method(
    tx: Transaction, key: tuple[str, str, str], revision: int, effective_at: datetime, digest: str
) -> None:
    """Take a payment method out of use."""
    tx.run(
        """
        UPDATE payment_methods SET removed_at = :as_of, revision = :revision, effective_at = :effective_at, digest = :digest
        WHERE agency_id = :agency_id AND client_id = :client_id AND payment_method_id = :payment_method_id
        """,
        as_of=tx.as_of,
        revision=revision,
        effective_at=effective_at,
        digest=digest,
        agency_id=key[0],
        client_id=key[1],
        payment_method_id=key[2],
    )


def keep_late(tx: Transaction, table: Table, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Add a revision that came after a later one to the history: what fell due in between was true by it.

    Effective instants never go back from revision to revision: the late one counts from the latest before it, and later
    ones count no earlier than it. A revision that is there already stays.
    """
    found = " AND ".join(f"{name} = :{name}" for name in keys)
    at = {**keys, "revision": values["revision"]}
    before = tx.scalar(
        f"SELECT max(effective_at) FROM {table.name} WHERE {found} AND revision < :revision",  # noqa: S608
        **at,
    )
    effective_at = max(values["effective_at"], before or values["effective_at"])
    columns = {**keys, **values, "effective_at": effective_at}
    given = ", ".join(_expression(table, name) for name in columns)
    tx.run(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({given}) ON CONFLICT DO NOTHING",  # noqa: S608
        **columns,
    )
    tx.run(
        f"UPDATE {table.name} SET effective_at = greatest(effective_at, :effective_at)"  # noqa: S608
        f" WHERE {found} AND revision > :revision",
        effective_at=effective_at,
        **at,
    )


def known_earlier(tx: Transaction, agency_id: str, subscription_id: str, at: datetime) -> None:
    """A late message of an older revision says that the subscription was known earlier."""
    tx.run(
        """
        UPDATE subscriptions SET known_since = least(known_since, :at)
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id
        """,
        at=at,
        agency_id=agency_id,
        subscription_id=subscription_id,
    )


def holders_of_order_ids(tx: Transaction, agency_id: str, order_ids: Collection[str]) -> dict[str, set[str]]:
    """By order id, the subscriptions that have, or will have, an order of that id; ids nobody has are absent."""
    found: dict[str, set[str]] = {}
    for table in ("orders", "subscriptions"):
        rows = tx.rows(
            f"""
            SELECT order_id, subscription_id FROM {table}
            WHERE agency_id = :agency_id AND order_id = ANY(CAST(:ids AS text[]))
            """,  # noqa: S608
            agency_id=agency_id,
            ids=list(order_ids),
        )
        for order_id, subscription_id in rows:
            found.setdefault(order_id, set()).add(subscription_id)
    return found


def has_document(tx: Transaction, agency_id: str, subscription_id: str) -> bool:
    """True once cycle 0 of a stream has a document: from then on the start date is fixed."""
    return bool(
        tx.scalar(
            """
            SELECT EXISTS (SELECT 1 FROM cycles WHERE agency_id = :agency_id AND subscription_id = :subscription_id
                           AND state = 'done')
            """,
            agency_id=agency_id,
            subscription_id=subscription_id,
        )
    )


def forget_cycles(tx: Transaction, agency_id: str, subscription_id: str) -> None:
    """The start date moved before any document was made: plan writes the cycles again."""
    for table in ("cycles", "schedules"):
        tx.run(
            f"DELETE FROM {table} WHERE agency_id = :agency_id AND subscription_id = :subscription_id",  # noqa: S608
            agency_id=agency_id,
            subscription_id=subscription_id,
        )
