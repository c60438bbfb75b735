"""The errors of a database whose limits are hit, as its driver raises them."""

import psycopg
from sqlalchemy.exc import OperationalError


def timed_out() -> OperationalError:
    """A statement took longer than it may."""
    return OperationalError("…", {}, psycopg.errors.QueryCanceled("canceling statement due to statement timeout"))


def too_large() -> OperationalError:
    """The server is out of memory."""
    return OperationalError("…", {}, psycopg.errors.OutOfMemory("out of memory"))
