"""From the bytes of an upstream message to a checked change, or to the reason why not."""

import difflib
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

import msgspec

from shared.messages.changes import CHANGE_TYPES, ChangeData
from shared.messages.json_parsing import origin_of, read_message
from shared.messages.kinds import Identifier, Instant, MediaType, Reference
from shared.messages.parts import Part
from shared.messages.rejection import Rejected, describe, reject

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
        envelope.source, envelope.id, envelope.type, envelope.time, envelope.subject, cast("ChangeData", data)
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
