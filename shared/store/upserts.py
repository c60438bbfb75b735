"""Write what upstream tells: newest state by revision, with every accepted revision of services and subscriptions kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import JSONB

from shared.store.transaction import Tx


class Standing(NamedTuple):
    """What is stored of a fact."""

    revision: int
    digest: str
    effective_at: datetime


def standing(tx: Tx, table: Table, keys: Mapping[str, str]) -> Standing | None:
    """The revision stored under a key, None if the fact is not known."""
    found = " AND ".join(f"{name} = :{name}" for name in keys)
    rows = tx.rows(f"SELECT revision, digest, effective_at FROM {table.name} WHERE {found}", **keys)  # noqa: S608
    return Standing._make(rows[0]) if rows else None


def upsert(tx: Tx, table: Table, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Write a fact whole. JSON columns take encoded text. The caller has compared revisions under the agency's lock."""
    columns = {**keys, **values}
    given = ", ".join(_expression(table, name) for name in columns)
    sets = ", ".join(f"{name} = excluded.{name}" for name in values)
    tx.run(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({given})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}",
        **columns,
    )


def change(tx: Tx, table: Table, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Overwrite columns of a fact that is known; the others stay."""
    sets = ", ".join(f"{name} = {_expression(table, name)}" for name in values)
    found = " AND ".join(f"{name} = :{name}" for name in keys)
    tx.run(f"UPDATE {table.name} SET {sets} WHERE {found}", **keys, **values)  # noqa: S608


def insert(tx: Tx, table: Table, values: Mapping[str, Any]) -> None:
    """Write one row of history."""
    given = ", ".join(_expression(table, name) for name in values)
    tx.run(f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({given})", **values)  # noqa: S608


def _expression(table: Table, name: str) -> str:
    return f"CAST(:{name} AS jsonb)" if isinstance(table.c[name].type, JSONB) else f":{name}"


def known(tx: Tx, table: Table, keys: Mapping[str, str]) -> bool:
    """True if the fact is known."""
    return standing(tx, table, keys) is not None


def remove_method(tx: Tx, keys: Mapping[str, str], revision: int, effective_at: datetime, digest: str) -> None:
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
        **keys,
    )


def keep_late(tx: Tx, table: Table, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
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


def known_earlier(tx: Tx, agency_id: str, subscription_id: str, at: datetime) -> None:
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


def order_id_taken(tx: Tx, agency_id: str, order_id: str, subscription_id: str) -> bool:
    """True if another subscription has, or will have, an order of that id."""
    return bool(
        tx.scalar(
            """
            SELECT EXISTS (SELECT 1 FROM orders WHERE agency_id = :agency_id AND order_id = :order_id
                           AND subscription_id <> :subscription_id)
                OR EXISTS (SELECT 1 FROM subscriptions WHERE agency_id = :agency_id AND order_id = :order_id
                           AND subscription_id <> :subscription_id)
            """,
            agency_id=agency_id,
            order_id=order_id,
            subscription_id=subscription_id,
        )
    )


def has_document(tx: Tx, agency_id: str, subscription_id: str) -> bool:
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


def forget_cycles(tx: Tx, agency_id: str, subscription_id: str) -> None:
    """The start date moved before any document was made: plan writes the cycles anew."""
    for table in ("cycles", "schedules"):
        tx.run(
            f"DELETE FROM {table} WHERE agency_id = :agency_id AND subscription_id = :subscription_id",  # noqa: S608
            agency_id=agency_id,
            subscription_id=subscription_id,
        )
