"""Writes the published contract and docs/states.md from the code: `python -m shared.contracts.generate [--check]`.

`--check` writes nothing, names the files that differ from the code, and exits with 1 if there are any.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.contracts.examples import change_example
from shared.contracts.schemas import (
    DIALECT,
    ENVELOPE_FILE,
    EVENT_FILE,
    data_schema,
    envelope_schema,
    event_schema,
    file_of,
)
from shared.contracts.states_page import FILE as STATES_FILE
from shared.contracts.states_page import states_page
from shared.messages import CHANGE_TYPES

FOLDER = Path(__file__).parent
DOCS = FOLDER.parents[1] / "docs"
CONTENT_TYPE = "application/cloudevents+json"
CHANGES, EVENTS = "duecycle.changes", "duecycle.events"
_EVENT = "duecycle.event"
_ABOUT = (
    "Upstream systems publish subscription changes and receive what came of them, over AMQP 0-9-1, as CloudEvents 1.0"
    " in structured JSON. Unknown fields are kept and ignored. A message that cannot be taken is answered by the event"
    " change.rejected, with its field and reason."
)


def contract_files() -> dict[str, str]:
    """The text of every generated file by its path below this folder."""
    schemas = {file_of(kind): data_schema(kind) for kind in CHANGE_TYPES}
    schemas |= {ENVELOPE_FILE: envelope_schema(), EVENT_FILE: event_schema()}
    documents = {"asyncapi.json": asyncapi()} | {f"schemas/{name}": schema for name, schema in schemas.items()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document: the two exchanges, and every message on them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Duecycle",
            "version": "1.0.0",
            "description": _ABOUT,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            CHANGES: _channel(CHANGES, "What upstream systems tell; routing key = type.", list(CHANGE_TYPES)),
            EVENTS: _channel(EVENTS, "What Duecycle did; routing key = type.", [_EVENT]),
        },
        "operations": {
            "receiveChange": _operation("receive", CHANGES, list(CHANGE_TYPES)),
            "sendEvent": _operation("send", EVENTS, [_EVENT]),
        },
        "components": {"messages": {kind: _change_message(kind) for kind in CHANGE_TYPES} | {_EVENT: _event_message()}},
    }


def _channel(exchange: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": "{type}",
        "description": description,
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


def _operation(action: str, channel: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _change_message(kind: str) -> dict[str, Any]:
    return {
        "name": kind,
        "title": kind,
        "summary": " ".join((CHANGE_TYPES[kind].__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "payload": _payload(
            {
                "allOf": [
                    {"$ref": f"./schemas/{ENVELOPE_FILE}"},
                    {"properties": {"type": {"const": kind}, "data": {"$ref": f"./schemas/{file_of(kind)}"}}},
                ]
            }
        ),
        "examples": [{"payload": change_example(kind)}],
    }


def _event_message() -> dict[str, Any]:
    return {
        "name": _EVENT,
        "title": "An event",
        "summary": "A business fact; within one subject in the order of subjectseq, each at least once.",
        "contentType": CONTENT_TYPE,
        "payload": _payload({"$ref": f"./schemas/{EVENT_FILE}"}),
    }


def _payload(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": {"$schema": DIALECT} | schema}


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Writes the files into `folder` or, with `--check`, compares them; the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m shared.contracts.generate [--check]", file=sys.stderr)
        return 2
    files = contract_files()
    places = {name: folder / name for name in files} | {
        STATES_FILE: (DOCS if folder == FOLDER else folder) / STATES_FILE
    }
    files[STATES_FILE] = states_page()
    stale = [path for path in sorted((folder / "schemas").glob("*.json")) if f"schemas/{path.name}" not in files]
    if arguments:
        differing = [f"schemas/{path.name}" for path in stale]
        differing += [name for name, text in files.items() if _text_of(places[name]) != text]
        for name in differing:
            print(f"{name} differs from the code: run python -m shared.contracts.generate", file=sys.stderr)
        return 1 if differing else 0
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.unlink()
    for name, text in files.items():
        places[name].write_text(text, encoding="utf-8", newline="\n")
    return 0


def _text_of(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
