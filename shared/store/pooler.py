"""Is there a pooler between us and PostgreSQL? Then sessions are not ours, and what a session sets is lost without a word."""

from sqlalchemy import Connection, text

ADVICE = (
    "it drops what a session sets (timeouts, LISTEN, locks), so let DUECYCLE_DATABASE_URL name PostgreSQL itself; each process"
    " opens few sessions of its own (docs/operating/cluster.md)"
)


class PooledError(Exception):
    """The database can only be reached through a pooler; the message says what to set."""


def pooled(connection: Connection) -> str | None:
    """What to set instead, if a pooler answers; None if PostgreSQL does.

    PostgreSQL gives each session the number of its process. A pooler gives one that it made up, whatever its mode.
    """
    told = getattr(connection.connection.driver_connection, "info").backend_pid  # noqa: B009 - psycopg's own, behind a general type
    if connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == told:
        return None
    return f"the address of the database leads through a pooler such as PgBouncer; {ADVICE}"
