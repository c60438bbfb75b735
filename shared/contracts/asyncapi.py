"""The AsyncAPI document, whole in one file: servers, the two exchanges, and every message with its schema.

Every schema has a name under `components`, so that generators make types with names. It is bundled from the same structs as the
files in `schemas`, which validators use.
"""

from typing import Any

from shared.contracts.event_schemas import ENVELOPE, REQUIRED, event_parts
from shared.contracts.examples import change_example
from shared.contracts.schemas import data_parts, envelope_parts
from shared.messages import CHANGE_TYPES, EVENT_TYPES
from shared.messages.events import CONTENT_TYPE, event_type

CHANGES, EVENTS = "duecycle.changes", "duecycle.events"
_SCHEMAS = "#/components/schemas/"
_LEFT_OUT = ("additionalProperties", "propertyNames", "oneOf")
_REF = _SCHEMAS + "{name}"
_ABOUT = (
    "Upstream systems publish subscription changes and receive what came of them, over AMQP 0-9-1, as CloudEvents 1.0"
    " in structured JSON. Unknown fields are kept and ignored. A message that cannot be taken is answered by the event"
    " change.rejected, with its field and reason."
)


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.1.0 document."""
    changes = {f"{struct.__name__}Change": kind for kind, struct in CHANGE_TYPES.items()}
    events = {f"{struct.__name__}Event": name for name, struct in EVENT_TYPES.items()}
    messages = {name: _change_message(name, kind) for name, kind in changes.items()}
    messages |= {name: _event_message(name, event) for name, event in events.items()}
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Duecycle", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(),
        "channels": {
            CHANGES: _channel(CHANGES, "What upstream systems tell; routing key = type.", list(changes)),
            EVENTS: _channel(EVENTS, "What Duecycle did; routing key = type.", list(events)),
        },
        "operations": {
            "receiveChange": _operation("receive", CHANGES, list(changes), "upstream"),
            "sendEvent": _operation("send", EVENTS, list(events), "consumer"),
        },
        "components": {
            "messages": messages,
            "schemas": _schemas(changes, events),
            "securitySchemes": {
                "upstream": _user("The broker user that may publish to duecycle.changes, and nothing else."),
                "consumer": _user(
                    "The broker user that may read the queue duecycle.events.v1, and queues of its own: consumer.NAME."
                ),
            },
        },
    }


def _servers() -> dict[str, Any]:
    users = [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("upstream", "consumer")]
    host = {"host": {"default": "rabbitmq.example.internal", "description": "The address of RabbitMQ."}}
    return {
        protocol: {
            "host": f"{{host}}:{port}",
            "pathname": "/duecycle",
            "protocol": protocol,
            "protocolVersion": "0.9.1",
            "description": about,
            "variables": host,
            "security": users,
        }
        for protocol, port, about in (
            ("amqps", 5671, "RabbitMQ over TLS, virtual host duecycle."),
            ("amqp", 5672, "RabbitMQ within a private network, virtual host duecycle."),
        )
    }


def _user(about: str) -> dict[str, Any]:
    return {"type": "userPassword", "description": about}


def _channel(exchange: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": "{type}",
        "description": description,
        "servers": [{"$ref": "#/servers/amqps"}, {"$ref": "#/servers/amqp"}],
        "parameters": {"type": {"description": "The type of the message, which is its routing key."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation(action: str, channel: str, messages: list[str], user: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "security": [{"$ref": f"#/components/securitySchemes/{user}"}],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _change_message(name: str, kind: str) -> dict[str, Any]:
    return _message(name, kind, CHANGE_TYPES[kind].__doc__) | {"examples": [{"payload": change_example(kind)}]}


def _event_message(name: str, event: str) -> dict[str, Any]:
    return _message(name, event_type(event), EVENT_TYPES[event].__doc__)


def _message(name: str, kind: str, doc: str | None) -> dict[str, Any]:
    return {
        "name": kind,
        "title": kind,
        "summary": " ".join((doc or "").split()),
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": _SCHEMAS + name},
    }


def _schemas(changes: dict[str, str], events: dict[str, str]) -> dict[str, Any]:
    """Whole messages, their data, and the objects in it, each under its name."""
    schemas: dict[str, Any] = {}
    for name, kind in changes.items():
        data, parts = data_parts(kind, _REF)
        envelope, _ = envelope_parts(_REF)
        schemas[name] = _whole(name, kind, envelope["properties"], envelope["required"])
        _add(schemas, parts | {f"{name}Data": data})
    for name, event in events.items():
        data, parts = event_parts(EVENT_TYPES[event], _REF)
        schemas[name] = _whole(name, event_type(event), ENVELOPE, REQUIRED)
        _add(schemas, parts | {f"{name}Data": data})
    return dict(sorted(schemas.items()))


def _whole(name: str, kind: str, attributes: dict[str, Any], required: list[str]) -> dict[str, Any]:
    fixed = {
        "specversion": ENVELOPE["specversion"],
        "type": {"type": "string", "const": kind},
        "data": {"$ref": f"{_SCHEMAS}{name}Data"},
    }
    return {"title": name, "type": "object", "properties": attributes | fixed, "required": required}


def _add(schemas: dict[str, Any], parts: dict[str, Any]) -> None:
    """Fields that we do not know, and which fields go together, are left to the files in `schemas`: no type can say them."""
    for name, part in parts.items():
        if name == "Unknown":
            continue
        kept = {key: value for key, value in part.items() if key not in _LEFT_OUT} | {"title": name}
        kept["properties"] = {field: _named(schemas, name, field, each) for field, each in part["properties"].items()}
        if schemas.setdefault(name, kept) != kept:
            raise ValueError(f"two different schemas are called {name}; rename one of the structs")


def _named(schemas: dict[str, Any], owner: str, field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A field; the words that it may be are a schema with a name of its own."""
    if "anyOf" in schema:
        return schema | {"anyOf": [_named(schemas, owner, field, each) for each in schema["anyOf"]]}
    if "enum" not in schema:
        return schema
    name = "".join(word.capitalize() for word in field.split("_"))
    words = {"type": "string", "enum": schema["enum"]}
    if schemas.get(name, words | {"title": name}) != words | {"title": name}:
        name = f"{owner.removesuffix('Data').removesuffix('Change')}{name}"
    schemas[name] = words | {"title": name}
    return {key: schema[key] for key in ("description", "default") if key in schema} | {"$ref": _SCHEMAS + name}
