"""The store and its transactions: where they begin, which moment they are judged at, and the only commit there is."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from shared.store import bulk, events
from shared.store.clock_watch import ClockStoppedError, ClockWatch
from shared.store.connection_args import PATIENCE
from shared.store.transaction import Event, Transaction

__all__ = ["Clock", "Event", "FixedClock", "Store", "Transaction", "machine_now", "make_engine"]


class Clock(Protocol):
    """Where `as_of` comes from when it is not the database's own clock."""

    def now(self) -> datetime: ...


class FixedClock:
    """A clock that stays where it is set: simulations and tests move it by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def machine_now() -> datetime:
    """This machine's own clock: only ever compared with the database's."""
    return datetime.now(UTC)


class Store:
    """PostgreSQL behind one engine. Without a clock, `as_of` is the database's clock, read once per transaction.

    With a `watch`, nothing is done at a moment that it does not trust.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None, watch: ClockWatch | None = None) -> None:
        self.engine = engine
        self.clock = clock
        self.watch = watch

    def unwatched(self) -> "Store":
        """The same for whoever decides nothing by the time: figures, and the command that accepts the clock."""
        return Store(self.engine, self.clock)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything inside commits together, or not at all. A commit that leaves events behind wakes the scheduler.

        Raises whatever the block or the database raises; nothing of the block is then kept. Raises ClockStoppedError, before
        the block, while the clock can't be trusted.
        """
        try:
            with self.engine.begin() as connection:
                tx = Transaction(connection, self._as_of(connection))
                yield tx
                for agency_id, recorded in tx.events.items():
                    events.write(tx, agency_id, recorded)
                if tx.events:
                    tx.run("SELECT pg_notify('duecycle', '')")
        except ClockStoppedError as stopped:
            if self.watch is not None and stopped.jump is not None:
                # Should this fail, be it at the commit, the next transaction tries it again.
                with suppress(DBAPIError):
                    with self.engine.begin() as connection:
                        self.watch.keep(connection, stopped.jump)
                    self.watch.kept(stopped.jump)
            raise

    def _as_of(self, connection: Connection) -> datetime:
        if self.watch is not None:
            return self.watch.look(connection, None if self.clock is None else self.clock.now)
        if self.clock is not None:
            return self.clock.now()
        now: datetime = connection.execute(text("SELECT transaction_timestamp()")).scalar_one()
        return now.astimezone(UTC)


def make_engine(
    url: str, *, pool_size: int = 5, statement_timeout_ms: int = 30_000, ping: bool = True, **connect_args: Any
) -> Engine:
    """An engine whose sessions speak UTC and never wait for ever, each wait at most half of the one around it.

    A lock is waited for half as long as a statement may take, and a statement half as long as a transaction may idle. A server
    that has gone without a word is noticed within half a minute. The URL may name several hosts and `target_session_attrs`:
    a new connection then goes to the one that takes writes.

    `ping` asks a session whether it still lives before each transaction; a private server that ends with us needs none.
    """
    options = (
        f"-c timezone=UTC -c statement_timeout={statement_timeout_ms} -c lock_timeout={statement_timeout_ms // 2}"
        f" -c idle_in_transaction_session_timeout={statement_timeout_ms * 2} -c jit=off"
    )
    plain: dict[str, Any] = {**PATIENCE, "options": options, "application_name": "duecycle"}
    # Never prepared: a plan made while a table was small would be kept while it grows.
    plain["prepare_threshold"] = None
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=ping,
        hide_parameters=True,  # tokens, names and addresses are among them
        connect_args={**plain, **connect_args},
    )
    event.listen(engine, "connect", lambda connection, _record: bulk.register(connection))
    return engine
