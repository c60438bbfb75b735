"""Facts within one transaction: what is stored of them is read together, what changes is kept back and written together."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from shared.domain.facts import Agency, ServiceRevision
from shared.domain.planning import Schedule
from shared.store import bulk, fact_writes, facts, inbox, notices, rechecks, schedules, tables
from shared.store.database import Transaction
from shared.store.fact_writes import Standing
from shared.store.inbox import Room, Settled
from shared.store.rechecks import Kind, NewRecheck

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
        found = fact_writes.standings(self.tx, table, missing)
        for key in missing:
            self._standings[table.name, key] = found.get(key)

    def expect_order_ids(self, agency_id: str, order_ids: Collection[str]) -> None:
        """Read in one statement who has these orders."""
        found = fact_writes.holders_of_order_ids(self.tx, agency_id, order_ids)
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
        if fact_writes.keeps(table) and key in self._upserts.get(table.name, {}):
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
            fact_writes.upsert_all(self.tx, table, self._upserts.pop(table.name, {}))
        for table in (tables.service_revisions, tables.subscription_revisions):
            rows = [values for of, values in self._history if of is table]
            if rows and bulk.insert(self.tx, table, tuple(rows[0]), [tuple(row.values()) for row in rows]) != len(rows):
                raise RuntimeError(
                    f"{table.name} holds this revision already: it was accepted without the agency's lock"
                )
        self._history.clear()
