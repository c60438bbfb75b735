"""The page docs/events.md: every event with its fields, and every field with its meaning."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from shared.contracts.event_schemas import event_parts
from shared.messages.event_data import EVENT_TYPES

FILE = "events.md"
_ABOUT = """\
# Events

Written from `shared/messages/event_data` by `python -m shared.contracts.generate`; edit those files, not this one. How to
receive events, and what to do about repeats, is in [integrating.md](integrating.md).

An event is a CloudEvent of type `duecycle.<name>.v1` from the exchange `duecycle.events`; its type is its routing key. Every
type has one shape: each field named here is in every event of the type, `null` where there is nothing to say (marked `?`).
Further fields may be added to a type; none is taken away and none changes its meaning, for that would be a `v2`. `events.jsonl`
of a simulation has the same shapes.

The shapes are fixed since the release that first has this page. Events that were recorded before it stay in the database as
they were written, and are replayed so: most lack `agency_id`, some `client_id` or `subscription_id`, and some call a field by
an earlier name (`starts_on` for `period_starts_on`, `next_at` for `next_attempt_at`, `turn` for `refund_seq`). Take them as
history.
"""


def events_page() -> str:
    """The text of the page."""
    structs = {name: event_parts(struct) for name, struct in EVENT_TYPES.items()}
    parts = {name: part for _, found in structs.values() for name, part in found.items()}
    lines = [_ABOUT, "## Which there are", "", "| event | when |", "|---|---|"]
    lines += [f"| [`{name}`](#{name.replace('.', '')}) | {top['description']} |" for name, (top, _) in structs.items()]
    for noun, names in groupby(structs, key=lambda name: name.partition(".")[0]):
        lines += ["", f"## `{noun}.*`", ""]
        lines += [line for name in names for line in _event(name, structs[name][0])]
    lines += ["## Objects inside events", ""]
    lines += [line for name, part in sorted(parts.items()) for line in _event(name, part)]
    lines += [
        "## Fields",
        "",
        "One name, one meaning, in every event.",
        "",
        "| field | type | meaning |",
        "|---|---|---|",
    ]
    lines += _meanings([top for top, _ in structs.values()] + list(parts.values()))
    return "\n".join(lines) + "\n"


def _event(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### `{name}`"
    yield ""
    yield schema["description"]
    yield ""
    yield ", ".join(f"`{field}`{'?' if _is_nullable(each) else ''}" for field, each in schema["properties"].items())
    yield ""


def _meanings(schemas: list[dict[str, Any]]) -> list[str]:
    found: dict[str, str] = {}
    for schema in schemas:
        for field, each in schema["properties"].items():
            found.setdefault(field, f"| `{field}` | {_type(each)} | {_meaning(each)} |")
    return [found[field] for field in sorted(found)]


def _meaning(schema: dict[str, Any]) -> str:
    told: str = schema.get("description", "")
    return told or "See " + _type(schema).removesuffix(" list") + "."


def _is_nullable(schema: dict[str, Any]) -> bool:
    return any(each == {"type": "null"} for each in schema.get("anyOf", ()))


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return next(_type(each) for each in schema["anyOf"] if each != {"type": "null"})
    if "$ref" in schema:
        part = schema["$ref"].rpartition("/")[2]
        return f"[`{part}`](#{part.lower()})"
    if schema.get("type") == "array":
        return f"{_type(schema['items'])} list"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    return str(schema.get("format", schema["type"]))
