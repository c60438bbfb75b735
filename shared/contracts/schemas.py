"""JSON Schemas (draft 2020-12) of the messages, made from the structs.

A schema says all that it can say. Only decoding sees the rest: whether a time zone exists, whether retry days rise, an
integer written as a decimal (`100.0`, which JSON Schema counts as an integer), and a key given twice.
"""

from typing import Any

import msgspec

from shared.messages import CHANGE_TYPES, EVENT_TYPES, Envelope, InvoiceIssued, InvoiceSelector
from shared.messages.changes import SELECTOR_WAYS
from shared.messages.patterns import INSTANT, SAFE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_FILE = "envelope.schema.json"
EVENT_FILE = "event.schema.json"

_UNKNOWN = {"$ref": "#/$defs/Unknown"}
_UNKNOWN_VALUE = {
    "description": "The value of a field we do not know: kept and ignored, but its texts must be safe to store.",
    "pattern": SAFE,
    "items": _UNKNOWN,
    "propertyNames": {"pattern": SAFE},
    "additionalProperties": _UNKNOWN,
}
_NULL = {"type": "null"}
_GIVEN = {"not": _NULL}
_SELECTORS = ("invoice_id", "number", "subscription_id", "period_starts_on")
_WAYS = (("invoice_id",), ("number",), ("subscription_id", "period_starts_on"))


def file_of(kind: str) -> str:
    """The file with the schema of a change type's data."""
    return f"{kind}.schema.json"


def data_schema(kind: str) -> dict[str, Any]:
    """The schema of the `data` of a change message."""
    struct = CHANGE_TYPES[kind]
    schema = _schema_of(struct)
    if issubclass(struct, InvoiceSelector):
        schema["oneOf"] = [_only(way, _SELECTORS) for way in _WAYS]
        schema["description"] += f" It must {SELECTOR_WAYS}."
    if struct is InvoiceIssued:
        together = ("total_minor", "currency")
        schema["oneOf"] = [_only(together, together), _only((), together)]
    return schema | {"title": kind}


def envelope_schema() -> dict[str, Any]:
    """The schema of a whole change message: the CloudEvents attributes, and the data by its type."""
    schema = _schema_of(Envelope)
    schema["title"] = "A change message (CloudEvents 1.0, structured JSON)"
    schema["properties"]["type"]["enum"] = list(CHANGE_TYPES)
    schema["allOf"] = [
        {"if": {"properties": {"type": {"const": kind}}}, "then": {"properties": {"data": {"$ref": file_of(kind)}}}}
        for kind in CHANGE_TYPES
    ]
    return schema


def event_schema() -> dict[str, Any]:
    """The schema of the events that Duecycle sends."""
    text = {"type": "string", "minLength": 1}
    properties = {
        "specversion": {"enum": ["1.0"]},
        "id": text | {"description": "Unique; the same when an event is sent again."},
        "source": text,
        "type": {"enum": [f"duecycle.{name}.v1" for name in EVENT_TYPES]},
        "time": {"type": "string", "format": "date-time", "pattern": INSTANT},
        "subject": text | {"description": "What the event is about; events of one subject are sent in order."},
        "subjectseq": {
            "type": "integer",
            "minimum": 1,
            "maximum": 2**31 - 1,
            "description": "Counts the events of the subject without gaps; a number seen before marks a repeat.",
        },
        "datacontenttype": {"enum": ["application/json"]},
        "data": {"type": "object", "description": "The facts of the event; more fields may be added."},
    }
    return {
        "$schema": DIALECT,
        "title": "An event of Duecycle (CloudEvents 1.0, structured JSON)",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "datacontenttype"],
    }


def _schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The struct's own schema at the top, those of the objects in it under `$defs`."""
    _, parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    for part in parts.values():
        _complete(part)
    top: dict[str, Any] = parts.pop(struct.__name__)
    return {"$schema": DIALECT} | top | {"$defs": parts | {"Unknown": _UNKNOWN_VALUE}}


def _complete(part: dict[str, Any]) -> None:
    part["description"] = " ".join(part["description"].split())
    part["propertyNames"] = {"pattern": SAFE}
    part["additionalProperties"] = _UNKNOWN
    for name, schema in part["properties"].items():
        if name == "data":
            schema["additionalProperties"] = _UNKNOWN


def _only(given: tuple[str, ...], among: tuple[str, ...]) -> dict[str, Any]:
    """Of the named fields exactly these are given; null counts as absent."""
    schema: dict[str, Any] = {"properties": {name: _GIVEN if name in given else _NULL for name in among}}
    return ({"required": list(given)} if given else {}) | schema
