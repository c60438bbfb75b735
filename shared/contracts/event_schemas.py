"""JSON Schemas of the events, made from their structs.

Every field is always there, null where there is nothing to say. A schema allows further fields: more may be added to a type,
but none is taken away or changes its meaning.
"""

from typing import Any

import msgspec

from shared.contracts.schemas import DIALECT, described
from shared.messages.event_data import EVENT_TYPES, EventData
from shared.messages.events import event_type
from shared.messages.patterns import INSTANT

EVENT_FILE = "event.schema.json"
FOLDER = "events"

ENVELOPE: dict[str, Any] = {
    "specversion": {"type": "string", "const": "1.0"},
    "id": {
        "type": "string",
        "minLength": 1,
        "description": "Unique; the same when an event is sent again. Drop an event whose id you have.",
    },
    "source": {"type": "string", "minLength": 1, "description": "Whose event it is, as a path."},
    "type": {"type": "string", "description": "The type of the event, which is its routing key."},
    "time": {"type": "string", "format": "date-time", "pattern": INSTANT, "description": "When it happened."},
    "subject": {
        "type": "string",
        "minLength": 1,
        "description": "What the event is about; events of one subject are sent in order.",
    },
    "subjectseq": {
        "type": "integer",
        "minimum": 1,
        "maximum": 2**31 - 1,
        "description": "Counts the events of the subject without gaps; after a replay an earlier number may come later.",
    },
    "datacontenttype": {"type": "string", "const": "application/json"},
    "data": {"type": "object", "description": "The facts of the event; more fields may be added."},
}
REQUIRED = [name for name in ENVELOPE if name != "datacontenttype"]


def event_file_of(name: str) -> str:
    """The file with the schema of an event's data."""
    return f"{FOLDER}/{event_type(name)}.schema.json"


def event_data_schema(name: str) -> dict[str, Any]:
    """The schema of the `data` of an event."""
    top, parts = event_parts(EVENT_TYPES[name])
    return {"$schema": DIALECT} | top | {"title": event_type(name)} | ({"$defs": parts} if parts else {})


def event_parts(struct: type[EventData], ref: str = "#/$defs/{name}") -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of an event's data, and those of the objects in it by name; `ref` is how it refers to them."""
    _, parts = msgspec.json.schema_components([struct], ref_template=ref)
    for part in parts.values():
        part["description"] = " ".join(part["description"].split())
        part["properties"] = {field: described(schema) for field, schema in part["properties"].items()}
    top: dict[str, Any] = parts.pop(struct.__name__)
    return top, parts


def event_schema() -> dict[str, Any]:
    """The schema of a whole event: the CloudEvents attributes, and the data by its type."""
    types = {"enum": [event_type(name) for name in EVENT_TYPES]}
    return {
        "$schema": DIALECT,
        "title": "An event of Duecycle (CloudEvents 1.0, structured JSON)",
        "type": "object",
        "properties": ENVELOPE | {"type": ENVELOPE["type"] | types},
        "required": REQUIRED,
        "allOf": [
            {
                "if": {"properties": {"type": {"const": event_type(name)}}},
                "then": {"properties": {"data": {"$ref": event_file_of(name)}}},
            }
            for name in EVENT_TYPES
        ],
    }
