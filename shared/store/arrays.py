"""Python lists as PostgreSQL arrays, and its JSON as Python values, fast: on a whole batch psycopg's own way takes longer
than the server does.

Each array is sent as text of unknown type, so a statement must say what it is: `CAST(:ids AS text[])`.
"""

from datetime import date, datetime, time
from typing import Any

import msgspec
from psycopg import Connection, DataError
from psycopg.adapt import Dumper
from psycopg.types.json import set_json_loads

_NUL = "\0"
_PLAIN = (int, date, datetime, time)


class ArrayDumper(Dumper):
    """Dumps a flat list whose elements are text, bytes, numbers, dates, times, aware datetimes, booleans or None."""

    oid = 0

    def dump(self, obj: list[Any]) -> bytes:
        """The array literal. Raises psycopg.DataError for a NUL character, which PostgreSQL cannot store."""
        encoding = self.connection.info.encoding if self.connection is not None else "utf-8"
        return _literal(obj).encode(encoding)


def register(connection: Connection[Any]) -> None:
    """Let a connection send lists, and read JSON, this way."""
    connection.adapters.register_dumper(list, ArrayDumper)
    set_json_loads(msgspec.json.decode, connection)


def _literal(values: list[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {str}:
        return f'{{"{_escaped(values)}"}}'
    if len(kinds) == 1 and kinds <= set(_PLAIN):
        return f'{{"{_QUOTED.join(map(str, values))}"}}'
    return f"{{{','.join(map(_element, values))}}}"


_QUOTED = '","'


def _escaped(texts: list[str]) -> str:
    """All elements at once: joined by the one character that none may contain, then escaped, then split."""
    joined = _NUL.join(texts)
    if joined.count(_NUL) != len(texts) - 1:
        raise DataError("PostgreSQL text cannot contain NUL (0x00) characters")
    return joined.replace("\\", "\\\\").replace('"', '\\"').replace(_NUL, _QUOTED)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{_escaped([value])}"'
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, _PLAIN):
        return f'"{value}"'
    raise TypeError(
        f"an array element is {type(value).__name__}: give text, bytes, numbers, dates, times, instants or None"
    )
