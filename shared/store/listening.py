"""Wait for a database notification: what a commit that leaves work behind sends, so that nobody polls in vain."""

import psycopg
from sqlalchemy import make_url

CHANNEL = "duecycle"


class Listener:
    """A connection of its own that hears `CHANNEL`. It reconnects by itself; meanwhile waiting just takes its time."""

    def __init__(self, url: str) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def wait(self, seconds: int) -> bool:
        """Wait up to `seconds`. Returns True if somebody left work behind meanwhile.

        Raises psycopg.OperationalError when the database can't be reached.
        """
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
            self._connection.execute(f"LISTEN {CHANNEL}")
        return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
