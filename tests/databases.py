"""Databases for tests, used again: one that a test has left behind gets its first rows back, which costs less than a copy.

A session that lives on has its catalog caches warm. Whatever a test does beside rows (tables, constraints, grants, a
session that stays) makes its database unfit, and the next test gets a fresh copy.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
from psycopg import sql

from ops.servers.postgres import PostgresServer
from shared.store import deployment
from shared.store.database import make_engine
from tests.event_shapes import wrong_rows

ROWS_MAX = 3000  # more of them leave tables that are slow to empty
LEAVE_SECONDS = 2.0  # how long sessions that were closed may take to be gone
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
SHAPE = """
SELECT (SELECT sum(hashtextextended(relname || relkind::text || relnatts || coalesce(relacl::text, ''), relnatts))
        FROM pg_class WHERE oid >= 16384 AND relnamespace = 'public'::regnamespace),
       (SELECT sum(hashtextextended(conname, 0)) FROM pg_constraint WHERE oid >= 16384),
       (SELECT sum(hashtextextended(tgname || tgenabled::text, 0)) FROM pg_trigger WHERE NOT tgisinternal),
       (SELECT sum(hashtextextended(proname || prosrc, 0)) FROM pg_proc WHERE oid >= 16384)
"""
SEQUENCES = """
SELECT schemaname || '.' || sequencename, coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Database:
    """One copy of a template, with an engine whose sessions outlive a test."""

    def __init__(self, server: PostgresServer, name: str, template: str) -> None:
        self._server, self._name = server, name
        self.url = server.create_database(name, template)
        # Tables of tests stay small, so a plan that is kept stays right, and planning is half of what a statement costs.
        self.engine = make_engine(self.url, ping=False, prepare_threshold=2)
        self._may_restore = True  # only a superuser may, on a server that somebody else runs
        self._session = self._connect()
        self._tables = [sql.Identifier(row[0]) for row in self._session.execute(TABLES)]
        self._rows = [(table, rows) for table in self._tables if (rows := self._read(table))]
        self._sequences = self._session.execute(SEQUENCES).fetchall()
        self._shape = self._session.execute(SHAPE).fetchone()

    def wrong_events(self) -> list[str]:
        """Events that a test has left behind, by whichever process, that are not as they are published."""
        if self._session.closed:
            self._session = self._connect()
        return wrong_rows(self._session)

    def restore(self) -> bool:
        """True if it is again as it was when it was copied; else it is to be dropped."""
        if not self._may_restore:
            return False
        if self._session.closed:
            self._session = self._connect()
        if self.engine.pool.checkedout() or not self._alone():  # type: ignore[attr-defined]
            return False
        if self._session.execute(SHAPE).fetchone() != self._shape:
            return False
        with self._session.transaction():
            gone = sum(self._session.execute(sql.SQL("DELETE FROM {}").format(each)).rowcount for each in self._tables)
            for table, rows in self._rows:
                with self._session.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copying:
                    copying.write(rows)
            self._session.cursor().executemany("SELECT setval(%s, %s, %s)", self._sequences)
        deployment._KNOWN.pop(self.engine, None)  # a test may have renamed it: what was read of it goes with the rows
        return gone <= ROWS_MAX

    @contextmanager
    def copied(self) -> Iterator[str]:
        """The address of a copy with the rows of now."""
        self._leave()
        name = f"{self._name}_copy"
        try:
            yield self._server.create_database(name, self._name)
        finally:
            self._server.drop_database(name)

    def drop(self) -> None:
        self._leave()
        self._server.drop_database(self._name)

    def _leave(self) -> None:
        self.engine.dispose()
        self._session.close()

    def _connect(self) -> psycopg.Connection:
        session = psycopg.connect(self.url.replace("+psycopg", "", 1), autocommit=True)
        try:  # then neither foreign keys nor the guards of states stand in the way
            session.execute("SET session_replication_role = replica")
        except psycopg.errors.InsufficientPrivilege:
            self._may_restore = False
        return session

    def _alone(self) -> bool:
        """No session but ours and those of the engine."""
        until = time.monotonic() + LEAVE_SECONDS
        while self._others() > self.engine.pool.checkedin():  # type: ignore[attr-defined]
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def _others(self) -> int:
        row = self._session.execute(SESSIONS).fetchone()
        return int(row[0]) if row else 0

    def _read(self, table: sql.Identifier) -> bytes:
        with self._session.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(table)) as copying:
            return b"".join(bytes(each) for each in copying)


class Databases:
    """Hands out copies of a template, one test after the other. A context manager: drops them at the end."""

    def __init__(self, server: PostgresServer, template: str, prefix: str) -> None:
        self._server, self._template, self._prefix = server, template, prefix
        self._numbers = count(1)
        self._free: list[Database] = []

    @contextmanager
    def one(self) -> Iterator[Database]:
        """A database with the rows of the template, no more and no fewer."""
        name = f"{self._prefix}_{next(self._numbers)}"
        database = self._free.pop() if self._free else Database(self._server, name, self._template)
        try:
            yield database
            wrong = database.wrong_events()
        finally:
            try:
                fit = database.restore()
            except psycopg.Error:  # its sessions were ended, or its server was
                fit = False
            if fit:
                self._free.append(database)
            else:
                database.drop()
        if wrong:
            raise AssertionError(f"events unlike their published shape: {wrong[:3]}")

    def __enter__(self) -> "Databases":
        return self

    def __exit__(self, *_: object) -> None:
        while self._free:
            self._free.pop().drop()
