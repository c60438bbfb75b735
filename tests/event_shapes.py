"""Every event of a test has the shape of its type: checked as it is written, and once more where other processes wrote it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import psycopg
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from shared.contracts.generate import FOLDER
from shared.messages.event_data import EVENT_TYPES, EventData
from shared.messages.events import cloud_event
from shared.store.transaction import Event

SCHEMAS = FOLDER / "schemas"
AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
_RECORDED = (
    "SELECT type, data::text FROM events WHERE data ? 'agency_id'"  # what lacks it is history, planted by a test
)


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator of one committed schema file, which finds the files beside it."""
    schemas = {path.relative_to(SCHEMAS).as_posix(): _read(path) for path in SCHEMAS.rglob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (file, Resource.from_contents(schema, default_specification=DRAFT202012)) for file, schema in schemas.items()
    )
    return Draft202012Validator({"$ref": name}, registry=registry, format_checker=FormatChecker(["date"]))


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def violations(name: str, raw: bytes | str) -> list[str]:
    """What is wrong with the payload of an event, as JSON. The published schema is asked once for each set of filled fields."""
    struct = EVENT_TYPES.get(name)
    if struct is None:
        return [f"{name} is no published event"]
    found = msgspec.json.decode(raw)
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    if set(found) != fields:
        return [f"{name} has the fields {sorted(found)}, its struct {sorted(fields)}"]
    try:
        msgspec.json.decode(raw, type=struct)
    except msgspec.ValidationError as error:
        return [f"{name}: {error}"]
    filled = frozenset(field for field, value in found.items() if value is not None)
    return [] if (name, filled) in _valid else _by_schema(name, filled, found)


_valid: set[tuple[str, frozenset[str]]] = set()


def _by_schema(name: str, filled: frozenset[str], found: dict[str, Any]) -> list[str]:
    whole = json.loads(cloud_event("a", name, "subscription/s", subject_seq=1, at=AT, data=found))
    errors = [f"{name}: {error.message}" for error in validator("event.schema.json").iter_errors(whole)]
    if not errors:
        _valid.add((name, filled))
    return errors


class Watch:
    """Looks at every event that this process writes. `wrong` is what was found since it was last asked for."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def take(self) -> list[str]:
        """What was found, and forget it."""
        found, self.wrong = self.wrong, []
        return found

    @contextmanager
    def watching(self) -> Iterator[None]:
        from shared.store import events

        written = events.write

        def write(tx: Any, agency_id: str, recorded: Sequence[Any]) -> None:
            for each in recorded:
                self.wrong += violations(each.type, msgspec.json.encode(each.data))
            written(tx, agency_id, recorded)

        events.write = write
        try:
            yield
        finally:
            events.write = written


def wrong_rows(session: psycopg.Connection) -> list[str]:
    """What is wrong with the events of a database, whichever process wrote them."""
    return [each for name, raw in session.execute(_RECORDED) for each in violations(name, raw)]


def event(name: str, **given: Any) -> EventData:
    """Any event of a type; fields that are not given have any value that is allowed."""
    struct = EVENT_TYPES[name]
    return struct(**_values(struct) | given)


def leave(tx: Any, name: str, subject: str) -> None:
    """Leave an event behind that has a type but a subject of the test's own."""
    data = event(name, agency_id="a")
    tx.events.setdefault(data.whose, []).append(Event(name, subject, data))


def _values(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(struct)
    return {field.name: _value(field.name, hints[field.name]) for field in msgspec.structs.fields(struct)}


def _value(name: str, hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is tuple:
        return (_value(name, get_args(hint)[0]),)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint(**_values(hint))
    known: dict[Any, Any] = {str: "EUR" if name == "currency" else "x", int: 1, bool: True, datetime: AT}
    return date(2026, 6, 1) if hint is date else known[hint]
