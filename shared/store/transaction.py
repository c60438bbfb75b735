"""An open transaction: the moment it is judged at, its statements, and the events it leaves behind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.rows import RowFactory, dict_row, tuple_row
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError

from shared.messages.event_data import EVENT_TYPES, EventData

R = TypeVar("R")
T = TypeVar("T")
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Event(NamedTuple):
    """A business fact about one subject: audit trail and outbox in one row."""

    type: str
    subject: str
    data: EventData


class Transaction:
    """An open transaction. `as_of` is the one moment that everything in it is judged at (aware, UTC).

    Statements go straight to the driver: SQLAlchemy keeps the pool, the transaction and the names of the parameters, but its
    results would cost three times what the driver needs for a statement. Errors are SQLAlchemy's, as everywhere.
    """

    def __init__(self, connection: Connection, as_of: datetime) -> None:
        self.connection = connection
        self.as_of = as_of
        self.events: dict[str, list[Event]] = {}

    def rows(self, sql: str, **params: Any) -> Sequence[tuple[Any, ...]]:
        """Run one statement and return all its rows."""
        return self._execute(sql, params, tuple_row, lambda cursor: cursor.fetchall())

    def mappings(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Run one statement and return all its rows, each by the names of its columns."""
        return self._execute(sql, params, dict_row, lambda cursor: cursor.fetchall())

    def run(self, sql: str, **params: Any) -> int:
        """Run one statement and return how many rows it touched."""
        return self._execute(sql, params, tuple_row, lambda cursor: cursor.rowcount)

    def scalar(self, sql: str, **params: Any) -> Any:
        """Run one statement and return the first column of its first row, None without rows."""
        row = self._execute(sql, params, tuple_row, lambda cursor: cursor.fetchone())
        return None if row is None else row[0]

    def portions(self, sql: str) -> Iterator[Mapping[str, Any]]:
        """Run one statement and hand out its rows as mappings, fetched 2,000 at a time by a cursor of the server."""
        result = self.connection.execution_options(yield_per=2000).execute(text(sql))
        for row in result.mappings():
            yield dict(row)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Everything inside counts together, or not at all, while the transaction goes on either way."""
        kept = {agency_id: len(recorded) for agency_id, recorded in self.events.items()}
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            self.events = {agency_id: self.events[agency_id][:count] for agency_id, count in kept.items()}
            raise

    def record(self, data: EventData) -> None:
        """Leave an event behind; it is written, numbered within its subject, when the transaction ends.

        Raises TypeError for anything but the struct of a published type.
        """
        name = getattr(data, "event_type", None)
        if name is None or EVENT_TYPES.get(name) is not type(data):
            raise TypeError(f"{type(data).__name__} is no type of event; see shared/messages/event_data")
        self.events.setdefault(data.whose, []).append(Event(name, data.subject(), data))

    def _execute(
        self, sql: str, params: Mapping[str, Any], kind: RowFactory[R], take: Callable[[psycopg.Cursor[R]], T]
    ) -> T:
        """What `take` takes of the result: a value that can't be read is an error of the statement like any other."""
        session: psycopg.Connection[Any] = self.connection.connection.driver_connection  # type: ignore[assignment]
        try:
            return take(session.cursor(row_factory=kind).execute(_for_the_driver(sql), params))
        except psycopg.Error as error:
            if session.closed:
                self.connection.invalidate(error)
            raise DBAPIError.instance(
                sql, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=session.closed
            ) from error


@cache
def _for_the_driver(sql: str) -> bytes:
    """A statement with its parameters written as the driver wants them: `:name` as `%(name)s`."""
    return str(text(sql).compile(dialect=_DIALECT)).encode()
