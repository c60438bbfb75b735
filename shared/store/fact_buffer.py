"""Facts within one transaction: what is stored of them is read together, what changes is kept back and written together."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import JSONB

from shared.domain.facts import Agency, ServiceRevision
from shared.domain.planning import Schedule
from shared.store import bulk, facts, inbox, notices, rechecks, schedules, tables
from shared.store.database import Transaction
from shared.store.inbox import Room, Settled
from shared.store.rechecks import Kind, NewRecheck


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
    bulk.upsert(tx, table, names, columns=columns, rows=written, kept=_KEPT.get(table.name, ()))


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


__all__ = ["FactBuffer", "Key", "Table"]

Key = tuple[str, ...]
_NEWEST = (tables.agencies, tables.clients, tables.services, tables.payment_methods, tables.subscriptions)


class FactBuffer:
    """Messages of a batch are applied to it as if one after another, while the database sees a few statements.

    The caller holds the lock of every agency it asks about, so nobody else writes these facts meanwhile, and ends with
    `flush`. Whatever has statements of its own calls `flush` before them, and `forget` after those that write facts.
    `room`: how much that was kept before may still be applied with what arrives.
    """

    def __init__(self, tx: Transaction, room: Room) -> None:
        self.tx = tx
        self.room = room
        self.forget()
        self._empty()

    def forget(self) -> None:
        """Forget what was read. No write may be pending."""
        self._standings: dict[tuple[str, Key], Standing | None] = {}
        self._agencies: dict[str, Agency | None] = {}
        self._services: dict[Key, ServiceRevision] = {}
        self._order_ids: dict[Key, set[str]] = {}
        self._awaited: dict[Key, bool] = {}

    def drop(self) -> None:
        """Forget also what is kept back: the savepoint it belonged to is undone."""
        self.forget()
        self._empty()

    def _empty(self) -> None:
        self._upserts: dict[str, dict[Key, Mapping[str, Any]]] = {}
        self._history: list[tuple[Table, Mapping[str, Any]]] = []
        self._schedules: list[Schedule] = []
        self._rechecks: list[NewRecheck] = []
        self._settled: dict[int, Settled] = {}
        self._readdressed: set[tuple[str, bool]] = set()

    def expect(self, table: Table, keys: Collection[Key]) -> None:
        """Read in one statement what is stored under these keys (in the order of the table's key columns)."""
        missing = [key for key in dict.fromkeys(keys) if (table.name, key) not in self._standings]
        found = standings(self.tx, table, missing)
        for key in missing:
            self._standings[table.name, key] = found.get(key)

    def expect_order_ids(self, agency_id: str, order_ids: Collection[str]) -> None:
        """Read in one statement who has these orders."""
        found = holders_of_order_ids(self.tx, agency_id, order_ids)
        for order_id in order_ids:
            self._order_ids[agency_id, order_id] = found.get(order_id, set())

    def expect_awaited(self, agency_id: str, arrivals: Collection[str]) -> None:
        """Read in one statement which of these some kept message waits for."""
        found = inbox.awaited(self.tx, agency_id, arrivals)
        for arrival in arrivals:
            self._awaited[agency_id, arrival] = arrival in found

    def expect_services(self, agency_id: str, service_ids: Collection[str]) -> None:
        """Read in one statement the newest revision of these services."""
        for service_id, revisions in facts.service_revisions(self.tx, agency_id, service_ids).items():
            self._services[agency_id, service_id] = revisions[-1]

    def standing(self, table: Table, *key: str) -> Standing | None:
        """The revision that counts under a key, None if the fact is not known."""
        if (table.name, key) not in self._standings:
            self.expect(table, [key])
        return self._standings[table.name, key]

    def known(self, table: Table, *key: str) -> bool:
        """True if the fact is known."""
        return self.standing(table, *key) is not None

    def agency(self, agency_id: str) -> Agency | None:
        """The agency as it counts now, None while it is unknown."""
        if agency_id not in self._agencies:
            self._flush_facts()
            self._agencies[agency_id] = facts.agency(self.tx, agency_id)
        return self._agencies[agency_id]

    def service(self, agency_id: str, service_id: str) -> ServiceRevision:
        """The newest revision of a service that is known."""
        if (agency_id, service_id) not in self._services:
            self._flush_facts()
            self.expect_services(agency_id, [service_id])
        return self._services[agency_id, service_id]

    def order_id_taken(self, agency_id: str, order_id: str, subscription_id: str) -> bool:
        """True if another subscription has, or will have, an order of that id."""
        if (agency_id, order_id) not in self._order_ids:
            self._flush_facts()
            self.expect_order_ids(agency_id, [order_id])
        return bool(self._order_ids[agency_id, order_id] - {subscription_id})

    def awaited(self, agency_id: str, arrivals: Collection[str]) -> bool:
        """False if surely no kept message waits for one of these."""
        return any(self._awaited.get((agency_id, arrival), True) for arrival in arrivals)

    def upsert(self, table: Table, key: Key, values: Mapping[str, Any]) -> None:
        """Write a fact whole. JSON columns take encoded text. The caller has compared revisions.

        Where a column may stay as it is, each revision is compared with the one before it, not with what a batch began with.
        """
        if keeps(table) and key in self._upserts.get(table.name, {}):
            self._flush_facts()
        self._upserts.setdefault(table.name, {})[key] = values
        standing = Standing(values["revision"], values["digest"], values["effective_at"])
        self._standings[table.name, key] = standing
        if table is tables.agencies:
            self._agencies.pop(key[0], None)
        elif table is tables.services:
            self._services.pop(key, None)
        elif table is tables.subscriptions and values["order_id"] is not None:
            self._order_ids.setdefault((key[0], values["order_id"]), set()).add(key[1])

    def insert(self, table: Table, values: Mapping[str, Any]) -> None:
        """Write one row of history."""
        self._history.append((table, values))

    def add_schedules(self, new: Sequence[Schedule]) -> None:
        """Write new schedules."""
        self._schedules.extend(new)

    def recheck(self, agency_id: str, kind: Kind, ref: str, effective_at: Any) -> None:
        """Say that a fact has changed."""
        self._rechecks.append(NewRecheck(agency_id, kind, ref, effective_at))

    def readdress(self, agency_id: str, *, sender: bool) -> None:
        """Say that somebody of an agency may have another address, or with `sender` the agency itself."""
        self._readdressed.add((agency_id, sender))

    def settle(self, agency_id: str, inbox_id: int, settled: Settled) -> None:
        """Record what became of a kept message."""
        self._settled[inbox_id] = settled
        if settled.waits_for is not None:
            self._awaited[agency_id, settled.waits_for] = True

    def flush(self) -> None:
        """Write what is kept back."""
        self._flush_facts()
        schedules.insert(self.tx, self._schedules)
        rechecks.add_all(self.tx, self._rechecks)
        if self._readdressed:
            senders = {agency_id for agency_id, sender in self._readdressed if sender}
            notices.wake_readdressed(self.tx, {agency_id for agency_id, _ in self._readdressed}, senders)
        inbox.settle_all(self.tx, self._settled)
        self._empty()

    def _flush_facts(self) -> None:
        for table in _NEWEST:
            upsert_all(self.tx, table, self._upserts.pop(table.name, {}))
        for table in (tables.service_revisions, tables.subscription_revisions):
            rows = [values for of, values in self._history if of is table]
            if rows and bulk.insert(self.tx, table, tuple(rows[0]), [tuple(row.values()) for row in rows]) != len(rows):
                raise RuntimeError(
                    f"{table.name} holds this revision already: it was accepted without the agency's lock"
                )
        self._history.clear()
