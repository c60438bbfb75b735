"""Two sessions of one database, one stopped on the way and let go by hand: a race that comes out the same each time.

A session is a thread with its own engine. It stands still where the test put a stop; whether another session waits for a
lock is read from the server, so no test guesses by the clock. Every race is run twice: with the product's locks, where it
has to end well, and without them, where it has to end badly, or the test could not notice that a lock is missing.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from shared.store import locks
from shared.store.database import FixedClock, Store, make_engine
from tests.journeys.diary import Diary
from workers.intake import receive_changes

PATIENCE = 60.0  # how long a broken test hangs before it fails; no result depends on it
LOOK_EVERY = 0.005
BLOCKED = """
SELECT count(*) FROM pg_stat_activity AS w JOIN pg_stat_activity AS h ON h.pid = ANY(pg_blocking_pids(w.pid))
WHERE w.application_name = :name AND h.application_name LIKE :behind"""


class Session(threading.Thread):
    """Work in a session of its own; `name` is also what the server calls it."""

    def __init__(self, name: str, work: Callable[[], Any]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self.error = error


class Stop:
    """A place where one session stands still once, until it is let go. With `failing` it then raises instead."""

    def __init__(self) -> None:
        self._reached, self._free = threading.Event(), threading.Event()
        self._passed = False
        self.failing: BaseException | None = None

    def stand(self) -> None:
        """Called by the session that stops here."""
        if self._passed:
            return
        self._passed = True
        self._reached.set()
        assert self._free.wait(PATIENCE), "nobody let this session go"
        if self.failing is not None:
            raise self.failing

    def reached(self, session: Session) -> None:
        """Wait until the session stands here."""
        while not self._reached.wait(LOOK_EVERY):
            assert session.is_alive(), f"{session.name} ended before its stop: {session.error!r}"

    def go(self) -> None:
        """Let the session go on."""
        self._free.set()


class Stage:
    """Where a race is played: a world on an empty database, and sessions beside it."""

    def __init__(
        self, url: str, store: Store, clock: FixedClock, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.diary = Diary(store, clock, folder)
        self.store, self.clock = store, clock
        self.locked = True
        self.monkeypatch = monkeypatch
        self._url = url
        self._engines: list[Engine] = []
        self._watch = create_engine(url, isolation_level="AUTOCOMMIT")
        self.failed: list[BaseException] = []

    def without_locks(self) -> None:
        """Take the lock lines out of the product: the statements stay, they only lock nothing."""
        self.locked = False
        clause = " FOR NO KEY UPDATE OF s"
        assert clause in locks._LOCK
        assert clause in locks._LOCK_FREE
        plain = locks._LOCK.replace(clause, "")
        self.monkeypatch.setattr(locks, "_LOCK", plain)
        self.monkeypatch.setattr(locks, "_LOCK_FREE", plain)
        self.monkeypatch.setattr(receive_changes, "lock_agency", lambda _tx, _agency_id: None)

    def store_of(self, name: str, clock: FixedClock | None = None) -> Store:
        """A store with an engine of its own; the server knows its sessions by `name`."""
        engine = make_engine(self._url, pool_size=2, application_name=name)
        self._engines.append(engine)
        return Store(engine, clock or self.clock)

    def start(self, name: str, work: Callable[[Store], Any], clock: FixedClock | None = None) -> Session:
        """Let a session begin its work."""
        store = self.store_of(name, clock)
        session = Session(name, lambda: work(store))
        session.start()
        return session

    def stop(self, owner: Any, function: str, name: str, *, before: bool = False) -> Stop:
        """Let session `name` stand still the first time it comes out of (or to) `owner.function`."""
        stop, real = Stop(), getattr(owner, function)

        def standing(*args: Any, **kwargs: Any) -> Any:
            here = threading.current_thread().name == name
            if here and before:
                stop.stand()
            result = real(*args, **kwargs)
            if here and not before:
                stop.stand()
            return result

        self.monkeypatch.setattr(owner, function, standing)
        return stop

    def waits(self, session: Session, behind: str = "%") -> bool:
        """Watch a session until it waits for a lock of another one (`behind`: its name) or has ended. True if it waits."""
        until = time.monotonic() + PATIENCE
        while session.is_alive():
            if self._blocked(session.name, behind):
                return True
            assert time.monotonic() < until, f"{session.name} neither waits nor ends"
            session.join(LOOK_EVERY)
        return False

    def _blocked(self, name: str, behind: str) -> bool:
        with self._watch.connect() as connection:
            return bool(connection.execute(text(BLOCKED), {"name": name, "behind": behind}).scalar_one())

    def end(self, *sessions: Session) -> None:
        """Join sessions. An error is the test's own failure, unless the locks are away: then it is harm done."""
        for session in sessions:
            session.join(PATIENCE)
            assert not session.is_alive(), f"{session.name} hangs"
            if session.error is not None:
                if self.locked:
                    raise session.error
                self.failed.append(session.error)

    def ask(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """What is committed now, as text and numbers; nothing is settled by asking."""
        with self._watch.connect() as connection:
            found = connection.execute(text(sql), params).fetchall()
        return [tuple(value if isinstance(value, int | None) else str(value) for value in row) for row in found]

    def verdict(self, outcome: object, right: object) -> None:
        """With locks the outcome is right; without them the race has done harm that this test sees."""
        if self.locked:
            assert outcome == right
        else:
            assert self.failed or outcome != right, "without its lock this race ends well too: the test proves nothing"

    def close(self) -> None:
        for engine in (*self._engines, self._watch):
            engine.dispose()
