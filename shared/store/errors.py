"""Which database errors speak of the data (bisect to the bad row) and which of the moment (leave every row due)."""

import re
from typing import Literal

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoSessionFreeError

from shared.error_words import safe_words
from shared.store.pooler import ADVICE

_DATA_CLASSES = ("22", "23")
_MAY_NOT = "this database role may not do that; connect as the role made for it, or run: duecycle migrate --roles"
# Connection exceptions, the server going down or starting up, and a wrong user, password (28) or database (3D).
_CONNECTION_CLASSES = ("08", "57P", "28", "3D")


class MissedRowsError(RuntimeError):
    """A statement did not find every row that it was to write: one is gone, or is in a state that nobody expected."""


def require_all(written: int, wanted: int, what: str) -> None:
    """Raise MissedRowsError unless a statement wrote exactly the rows it was given."""
    if written != wanted:
        raise MissedRowsError(f"{what}: {written} of {wanted} rows could be written")


def is_data_error(error: BaseException) -> bool:
    """True for SQLSTATE classes 22 (data exception) and 23 (integrity), for what the driver itself refuses to send (a NUL),
    and for bugs outside the database.

    Connection, deadlock, timeout, resource and schema errors are False, and so is a pool with no session free: trying again
    later may work, splitting won't.
    """
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None)
        return isinstance(error, DataError) or (sqlstate is not None and sqlstate.startswith(_DATA_CLASSES))
    return isinstance(error, Exception) and not isinstance(error, OSError | MemoryError | NoSessionFreeError)


# Out of memory, a configured limit, a limit of the program (too long, too deep, too many parameters), and a message that is
# longer than the protocol has room for.
_SIZE = ("53200", "53400", "54", "08P01")
_TIME = ("25P03", "25P04")  # a transaction that idled, or lasted, for too long


def limit_of(error: BaseException) -> Literal["size", "time"] | None:
    """Which limit a statement or its result has hit, None if it was none: fewer rows at a time may stay below it."""
    if isinstance(error, MemoryError):
        return "size"
    if not isinstance(error, DBAPIError):
        return None
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    if sqlstate.startswith(_SIZE):
        return "size"
    # An operator's cancelling has the same state as the statement's timeout, in other words.
    timed_out = sqlstate == "57014" and "statement timeout" in str(error.orig)
    return "time" if timed_out or sqlstate in _TIME else None


def describe(error: BaseException) -> str:
    """One line for a row and for an operator: the kind and first line, of a database's errors never a value.

    For the log there is `safe_words`.
    """
    if isinstance(error, DBAPIError | psycopg.Error):
        return safe_words(error) + (f"; {_MAY_NOT}" if lacks_right(error) else "")
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:300]


def is_connection_error(error: BaseException) -> bool:
    """True if the database could not be reached, or ended the connection: later it may be there again."""
    if not isinstance(error, DBAPIError | psycopg.Error):
        return False
    sqlstate = _state(error)
    refused = isinstance(error, OperationalError | psycopg.OperationalError) and not sqlstate
    invalid = isinstance(error, DBAPIError) and error.connection_invalidated
    return invalid or refused or sqlstate.startswith(_CONNECTION_CLASSES)


def lacks_right(error: BaseException) -> bool:
    """True if the database's role may not do that; `describe` says which to connect as."""
    return _state(error) == "42501"


def _state(error: BaseException) -> str:
    """SQLSTATE; "" where the server said none."""
    from_driver = error.orig if isinstance(error, DBAPIError) else error
    return getattr(from_driver, "sqlstate", None) or ""


_WHERE = re.compile(r'server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+)')
# What libpq and the server say, and what it means for the settings.
_CAUSES = (
    (
        "no password supplied",
        "it asks for a password and there is none; set DUECYCLE_DATABASE_PASSWORD or DUECYCLE_DATABASE_PASSWORD_FILE",
    ),
    (
        "password authentication failed",
        "it refuses the user or the password; check DUECYCLE_DATABASE_PASSWORD and the user in DUECYCLE_DATABASE_URL",
    ),
    ("does not exist", "it has no such database or role; check DUECYCLE_DATABASE_URL"),
    (
        "no pg_hba.conf entry",
        "its pg_hba.conf lets this user and host not in; add a line there, or sslmode to the address",
    ),
    ("does not support SSL", "it does not speak TLS; turn TLS on there, or take sslmode out of DUECYCLE_DATABASE_URL"),
    ("received invalid response", "what listens there is no PostgreSQL; check the port in DUECYCLE_DATABASE_URL"),
    ("resolve host", "there is no such host; check DUECYCLE_DATABASE_URL"),
    ("translate host name", "there is no such host; check DUECYCLE_DATABASE_URL"),
    ("Connection refused", "nobody listens there; is PostgreSQL running, and is the port right?"),
    (
        "No such file or directory",
        "nobody listens there; is PostgreSQL running, and is the folder of its socket right?",
    ),
    ("timeout", "it does not answer; is the host reachable, and PostgreSQL up?"),
    ("timed out", "it does not answer; is the host reachable, and PostgreSQL up?"),
    ("starting up", "it is starting; this is tried again"),
    ("unsupported startup parameter", f"a pooler such as PgBouncer answers there; {ADVICE}"),
)


def unreachable(error: BaseException) -> str:
    """Why the database can't be reached, in words that name the setting and the fix; for connection errors."""
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    found = _WHERE.search(text)
    where = f"{found['host']}:{found['port']}: " if found else ""
    cause = next((words for said, words in _CAUSES if said in text), None)
    return f"{where}{cause}" if cause else describe(error)


def in_words(error: BaseException) -> str | None:
    """What a command says of a database that can't be reached, or that may not do what its role lacks; None for the rest."""
    if is_connection_error(error):
        return f"the database can't be reached: {unreachable(error)}"
    return f"the database says: {describe(error)}" if lacks_right(error) else None
