"""Why a message cannot be taken, in words its sender can act on."""

import json
import re
from functools import cache
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import msgspec

from shared.messages import patterns
from shared.messages.kinds import kind_of
from shared.messages.parts import MisfitError, Part

SHOWN_MAX = 60  # characters of a value that a reason repeats

_AT = re.compile(r"^(?P<text>.*) - at `\$(?P<path>[^`]*)`$", re.DOTALL)
_SEGMENT = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]+)`")


class Rejected(Exception):  # noqa: N818 - it states what became of the message, as the inbox does
    """A message that cannot be taken.

    `field` is the first bad field as a dotted path ("data.starts_on", "time"), or "" if the message could not be read
    at all. `reason` says the type of the value, what is expected, and what to send instead. `source`, `id`, `type` and
    `agency_id` are the message's own as far as they could be read, else "".
    """

    def __init__(
        self,
        field: str,
        reason: str,
        *,
        source: str = "",
        id: str = "",  # noqa: A002 - the name that CloudEvents gives it
        type: str = "",  # noqa: A002
        agency_id: str = "",
    ) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason
        self.source, self.id, self.type, self.agency_id = source, id, type, agency_id

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def reject(error: msgspec.ValidationError, part: type[Part], within: str, value: Any) -> NoReturn:
    """Raises Rejected for what msgspec found wrong when it read `value`, the object at the path `within`, as `part`."""
    found = _AT.match(str(error))
    text, path = (found["text"], found["path"]) if found else (str(error), "")
    segments = [name or index for name, index in _SEGMENT.findall(path)]
    cause = error.__cause__
    missing = _MISSING.match(text)
    if missing:
        segments.append(missing["name"])
        raise Rejected(_dotted(within, segments), f"missing; {_expectation(_hint(part, segments))}")
    if isinstance(cause, MisfitError):
        segments.append(cause.field)
        if cause.reason:
            raise Rejected(_dotted(within, segments), cause.reason)
    for segment in segments:
        value = value[int(segment)] if isinstance(value, list) else value[segment]
    hint = _hint(part, segments)
    problem = cause.problem if isinstance(cause, MisfitError) else _problem(text, value)
    shown = describe(value, secret=kind_of(hint).secret)
    raise Rejected(_dotted(within, segments), f"got {shown}{', ' if problem else ''}{problem}; {_expectation(hint)}")


def describe(value: Any, *, secret: bool = False) -> str:
    """A JSON value by its type and, for a short scalar that is no secret, itself: `a string ("abc")`."""
    match value:
        case str() if secret or not value:
            return f"a string of {len(value)} characters"
        case int() | float() if secret:
            return "a number or boolean"
        case None:
            return "null"
        case bool():
            return f"a boolean ({str(value).lower()})"
        case int():
            return f"an integer ({value})" if len(str(value)) <= SHOWN_MAX else "an integer of many digits"
        case float():
            return f"a decimal number ({value!r})"
        case str() if len(value) > SHOWN_MAX:
            return f"a string of {len(value)} characters ({quoted(value)})"
        case str():
            return f"a string ({quoted(value)})"
        case list():
            return f"an array of {len(value)}"
        case _:
            return "an object"


def quoted(text: str) -> str:
    """The text in JSON's quotes, at most :data:`SHOWN_MAX` characters, with everything unprintable escaped."""
    shown = printable(json.dumps(text[:SHOWN_MAX], ensure_ascii=False))
    return shown if len(text) <= SHOWN_MAX and len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 2] + '…"'


def printable(text: str) -> str:
    """The text with everything that is not seen as `\\uXXXX`."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _dotted(within: str, segments: list[str]) -> str:
    return ".".join([within, *segments] if within else segments)


def _problem(text: str, value: Any) -> str:
    if "timezone component" in text:
        return "needs an offset"
    if text.startswith("Invalid RFC3339") and isinstance(value, str) and re.match(patterns.DATE, value):
        return "no such day or time"
    return ""


def _expectation(hint: Any) -> str:
    """What a field of this type takes and what to send: `expected …; send …`."""
    kind = kind_of(hint)
    description, fix = kind.description, kind.fix
    plain = _without_null(hint)
    if not description:
        if get_origin(plain) is Literal:
            description = "one of " + ", ".join(json.dumps(word) for word in get_args(plain))
            fix = "send one of these words, spelled so"
        elif plain is bool:
            description, fix = "true or false", "send a JSON boolean, without quotes"
        elif isinstance(plain, type) and issubclass(plain, Part):
            description = "an object with " + ", ".join(field.encode_name for field in msgspec.structs.fields(plain))
            fix = "send a JSON object"
        else:
            description, fix = "an object", "send a JSON object"
    return f"expected {description}{' or null' if plain is not hint else ''}; {fix}"


def _without_null(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return next(member for member in get_args(hint) if member is not type(None))
    return hint


def _hint(part: Any, segments: list[str]) -> Any:
    """The annotation of the field that the path leads to from `part`."""
    hint = part
    for segment in segments:
        plain = _without_null(hint)
        if isinstance(plain, type) and issubclass(plain, Part):
            hint = _hints(plain)[segment]
        else:  # an array: its elements' type
            hint = get_args(getattr(plain, "__origin__", plain))[0]
    return hint


@cache
def _hints(part: type[Part]) -> dict[str, Any]:
    """The annotation of every field, by its name in the message."""
    hints = get_type_hints(part, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(part)}
