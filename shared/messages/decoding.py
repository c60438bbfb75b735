"""From the bytes of an upstream message to a checked change, or to the reason why not."""

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from json import JSONDecodeError, JSONDecoder
from math import isinf
from typing import Any, Final, Literal, TypeVar, cast

import msgspec

from shared.messages import patterns
from shared.messages.changes import CHANGE_TYPES, ChangeData
from shared.messages.kinds import Identifier, Instant, MediaType, Reference
from shared.messages.parts import Part
from shared.messages.rejection import SHOWN_MAX, Rejected, describe, printable, quoted, reject

MARK: Final = b"\xef\xbb\xbf"
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# Without a mark the zeros among the first four bytes decide (RFC 4627, section 3): JSON begins with two ASCII characters. A
# line that was cut from UTF-16 or UTF-32 behind the byte of its line break begins with the rest of that.
_ZEROS: Final = {
    (True, True, True, False): "UTF-32",
    (False, True, True, True): "UTF-32",
    (True, False, True, False): "UTF-16",
    (False, True, False, True): "UTF-16",
}


def without_mark(raw: bytes) -> bytes:
    """The bytes without a byte order mark of UTF-8."""
    return raw.removeprefix(MARK)


def wide_encoding(raw: bytes) -> str | None:
    """UTF-16 or UTF-32 if the bytes are of that kind, None for anything else."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name
    return _ZEROS.get(tuple(byte == 0 for byte in raw[:4]))  # type: ignore[arg-type]


def is_blank(raw: bytes) -> bool:
    """True for a line of a file with nothing on it: white space, a mark, or at its end what is left of a wide line break."""
    return raw in (b"\x00", b"\x00\x00\x00") or not without_mark(raw).strip()


MESSAGE_BYTES_MAX = 1_048_576
_DIGITS_MAX = 100
_PATH_MAX = 200  # characters; deeper paths are cut, so that a deep message makes no long ones
_ORIGIN_MAX = 256

_UNSAFE = re.compile(f"[{patterns.UNSAFE}]")
# In the bytes of a message: an escape, or how UTF-8 begins U+2000 to U+207F, where the direction overrides are. Control
# characters and surrogates are in well-formed JSON as escapes only. Few messages have one, so few are walked through.
_SUSPECTS = (b"\\", b"\xe2\x80", b"\xe2\x81")
_IDENTIFIER = re.compile(patterns.IDENTIFIER)


class _OddityError(ValueError):
    """Something that the JSON grammar lets through and we do not. `found` holds the object with a key given twice."""

    def __init__(self, reason: str, key: str = "", found: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.key, self.found = reason, key, found


def read_message(raw: bytes) -> dict[str, Any]:
    """The message as an object. Raises Rejected with field "" if there is none, else with the path of what is odd."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise Rejected(
            "", f"got {len(raw)} bytes; expected at most {MESSAGE_BYTES_MAX}; send one change a message, without files"
        )
    if wide := wide_encoding(raw):
        raise Rejected("", f"is {wide}, not UTF-8; expected one JSON object in UTF-8; encode the message as UTF-8")
    try:
        text = without_mark(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected(
            "", f"not UTF-8 (at byte {error.start}); expected one JSON object in UTF-8; encode the message as UTF-8"
        ) from None
    message = _parse(text)
    if not isinstance(message, dict):
        raise Rejected(
            "", f"got {describe(message)}; expected one JSON object, a CloudEvent; send one change a message, no batch"
        )
    if any(suspect in raw for suspect in _SUSPECTS):
        _screen(message)
    return message


def origin_of(message: dict[str, Any]) -> dict[str, str]:
    """`source`, `id`, `type` and the data's `agency_id`, each "" unless it is a printable text of usual length."""
    data = message.get("data")
    agency_id = data.get("agency_id") if isinstance(data, dict) else None
    return {name: _legible(message.get(name)) for name in ("source", "id", "type")} | {"agency_id": _legible(agency_id)}


def _legible(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _ORIGIN_MAX and _IDENTIFIER.match(value) else ""


def _parse(text: str) -> Any:
    try:
        try:
            return _STRICT.decode(text)
        except _OddityError:
            field, reason, message = _first_odd(text)
            raise Rejected(field, reason, **origin_of(message)) from None
    except JSONDecodeError as error:
        raise Rejected(
            "",
            f"not JSON ({printable(error.msg[:SHOWN_MAX])} at character {error.pos}); expected one JSON object, a"
            " CloudEvent; write the message with a JSON library",
        ) from None
    except RecursionError:
        raise Rejected("", "nested too deeply; expected a flat CloudEvent; send the data without wrapping it") from None


def _screen(message: dict[str, Any]) -> None:
    for path, node in _nodes(message):
        if isinstance(node, str) and (unsafe := _UNSAFE.search(node)):
            raise Rejected(path, _unsafe_reason(unsafe[0], "a string"), **origin_of(message))
        if isinstance(node, dict):
            for key in node:
                if unsafe := _UNSAFE.search(key):
                    raise Rejected(_below(path, key), _unsafe_reason(unsafe[0], "a key"), **origin_of(message))


def _unsafe_reason(character: str, where: str) -> str:
    return (
        f"got {where} with the character U+{ord(character):04X}; expected text without control characters, lone"
        " surrogates and direction overrides; take it out"
    )


def _nodes(root: Any) -> Iterator[tuple[str, Any]]:
    """Every value with its dotted path, in the order of the message."""
    stack = [("", root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        if isinstance(node, _OddityError):
            node = node.found
        if isinstance(node, dict):
            stack.extend((_below(path, key), child) for key, child in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((_below(path, str(index)), node[index]) for index in range(len(node) - 1, -1, -1))


def _below(path: str, key: str) -> str:
    if len(path) > _PATH_MAX:
        return path
    shown = printable(key[:SHOWN_MAX])
    return f"{path}.{shown}" if path else shown


def _first_odd(text: str) -> tuple[str, str, dict[str, Any]]:
    """(field, reason, the message as far as it reads) of the first oddity, found by reading again without stopping."""
    root = _LENIENT.decode(text)
    message = _object_in(root)
    message["data"] = _object_in(message.get("data"))
    for path, node in _nodes(root):
        if isinstance(node, _OddityError):
            return _below(path, node.key) if node.key else path, node.reason, message
    return "", "not JSON", message


def _object_in(node: Any) -> dict[str, Any]:
    found = node.found if isinstance(node, _OddityError) else node
    return dict(found) if isinstance(found, dict) else {}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        key = _first_repeated(pairs)
        reason = f"got the key {quoted(key)} twice in one object; expected every key once; send only one of them"
        raise _OddityError(reason, key, found)
    return found


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _decimal(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise _OddityError(
            "got a number beyond 64-bit floats; expected a number of usual size; send a smaller one or a string"
        )
    return value


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise _OddityError(
            f"got an integer of {len(digits)} digits; expected at most {_DIGITS_MAX}; send a smaller one or a string"
        )
    return int(digits)


def _constant(word: str) -> float:
    raise _OddityError(f"got {word}, which JSON does not have; expected a number; send null or leave the field out")


def _kept(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The hook with the oddity as its result, so that reading goes on."""

    def keep(found: Any) -> Any:
        try:
            return hook(found)
        except _OddityError as odd:
            return odd

    return keep


_STRICT = JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant)
_LENIENT = JSONDecoder(
    object_pairs_hook=_kept(_object),
    parse_float=_kept(_decimal),
    parse_int=_kept(_integer),
    parse_constant=_kept(_constant),
)


_TYPE_MAX = 100  # characters of an unknown type that are compared with the known ones

_PartT = TypeVar("_PartT", bound=Part)


class Envelope(Part, frozen=True, kw_only=True):
    """The CloudEvents 1.0 attributes around the data. `time` is when the change became true upstream."""

    specversion: Literal["1.0"]
    id: Identifier
    source: Reference
    type: Reference
    time: Instant
    data: dict[str, Any]
    subject: Reference | None = None
    datacontenttype: MediaType | None = None


class Change(msgspec.Struct, frozen=True):
    """An upstream change message that was taken. `time` is an aware UTC instant."""

    source: str
    id: str
    type: str
    time: datetime
    subject: str | None
    data: ChangeData

    @property
    def name(self) -> str:
        """The type without prefix and version: `agency.upserted`."""
        return _name(self.type)


def decode_change(raw: bytes) -> Change:
    """The change in a message (CloudEvents 1.0, structured JSON). Unknown fields are ignored.

    Raises :class:`Rejected`, and nothing else, for any other bytes.
    """
    message = read_message(raw)
    try:
        envelope = _fit(message, Envelope, "")
        kind = CHANGE_TYPES.get(envelope.type)
        if kind is None:
            raise Rejected("type", _unknown(envelope.type))
        data = _fit(message["data"], kind, "data")
    except Rejected as rejected:
        raise Rejected(rejected.field, rejected.reason, **origin_of(message)) from None
    return Change(
        source=envelope.source,
        id=envelope.id,
        type=envelope.type,
        time=envelope.time,
        subject=envelope.subject,
        data=cast("ChangeData", data),
    )


def _fit(value: Any, part: type[_PartT], within: str) -> _PartT:
    try:
        return msgspec.convert(value, part)
    except msgspec.ValidationError as error:
        reject(error, part, within, value)


def _name(kind: str) -> str:
    return kind.removeprefix("duecycle.").rpartition(".")[0]


def _unknown(kind: str) -> str:
    near = difflib.get_close_matches(kind[:_TYPE_MAX], CHANGE_TYPES, n=3, cutoff=0.6)
    known = " or ".join(near) or "duecycle.NAME.v1 with NAME one of " + ", ".join(map(_name, CHANGE_TYPES))
    return f"got {describe(kind)}, which is no known type; expected {known}; send the type of the published contract"
