"""Writes the published contract, docs/states.md and docs/events.md from the code.

    python -m shared.contracts.generate [--check]

`--check` writes nothing, names the files that differ from the code, and exits with 1 if there are any.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.contracts.asyncapi import asyncapi
from shared.contracts.event_schemas import EVENT_FILE, event_data_schema, event_file_of, event_schema
from shared.contracts.events_page import FILE as EVENTS_FILE
from shared.contracts.events_page import events_page
from shared.contracts.schemas import ENVELOPE_FILE, data_schema, envelope_schema, file_of
from shared.contracts.states_page import FILE as STATES_FILE
from shared.contracts.states_page import states_page
from shared.messages import CHANGE_TYPES, EVENT_TYPES

FOLDER = Path(__file__).parent
DOCS = FOLDER.parents[1] / "docs"


def contract_files() -> dict[str, str]:
    """The text of every generated file by its path below this folder."""
    schemas = {file_of(kind): data_schema(kind) for kind in CHANGE_TYPES}
    schemas |= {event_file_of(name): event_data_schema(name) for name in EVENT_TYPES}
    schemas |= {ENVELOPE_FILE: envelope_schema(), EVENT_FILE: event_schema()}
    documents = {"asyncapi.json": asyncapi()} | {f"schemas/{name}": schema for name, schema in schemas.items()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Writes the files into `folder` or, with `--check`, compares them; the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m shared.contracts.generate [--check]", file=sys.stderr)
        return 2
    files = contract_files()
    pages = {STATES_FILE: states_page(), EVENTS_FILE: events_page()}
    docs = DOCS if folder == FOLDER else folder
    places = {name: folder / name for name in files} | {name: docs / name for name in pages}
    files |= pages
    found = sorted((folder / "schemas").rglob("*.json"))
    stale = [path for path in found if path.relative_to(folder).as_posix() not in files]
    if arguments:
        differing = [path.relative_to(folder).as_posix() for path in stale]
        differing += [name for name, text in files.items() if _text_of(places[name]) != text]
        for name in differing:
            print(f"{name} differs from the code: run python -m shared.contracts.generate", file=sys.stderr)
        return 1 if differing else 0
    for path in stale:
        path.unlink()
    for name, text in files.items():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        places[name].write_text(text, encoding="utf-8", newline="\n")
    return 0


def _text_of(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
