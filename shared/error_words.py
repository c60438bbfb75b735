"""What may be logged of an error: its kind, where it was raised, and words that contain no value of a row or a message.

A database tells whole rows in the DETAIL of its errors, drivers tell parameters, and Python tells the value that it could not
use. None of it is logged: it may be a payment token, or a person's name or address. See docs/decisions/0022-what-logs-hold.md.
"""

import re
import traceback
from collections.abc import Iterator
from typing import Final

OURS: Final = ("shared", "scheduler", "workers", "ops")
# Of these, words are the interpreter's or our own: names and types, never values.
PLAIN: Final = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, IndexError, MemoryError, NameError),
    *(OSError, RuntimeError, StopIteration, TypeError),
)
_VALUES: Final = re.compile(r'"[^"]*"|\'[^\']*\'|:\s.*')
_MOST = 300


def safe_words(error: BaseException) -> str:
    """One line for the log: the kind of an error, and its words if they can't hold a value."""
    kind, words = type(error).__name__, _words(error)
    return f"{kind}: {words}"[:_MOST] if words else kind


def _words(error: BaseException) -> str:
    from_driver = getattr(error, "orig", None) or error
    diag = getattr(from_driver, "diag", None)
    if diag is not None:
        return _of_database(from_driver, diag)
    home = type(error).__module__
    if home.partition(".")[0] in OURS or type(error) is LookupError:
        return _first_line(str(error))
    if home in ("builtins", "socket", "ssl") and isinstance(error, PLAIN):
        # Never the file's name: a mail's has its recipient in it.
        return _first_line(getattr(error, "strerror", None) or str(error))
    return ""


def _of_database(error: BaseException, diag: object) -> str:
    """The server's first message. In errors about data (class 22) it quotes the value; names of constraints stay."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    primary = getattr(diag, "message_primary", None)
    if primary:
        shown = _VALUES.sub("…", primary) if sqlstate.startswith("22") else primary
        return f"{_first_line(shown)} ({sqlstate})"
    # Without a state nothing of a statement was looked at: the connection was not made, or broke.
    is_connection = type(error).__name__ in ("OperationalError", "ConnectionTimeout")
    return _first_line(str(error)) if is_connection else ""


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def safe_traceback(error: BaseException) -> str:
    """Where it was raised and what led to it, outermost last, as Python prints it, but with safe words."""
    return "".join(_parts(error, set())).rstrip("\n")


def _parts(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _parts(earlier, seen)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_list(traceback.extract_tb(error.__traceback__))
    yield f"{safe_words(error)}\n"
    for each in getattr(error, "exceptions", ()):
        if isinstance(each, BaseException) and id(each) not in seen:
            yield "\namong them:\n\n"
            yield from _parts(each, seen)
