"""Wait for a database notification: what a commit that leaves work behind sends, so that nobody polls in vain."""

from threading import Event

import psycopg

from shared.store.connection_args import parameters

CHANNEL = "duecycle"
# A wait ends at least this often to see whether the process should stop.
LOOK_SECONDS = 0.25


class Listener:
    """A connection of its own that hears `CHANNEL`. It reconnects automatically; meanwhile waiting just takes its time."""

    def __init__(self, url: str) -> None:
        self._parameters = parameters(url, "duecycle listener")
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def wait(self, seconds: int, stop: Event | None = None) -> bool:
        """Wait up to `seconds`, less when `stop` is set. Returns True if somebody left work behind meanwhile.

        Raises psycopg.OperationalError when the database can't be reached.
        """
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(**self._parameters, autocommit=True)
            self._connection.execute(f"LISTEN {CHANNEL}")
            return True  # whatever was said before nobody heard
        parts, part = (1, seconds) if stop is None else (round(seconds / LOOK_SECONDS), LOOK_SECONDS)
        for _ in range(parts):
            if stop is not None and stop.is_set():
                break
            if any(True for _ in self._connection.notifies(timeout=part, stop_after=1)):
                return True
        return False

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
