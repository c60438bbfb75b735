"""Events have one shape each, and what is published is what the code leaves behind."""

import ast
import typing
from datetime import UTC, date, datetime
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from shared.contracts.event_schemas import event_data_schema
from shared.messages import EVENT_TYPES, EventData, event_data
from shared.messages.event_data import event_types
from shared.store.transaction import Transaction
from tests.event_shapes import event, violations

ROOT = Path(__file__).parents[2]
PRODUCT = ("shared/billing", "scheduler", "workers", "ops")
AT = datetime(2026, 6, 1, tzinfo=UTC)


def _trees() -> dict[str, ast.Module]:
    paths = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def test_every_published_event_is_left_behind_somewhere() -> None:
    """An upstream system can trust the list: nothing in it is never sent. That nothing else is, `record` sees to."""
    used = {node.attr for tree in _trees().values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {struct.__name__ for struct in EVENT_TYPES.values()} - used == set()


def test_no_payload_takes_a_row_as_it_is() -> None:
    """Renaming a field of a row, or a class, changes no event: neither `_asdict()` nor a class's name goes into one."""
    found = []
    for path, tree in _trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("event_data."):
                text = ast.unparse(node)
                found += [f"{path}: {text}"] if "_asdict" in text or "__name__" in text else []
    assert found == []


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_of_every_type_is_as_published(name: str) -> None:
    assert violations(name, msgspec.json.encode(event(name))) == []


def test_a_second_shape_of_a_type_is_refused() -> None:
    """Whoever declares it stops the program at its start."""

    class Root(EventData, frozen=True, kw_only=True):
        """A family of its own, so that this test leaves nothing behind in the published list."""

    class Paid(Root, frozen=True, kw_only=True):
        event_type: ClassVar[str] = "invoice.paid"
        agency_id: str

    class PaidAgain(Root, frozen=True, kw_only=True):
        event_type: ClassVar[str] = "invoice.paid"
        agency_id: str
        number: str

    with pytest.raises(ValueError, match=r"invoice\.paid has two shapes, Paid and PaidAgain"):
        event_types(Root)


def test_nothing_but_a_published_struct_is_recorded() -> None:
    class Stray(EventData, frozen=True, kw_only=True):
        """Of no published type."""

        agency_id: str

    tx = Transaction(typing.cast("Any", None), AT)
    for stray in ({"number": "1"}, Stray(agency_id="a")):
        with pytest.raises(TypeError, match="is no type of event"):
            tx.record(stray)  # type: ignore[arg-type]
    assert tx.events == {}


def test_a_planted_second_shape_is_found() -> None:
    """By the fixture that looks at every event of every test."""
    paid = msgspec.to_builtins(event("invoice.paid"))
    without = {name: value for name, value in paid.items() if name != "client_id"}
    for planted in (without, paid | {"key": "k"}, paid | {"total_minor": "1"}, paid | {"paid_at": "2026-06-01"}):
        assert violations("invoice.paid", msgspec.json.encode(planted))
    assert violations("invoice.mislaid", b"{}") == ["invoice.mislaid is no published event"]


def test_a_field_that_is_left_out_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="client_id"):
        event_data.InvoicePaid(  # type: ignore[call-arg]
            agency_id="a", subscription_id="s", invoice_id="i", number="1", total_minor=1, currency="EUR", paid_at=AT
        )


def test_a_name_means_the_same_everywhere() -> None:
    """One word, one thing: a field's type and description are the same in every event and in every object inside one."""
    found: dict[str, set[str]] = {}
    for struct in _structs():
        for name, hint in get_type_hints(struct, include_extras=True).items():
            if get_origin(hint) is not ClassVar:
                found.setdefault(name, set()).add(str(_plain(hint)))
    assert {name: hints for name, hints in found.items() if len(hints) > 1} == {}


def test_every_field_is_said_what_it_is() -> None:
    for name in EVENT_TYPES:
        for field, schema in event_data_schema(name)["properties"].items():
            assert schema.get("description") or "$ref" in schema, (name, field)


def test_every_event_about_an_invoice_says_which_and_whose() -> None:
    whose = {"agency_id", "subscription_id", "client_id", "invoice_id", "number"}
    for name, struct in EVENT_TYPES.items():
        fields = set(struct.__struct_fields__)
        if name.startswith(("invoice.", "charge.", "refund.", "link.", "dunning.")):
            assert whose <= fields, name
        assert "agency_id" in fields, name
        assert "currency" in fields or not any(each.endswith("_minor") for each in fields), name


def _structs() -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set(EVENT_TYPES.values())
    return found | {event_data.InvoiceLine, event_data.InvoiceTax, event_data.ProviderAnswer}


def _plain(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def test_the_example_of_a_type_has_values_of_its_types() -> None:
    """What the other tests stand on."""
    issued = event("invoice.issued")
    assert isinstance(issued, event_data.InvoiceIssued)
    assert (issued.issued_on, issued.currency, issued.lines[0].quantity) == (date(2026, 6, 1), "EUR", 1)
