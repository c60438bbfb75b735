"""The published contract is what the code does."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.events_page import events_page
from shared.contracts.examples import change_example
from shared.contracts.generate import DOCS, FOLDER, contract_files, main
from shared.contracts.states_page import states_page
from shared.messages import CHANGE_TYPES, EVENT_TYPES, Rejected, decode_change
from shared.messages.events import cloud_event
from tests.event_shapes import AT, event, validator
from tests.messages.change_forms import FULL, MINIMAL
from tests.messages.change_lines import Refused, message
from tests.messages.refused_lines import REFUSED
from tests.messages.strategies import JSON, replaced

FORMS = [*MINIMAL.items(), *FULL.items()]


def is_taken(change: Any) -> bool:
    try:
        decode_change(json.dumps(change).encode())
    except Rejected:
        return False
    return True


def test_the_committed_files_are_what_the_code_generates() -> None:
    committed = [FOLDER / "asyncapi.json", *sorted((FOLDER / "schemas").rglob("*.json"))]
    assert {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in committed} == contract_files()


def test_the_page_of_states_is_what_the_code_generates() -> None:
    page = (DOCS / "states.md").read_text("utf-8")
    assert page == states_page()
    assert "| **open** | · | yes | yes | yes |" in page  # an invoice


def test_the_page_of_events_is_what_the_code_generates() -> None:
    page = (DOCS / "events.md").read_text("utf-8")
    assert page == events_page()
    assert set(re.findall(r"^### `([a-z_]+\.[a-z_]+)`$", page, re.MULTILINE)) == set(EVENT_TYPES)


def test_check_tells_what_differs_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "asyncapi.json").write_text("{}", "utf-8")
    (tmp_path / "schemas" / "event.schema.json").unlink()
    (tmp_path / "schemas" / "gone.schema.json").write_text("{}", "utf-8")
    (tmp_path / "states.md").write_text("# States", "utf-8")
    (tmp_path / "schemas" / "events" / "duecycle.invoice.paid.v1.schema.json").unlink()
    assert main(["--check"], tmp_path) == 1
    told = capsys.readouterr().err
    assert [line.split(" ")[0] for line in told.splitlines()] == [
        "schemas/gone.schema.json",
        "asyncapi.json",
        "schemas/events/duecycle.invoice.paid.v1.schema.json",
        "schemas/event.schema.json",
        "states.md",
    ]
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert not (tmp_path / "schemas" / "gone.schema.json").exists()


def test_an_unknown_argument_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[name for name, _ in FORMS])
def test_the_schemas_take_what_is_taken(name: str, form: tuple[Any, Any]) -> None:
    assert validator("envelope.schema.json").is_valid(message(name, form[0], traceparent="00-1", note={"a": ["x\n"]}))
    assert validator(f"duecycle.{name}.v1.schema.json").is_valid(form[0])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.name}-{case.field}-{case.says[:20]!r}")
def test_the_schemas_refuse_what_is_refused_but_for_what_they_cannot_see(case: Refused) -> None:
    """A case that is not `by_schema` must pass here, so that the list of exceptions stays exact."""
    change = message(case.name, case.data, **case.attributes)
    assert validator("envelope.schema.json").is_valid(change) is not case.by_schema
    if case.field.startswith("data."):
        assert validator(f"duecycle.{case.name}.v1.schema.json").is_valid(case.data) is not case.by_schema


@given(st.sampled_from(FORMS), st.data())
def test_nothing_is_taken_that_the_schemas_refuse(entry: tuple[str, tuple[Any, Any]], data: st.DataObject) -> None:
    """Any one value of any form replaced by any other JSON: a message that is taken is one the contract allows."""
    name, (fields, _) = entry
    change = replaced(data.draw, message(name, deepcopy(fields)), data.draw(JSON))
    if is_taken(change):
        errors = [error.message for error in validator("envelope.schema.json").iter_errors(change)]
        assert errors == []


def document() -> Any:
    return json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))


def test_the_document_names_both_exchanges_and_every_message_once() -> None:
    found = document()
    assert found["asyncapi"] == "3.1.0"
    assert {
        name: (channel["bindings"]["amqp"]["exchange"]["name"], channel["bindings"]["amqp"]["exchange"]["type"])
        for name, channel in found["channels"].items()
    } == {"duecycle.changes": ("duecycle.changes", "topic"), "duecycle.events": ("duecycle.events", "topic")}
    messages = found["components"]["messages"]
    told = {
        name: [messages[each]["name"] for each in channel["messages"]] for name, channel in found["channels"].items()
    }
    assert told["duecycle.changes"] == list(CHANGE_TYPES)
    assert told["duecycle.events"] == [f"duecycle.{name}.v1" for name in EVENT_TYPES]
    assert [(step["action"], len(step["messages"])) for step in found["operations"].values()] == [
        ("receive", len(CHANGE_TYPES)),
        ("send", len(EVENT_TYPES)),
    ]


def test_the_document_is_whole_and_says_where_and_as_whom() -> None:
    """One file: a reader needs no other. Servers, and the user for each direction."""
    found = document()
    assert all(reference.startswith("#/") for reference in references(found))
    assert {(server["protocol"], server["pathname"]) for server in found["servers"].values()} == {
        ("amqps", "/duecycle"),
        ("amqp", "/duecycle"),
    }
    users = [step["security"][0]["$ref"].rpartition("/")[2] for step in found["operations"].values()]
    assert users == ["upstream", "consumer"]
    assert {each["type"] for each in found["components"]["securitySchemes"].values()} == {"userPassword"}


def test_every_schema_of_the_document_has_a_name_and_no_field_may_be_anything() -> None:
    """So a generator makes types with names, and none of them is `any`."""
    schemas = document()["components"]["schemas"]
    for name, schema in schemas.items():
        assert schema["title"] == name
        for field, each in schema.get("properties", {}).items():
            assert _is_told(each), (name, field)


def _is_told(schema: dict[str, Any]) -> bool:
    """Whether a field has one type of its own, or the name of one; what has fields or words of its own has a name."""
    if "anyOf" in schema:
        return all(_is_told(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return _is_told(schema["items"])
    return "$ref" in schema or (schema.get("type", "object") != "object" and "enum" not in schema)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = document()
    listed = references(found)
    assert len(listed) > 30
    for reference in listed:
        node = found
        for segment in filter(None, reference.removeprefix("#").split("/")):
            node = node[segment]
        assert node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for child in node.values() for found in references(child)]
    return [found for child in node for found in references(child)] if isinstance(node, list) else []


@pytest.mark.parametrize("kind", CHANGE_TYPES)
def test_the_published_examples_are_taken(kind: str) -> None:
    assert decode_change(json.dumps(change_example(kind)).encode()).type == kind
    assert validator("envelope.schema.json").is_valid(change_example(kind))


EVENT = json.loads(cloud_event("a", "cycle.held", "a1/sub1", subject_seq=1, at=AT, data=event("cycle.held")))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "duecycle.cycle.broken.v1"},
        {"type": "duecycle.cycle.blocked.v1"},
        {"type": "cycle.held"},
        {"subjectseq": "1"},
        {"subjectseq": 0},
        {"subject": ""},
        {"data": []},
        {"data": {"reason": "payment_failed"}},
        {"time": "2026-07-01T00:00:00"},
    ],
)
def test_an_event_outside_the_contract_is_refused(changes: dict[str, Any]) -> None:
    assert validator("event.schema.json").is_valid(EVENT)
    assert not validator("event.schema.json").is_valid(EVENT | changes)


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject", "subjectseq", "data"])
def test_an_event_without_a_required_attribute_is_refused(name: str) -> None:
    assert not validator("event.schema.json").is_valid({key: EVENT[key] for key in EVENT if key != name})


def test_a_field_that_comes_later_is_taken() -> None:
    """More may be added to an event; no consumer has to be changed first."""
    assert validator("event.schema.json").is_valid(EVENT | {"data": EVENT["data"] | {"more": {"x": 1}}})
