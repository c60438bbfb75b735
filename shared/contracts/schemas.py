"""JSON Schemas (draft 2020-12) of the messages, made from the structs.

A schema says all that it can say. Only decoding sees the rest: whether a time zone exists, whether retry days rise, an
integer written as a decimal (`100.0`, which JSON Schema counts as an integer), and a key given twice.
"""

from typing import Any

import msgspec

from shared.messages import CHANGE_TYPES, Envelope, InvoiceIssued, InvoiceSelector
from shared.messages.changes import SELECTOR_WAYS
from shared.messages.patterns import SAFE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_FILE = "envelope.schema.json"

_DEFS = "#/$defs/{name}"
_SAFE_NAMES = {"type": "string", "pattern": SAFE}
_NULL = {"type": "null"}
_GIVEN = {"not": _NULL}
_SELECTORS = ("invoice_id", "number", "subscription_id", "period_starts_on")
_WAYS = (("invoice_id",), ("number",), ("subscription_id", "period_starts_on"))


def file_of(kind: str) -> str:
    """The file with the schema of a change type's data."""
    return f"{kind}.schema.json"


def data_schema(kind: str) -> dict[str, Any]:
    """The schema of the `data` of a change message."""
    top, parts = data_parts(kind)
    return {"$schema": DIALECT} | top | {"title": kind, "$defs": parts}


def data_parts(kind: str, ref: str = _DEFS) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of the `data` of a change message, and those of the objects in it; `ref` is how it refers to them."""
    struct = CHANGE_TYPES[kind]
    schema, parts = _parts(struct, ref)
    if issubclass(struct, InvoiceSelector):
        schema["oneOf"] = [_only(way, _SELECTORS) for way in _WAYS]
        schema["description"] += f" It must {SELECTOR_WAYS}."
    if struct is InvoiceIssued:
        together = ("total_minor", "currency")
        schema["oneOf"] = [_only(together, together), _only((), together)]
    return schema, parts


def envelope_schema() -> dict[str, Any]:
    """The schema of a whole change message: the CloudEvents attributes, and the data by its type."""
    schema, parts = envelope_parts()
    schema["title"] = "A change message (CloudEvents 1.0, structured JSON)"
    schema["properties"]["type"]["enum"] = list(CHANGE_TYPES)
    schema["allOf"] = [
        {"if": {"properties": {"type": {"const": kind}}}, "then": {"properties": {"data": {"$ref": file_of(kind)}}}}
        for kind in CHANGE_TYPES
    ]
    return {"$schema": DIALECT} | schema | {"$defs": parts}


def envelope_parts(ref: str = _DEFS) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of the attributes of a change message, and those of the objects in it."""
    return _parts(Envelope, ref)


def _parts(struct: type[msgspec.Struct], ref: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The struct's own schema, and those of the objects in it by name."""
    _, parts = msgspec.json.schema_components([struct], ref_template=ref)
    unknown = {"$ref": ref.format(name="Unknown")}
    for part in parts.values():
        _complete(part, unknown)
    top: dict[str, Any] = parts.pop(struct.__name__)
    return top, parts | {"Unknown": _unknown_value(unknown)}


def _unknown_value(unknown: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "Unknown",
        "description": "The value of a field we do not know: kept and ignored, but its texts must be safe to store.",
        "anyOf": [
            {"type": "string", "pattern": SAFE},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
            {"type": "array", "items": unknown},
            {"type": "object", "propertyNames": _SAFE_NAMES, "additionalProperties": unknown},
        ],
    }


def _complete(part: dict[str, Any], unknown: dict[str, Any]) -> None:
    part["description"] = " ".join(part["description"].split())
    part["propertyNames"] = _SAFE_NAMES
    part["additionalProperties"] = unknown
    part["properties"] = {name: described(schema) for name, schema in part["properties"].items()}
    if "data" in part["properties"]:
        part["properties"]["data"]["additionalProperties"] = unknown


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """A field that may be null, with its description on the field itself; alternatives with a type of their own."""
    alternatives = schema.get("anyOf")
    if alternatives is None:
        return schema
    if "type" in schema:
        return schema | {"anyOf": [{"type": schema["type"]} | each for each in alternatives]}
    words = next((each["description"] for each in alternatives if "description" in each), None)
    bare = [{name: value for name, value in each.items() if name != "description"} for each in alternatives]
    return ({} if words is None else {"description": words}) | schema | {"anyOf": bare}


def _only(given: tuple[str, ...], among: tuple[str, ...]) -> dict[str, Any]:
    """Of the named fields exactly these are given; null counts as absent."""
    schema: dict[str, Any] = {"properties": {name: _GIVEN if name in given else _NULL for name in among}}
    return ({"required": list(given)} if given else {}) | schema
