"""The published contract is what the code does."""

import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from shared.contracts.examples import change_example
from shared.contracts.generate import DOCS, FOLDER, contract_files, main
from shared.contracts.states_page import states_page
from shared.messages import CHANGE_TYPES, EVENT_TYPES, Rejected, decode_change
from tests.messages.change_forms import FULL, MINIMAL
from tests.messages.change_lines import Refused, message
from tests.messages.refused_lines import REFUSED
from tests.messages.strategies import JSON, replaced

FORMS = [*MINIMAL.items(), *FULL.items()]


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator of one committed schema file, which finds the files beside it."""
    schemas = {path.name: json.loads(path.read_text("utf-8")) for path in (FOLDER / "schemas").glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (file, Resource.from_contents(schema, default_specification=DRAFT202012)) for file, schema in schemas.items()
    )
    return Draft202012Validator({"$ref": name}, registry=registry, format_checker=FormatChecker(["date"]))


def is_taken(change: Any) -> bool:
    try:
        decode_change(json.dumps(change).encode())
    except Rejected:
        return False
    return True


def test_the_committed_files_are_what_the_code_generates() -> None:
    committed = [FOLDER / "asyncapi.json", *sorted((FOLDER / "schemas").iterdir())]
    assert {str(path.relative_to(FOLDER)): path.read_text("utf-8") for path in committed} == contract_files()


def test_the_page_of_states_is_what_the_code_generates() -> None:
    page = (DOCS / "states.md").read_text("utf-8")
    assert page == states_page()
    assert "| **open** | · | yes | yes | yes |" in page  # an invoice


def test_the_page_of_messages_names_every_event() -> None:
    page = (DOCS / "messages.md").read_text("utf-8").partition("\n## Events\n")[2]
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)) == sorted(EVENT_TYPES)


def test_check_tells_what_differs_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "asyncapi.json").write_text("{}", "utf-8")
    (tmp_path / "schemas" / "event.schema.json").unlink()
    (tmp_path / "schemas" / "gone.schema.json").write_text("{}", "utf-8")
    (tmp_path / "states.md").write_text("# States", "utf-8")
    assert main(["--check"], tmp_path) == 1
    told = capsys.readouterr().err
    assert [line.split(" ")[0] for line in told.splitlines()] == [
        "schemas/gone.schema.json",
        "asyncapi.json",
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


def test_the_document_names_both_exchanges_and_every_message_once() -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))
    assert document["asyncapi"] == "3.0.0"
    assert {
        name: (channel["bindings"]["amqp"]["exchange"]["name"], channel["bindings"]["amqp"]["exchange"]["type"])
        for name, channel in document["channels"].items()
    } == {"duecycle.changes": ("duecycle.changes", "topic"), "duecycle.events": ("duecycle.events", "topic")}
    assert list(document["channels"]["duecycle.changes"]["messages"]) == list(CHANGE_TYPES)
    assert [(step["action"], len(step["messages"])) for step in document["operations"].values()] == [
        ("receive", len(CHANGE_TYPES)),
        ("send", 1),
    ]


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))
    found = list(references(document))
    assert len(found) > 30
    for reference in found:
        file, _, pointer = reference.partition("#")
        node = json.loads((FOLDER / file).read_text("utf-8")) if file else document
        for segment in filter(None, pointer.split("/")):
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


EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/duecycle",
    "type": "duecycle.cycle.held.v1",
    "time": "2026-07-01T00:00:00Z",
    "subject": "a1/sub1",
    "subjectseq": 1,
    "datacontenttype": "application/json",
    "data": {"reason": "payment_failed"},
}


def test_an_event_of_every_type_is_allowed() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)
    for name in EVENT_TYPES:
        validator("event.schema.json").validate(EVENT | {"type": f"duecycle.{name}.v1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "duecycle.cycle.broken.v1"},
        {"type": "cycle.held"},
        {"subjectseq": "1"},
        {"subjectseq": 0},
        {"subject": ""},
        {"data": []},
        {"time": "2026-07-01T00:00:00"},
    ],
)
def test_an_event_outside_the_contract_is_refused(changes: dict[str, Any]) -> None:
    assert not validator("event.schema.json").is_valid(EVENT | changes)


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject", "subjectseq", "data"])
def test_an_event_without_a_required_attribute_is_refused(name: str) -> None:
    assert not validator("event.schema.json").is_valid({key: EVENT[key] for key in EVENT if key != name})
