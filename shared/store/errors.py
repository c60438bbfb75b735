"""Which database errors speak of the data (bisect to the bad row) and which of the moment (leave every row due)."""

from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoSessionFreeError

_DATA_CLASSES = ("22", "23")
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


def describe(error: BaseException) -> str:
    """One line for the row and the log: the kind and first line, never bound parameters."""
    text = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:300]


def is_connection_error(error: BaseException) -> bool:
    """True if the database could not be reached, or ended the connection: later it may be there again."""
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        refused = isinstance(error, OperationalError) and not sqlstate
        return error.connection_invalidated or refused or sqlstate.startswith(_CONNECTION_CLASSES)
    return False
