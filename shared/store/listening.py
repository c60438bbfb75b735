"""Wait for a database notification: what a commit that leaves work behind sends, so that nobody polls in vain."""

from threading import Event
from typing import Any

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.engine import make_url

CHANNEL = "duecycle"
# A wait ends at least this often to see whether the process should stop.
LOOK_SECONDS = 0.25
# A server that has gone without a word is noticed within half a minute.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Listener:
    """A connection of its own that hears `CHANNEL`. It reconnects by itself; meanwhile waiting just takes its time."""

    def __init__(self, url: str) -> None:
        # The same translation that the engine uses, so that several hosts and every option of libpq mean the same.
        dialect_: Any = dialect  # its constructor tells no types
        _, self._parameters = dialect_().create_connect_args(make_url(url).set(drivername="postgresql+psycopg"))
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def wait(self, seconds: int, stop: Event | None = None) -> bool:
        """Wait up to `seconds`, less when `stop` is set. Returns True if somebody left work behind meanwhile.

        Raises psycopg.OperationalError when the database can't be reached.
        """
        if self._connection is None or self._connection.closed:
            given = {**PATIENCE, "application_name": "duecycle listener", **self._parameters}
            self._connection = psycopg.connect(**given, autocommit=True)
            self._connection.execute(f"LISTEN {CHANNEL}")
            return True  # whatever was said before nobody heard
        looks, part = (1, seconds) if stop is None else (round(seconds / LOOK_SECONDS), LOOK_SECONDS)
        for _ in range(looks):
            if stop is not None and stop.is_set():
                break
            if any(True for _ in self._connection.notifies(timeout=part, stop_after=1)):
                return True
        return False

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
