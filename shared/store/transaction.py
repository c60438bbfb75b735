"""One transaction: as_of, statements, and the events it leaves behind. The only commit of the code base."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, CursorResult, Engine, Row, create_engine, event, text
from sqlalchemy.sql.elements import TextClause

from shared.store import arrays

_STATEMENTS: dict[str, TextClause] = {}


class Clock(Protocol):
    """Where `as_of` comes from when it is not the database's own clock."""

    def now(self) -> datetime: ...


class FixedClock:
    """A clock that stands where it is put: simulations and tests move it by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Event(NamedTuple):
    """A business fact about one subject: audit trail and outbox in one row."""

    type: str
    subject: str
    data: Mapping[str, Any]


class Tx:
    """An open transaction. `as_of` is the one moment that everything in it is judged at (aware, UTC)."""

    def __init__(self, connection: Connection, as_of: datetime) -> None:
        self.connection = connection
        self.as_of = as_of
        self.events: dict[str, list[Event]] = {}

    def rows(self, sql: str, **params: Any) -> Sequence[Row[*tuple[Any, ...]]]:
        """Run one statement and return all its rows."""
        return self._execute(sql, params).fetchall()

    def run(self, sql: str, **params: Any) -> int:
        """Run one statement and return how many rows it touched."""
        return self._execute(sql, params).rowcount

    def scalar(self, sql: str, **params: Any) -> Any:
        """Run one statement and return the first column of its first row, None without rows."""
        row = self._execute(sql, params).first()
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

    def record(self, agency_id: str, type_: str, subject: str, data: Mapping[str, Any]) -> None:
        """Leave an event behind; it is written, numbered within its subject, when the transaction ends."""
        self.events.setdefault(agency_id, []).append(Event(type_, subject, data))

    def _execute(self, sql: str, params: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
        statement = _STATEMENTS.get(sql)
        if statement is None:
            statement = _STATEMENTS[sql] = text(sql)
        return self.connection.execute(statement, params)


class Store:
    """PostgreSQL behind one engine. Without a clock, `as_of` is the database's clock, read once per transaction."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self.engine = engine
        self.clock = clock

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Everything inside commits together, or not at all. A commit that leaves events behind wakes the scheduler.

        Raises whatever the block or the database raises; nothing of the block is then kept.
        """
        from shared.store import events

        with self.engine.begin() as connection:
            tx = Tx(connection, self._as_of(connection))
            yield tx
            for agency_id, recorded in tx.events.items():
                events.write(tx, agency_id, recorded)
            if tx.events:
                tx.run("SELECT pg_notify('duecycle', '')")

    def _as_of(self, connection: Connection) -> datetime:
        if self.clock is not None:
            return self.clock.now()
        now: datetime = connection.execute(text("SELECT transaction_timestamp()")).scalar_one()
        return now.astimezone(UTC)


def make_engine(
    url: str, *, pool_size: int = 5, statement_timeout_ms: int = 30_000, ping: bool = True, **connect_args: Any
) -> Engine:
    """An engine whose sessions speak UTC and give up: a statement after 30 s, a lock and an idle transaction earlier.

    `ping` asks a session whether it still lives before each transaction; a private server that ends with us needs none.
    """
    options = (
        f"-c timezone=UTC -c statement_timeout={statement_timeout_ms} -c lock_timeout={statement_timeout_ms // 2}"
        f" -c idle_in_transaction_session_timeout={statement_timeout_ms * 2} -c jit=off"
    )
    plain: dict[str, Any] = {"options": options, "connect_timeout": 5, "application_name": "duecycle"}
    # Never prepared: a plan made while a table was small would be kept while it grows.
    plain["prepare_threshold"] = None
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=ping, connect_args={**plain, **connect_args}
    )
    event.listen(engine, "connect", lambda connection, _record: arrays.register(connection))
    return engine
