"""Bring a database to the schema this code expects, with Alembic, while others work on it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from shared.store.migrations.steps import HeldUpError
from shared.store.pooler import PooledError, pooled

__all__ = ["HeldUpError", "PooledError", "current_revision", "expected_revision", "knows", "mismatch", "upgrade"]

_FOLDER = Path(__file__).parent / "migrations"
# A lock that was not to be had in time, and a deadlock: PostgreSQL looks for those after one second already, and ends one of
# the two, which may be we.
_IN_USE = ("55P03", "40P01")
_PAUSE_MOST = 30.0
_ALONE = "SELECT pg_try_advisory_lock(hashtextextended('duecycle migrate', 0))"
_LONGEST = """
SELECT pid, coalesce(nullif(application_name, ''), usename, backend_type),
       extract(epoch FROM clock_timestamp() - xact_start)::integer
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 3"""


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, patience: int = 600, tell: Callable[[str], None] = lambda _words: None) -> None:
    """Apply every migration the database lacks, each in a transaction of its own; harmless when there is none.

    A migration that would have to wait for a table gives way after `LOCK_TIMEOUT` (migrations/steps.py), so that nobody queues
    behind it for longer, and after a deadlock with them. Then `tell` hears who holds it, and it is tried again for up to
    `patience` seconds. An index, for which nobody waits, waits itself until then.

    Raises HeldUpError after that, and PooledError.
    """
    until = time.monotonic() + patience
    engine = create_engine(url, hide_parameters=True, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as watching, _alone(watching, until):
            pause = 1.0
            while (held := _try(url, until)) is not None:
                words = f"{held}; longest transactions: {_longest(watching)}"
                if time.monotonic() + pause > until:
                    raise HeldUpError(f"{words}; end them, or run this again later: what was done stays")
                tell(f"{words}; next try in {pause:g} s")
                time.sleep(pause)
                pause = min(pause * 2, _PAUSE_MOST)
    finally:
        engine.dispose()


@contextmanager
def _alone(watching: Connection, until: Any) -> Iterator[None]:
    """One migrator at a time. Asked for again and again: who waits in a statement holds up indexes that are built beside it."""
    if words := pooled(watching):
        raise PooledError(words)
    while not watching.execute(text(_ALONE)).scalar_one():
        if time.monotonic() > until:
            raise HeldUpError(f"another migration has been running all the time: {_longest(watching)}")
        time.sleep(0.2)
    yield  # the lock ends with the session


def _try(url: str, until: Any) -> str | None:
    """What could not be had in time; None when all is applied."""
    try:
        config = _config(url)
        config.attributes["until"] = until
        command.upgrade(config, "head")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in _IN_USE:
            raise
        return "a table that has to change is in use"
    return None


def _longest(watching: Connection) -> str:
    rows = watching.execute(text(_LONGEST)).fetchall()
    return ", ".join(f"{name} (pid {pid}) for {seconds} s" for pid, name, seconds in rows) or "none any more"


def expected_revision() -> str:
    """The revision this code was written for."""
    head = ScriptDirectory.from_config(_config("")).get_current_head()
    if head is None:
        raise RuntimeError("no migration is shipped")
    return head


def current_revision(url: str) -> str | None:
    """The revision of a database's schema; None for an empty one. Raises PooledError."""
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            if words := pooled(connection):
                raise PooledError(words)
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def knows(revision: str) -> bool:
    """Whether this program has a migration of that name; if not, the database is newer."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config("")).walk_revisions()}


def mismatch(engine: Engine) -> str | None:
    """What is wrong with a database, in words that say what to do; None if this program can work with it.

    A newer schema is no fault if it says that programs of ours still work with it: so an upgrade stops nobody.
    """
    wanted = expected_revision()
    with engine.connect() as connection:
        if words := pooled(connection):
            return words
        found = MigrationContext.configure(connection).get_current_revision()
        if found == wanted:
            return None
        if found is not None and not knows(found):
            works_with = connection.execute(text("SELECT works_with FROM deployment")).scalar()
            if works_with is not None and knows(works_with):
                return None
            return f"the database has schema {found}, newer than this program knows ({wanted}); run the newer program"
    state = "has no schema yet" if found is None else f"has schema {found}"
    return f"the database {state}, this program needs {wanted}; run: duecycle migrate"
