"""What a well-formed change message decodes to."""

import json
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from shared.messages import CHANGE_TYPES, Change, InitialPayment, MisfitError, SubscriptionUpserted, Tax, decode_change
from tests.messages.change_forms import FULL, MINIMAL
from tests.messages.change_lines import AGENCY, PAID, RESUMED, SERVICE, SUBSCRIPTION, line, message


def test_every_type_has_a_minimal_form() -> None:
    """The table below covers exactly the types that can be decoded."""
    assert [f"duecycle.{name}.v1" for name in MINIMAL] == list(CHANGE_TYPES)


@pytest.mark.parametrize("name", MINIMAL)
def test_required_fields_alone_leave_the_rest_at_the_published_defaults(name: str) -> None:
    data, expected = MINIMAL[name]
    assert decode_change(line(name, data)).data == expected


@pytest.mark.parametrize("name", FULL)
def test_every_field_is_taken_over(name: str) -> None:
    data, expected = FULL[name]
    assert decode_change(line(name, data)).data == expected


def test_the_envelope_is_taken_over_with_its_time_in_utc() -> None:
    raw = line(
        "invoice.paid", PAID, time="2026-07-01T01:30:00+02:00", subject="sub1", datacontenttype="application/json"
    )
    change = decode_change(raw)
    assert (change.source, change.id, change.type, change.subject) == (
        "/portal/a1",
        "m-1",
        "duecycle.invoice.paid.v1",
        "sub1",
    )
    assert change.time == datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    assert change.time.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert change.name == "invoice.paid"


def test_a_name_with_an_underscore_keeps_it() -> None:
    change = Change(
        source="s",
        id="i",
        type="duecycle.payment_method.removed.v1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject=None,
        data=None,
    )  # type: ignore[arg-type]
    assert change.name == "payment_method.removed"


def test_unknown_fields_are_ignored_wherever_they_stand() -> None:
    data = SERVICE | {"colour": {"deep": ["x\ny", None, 1.5]}, "tax": {"name": "VAT", "rate": "19", "note": "z"}}
    change = decode_change(line("service.upserted", data, traceparent="00-1-2-03"))
    assert change.data.tax == Tax(name="VAT", rate="19", inclusive=False)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("checkout", "collection", "expected"),
    [
        ("self_checkout", None, "automatic"),
        ("manual", None, "manual"),
        ("self_checkout", "manual", "manual"),
        ("manual", "automatic", "automatic"),
    ],
)
def test_collection_follows_the_checkout_unless_told(checkout: str, collection: str | None, expected: str) -> None:
    data = SUBSCRIPTION | {"checkout": checkout, "collection": collection}
    change = decode_change(line("subscription.upserted", data))
    assert isinstance(change.data, SubscriptionUpserted)
    assert change.data.collection == collection
    assert change.data.collection_or_default == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("00:00", time(0, 0)), ("23:59", time(23, 59)), ("09:00:30", time(9, 0, 30))]
)
def test_issue_time_is_read_with_and_without_seconds(text: str, expected: time) -> None:
    change = decode_change(line("agency.upserted", AGENCY | {"issue_time": text}))
    assert change.data.issue_time == expected  # type: ignore[union-attr]


def test_resuming_from_a_date_gives_a_date_and_otherwise_the_word() -> None:
    on_day = decode_change(line("subscription.resumed", RESUMED | {"from": "2026-09-01"})).data
    at_boundary = decode_change(line("subscription.resumed", RESUMED | {"from": "next_boundary"})).data
    assert (on_day.from_, at_boundary.from_) == (date(2026, 9, 1), "next_boundary")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "data", "changes"),
    [
        ("agency.upserted", AGENCY, {"name": "x" * 400}),
        ("agency.upserted", AGENCY, {"name": "Ünïcode 工作室 🦊"}),
        ("agency.upserted", AGENCY, {"agency_id": "x" * 128}),
        ("agency.upserted", AGENCY, {"agency_id": "a 1/ü"}),
        ("agency.upserted", AGENCY, {"email": "o'brien+x@sub.studio.example"}),
        ("agency.upserted", AGENCY, {"email": "büro@straße.example"}),
        ("agency.upserted", AGENCY, {"email": "post@localhost"}),
        ("agency.upserted", AGENCY, {"revision": 0}),
        ("agency.upserted", AGENCY, {"currency": "KWD"}),
        ("agency.upserted", AGENCY, {"timezone": "America/Argentina/Buenos_Aires"}),
        ("agency.upserted", AGENCY, {"dunning": {"retry_days": list(range(1, 31))}}),
        ("agency.upserted", AGENCY, {"dunning": {"retry_days": [365]}}),
        ("service.upserted", SERVICE, {"price_minor": 0}),
        ("service.upserted", SERVICE, {"tax": {"name": "none", "rate": "0"}}),
        ("service.upserted", SERVICE, {"tax": {"name": "all", "rate": "100.0000"}}),
        ("subscription.upserted", SUBSCRIPTION, {"quantity": 0}),
        ("subscription.upserted", SUBSCRIPTION, {"starts_on": "2024-02-29"}),
        ("subscription.upserted", SUBSCRIPTION, {"status": "cancelled"}),
        ("invoice.paid", PAID, {"amount_minor": 1}),
    ],
)
def test_values_at_the_edge_are_taken(name: str, data: dict[str, Any], changes: dict[str, Any]) -> None:
    decode_change(line(name, data | changes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"time": "1970-01-01T00:00:00Z"},
        {"time": "2199-12-31T23:59:59.999999Z"},
        {"time": "2026-01-31t09:00:00-23:59"},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"datacontenttype": None, "subject": None},
        {"source": "https://portal.example/a1?x=1"},
    ],
)
def test_envelopes_at_the_edge_are_taken(attributes: dict[str, Any]) -> None:
    decode_change(line("invoice.paid", PAID, **attributes))


def test_a_message_of_exactly_the_largest_size_is_taken() -> None:
    empty = json.dumps(message("invoice.paid", PAID | {"note": ""})).encode()
    raw = json.dumps(message("invoice.paid", PAID | {"note": "x" * (1_048_576 - len(empty))})).encode()
    assert len(raw) == 1_048_576
    decode_change(raw)


def test_text_outside_ascii_is_the_same_escaped_or_not() -> None:
    data = AGENCY | {"name": "Ünïcode 🦊"}
    escaped = json.dumps(message("agency.upserted", data), ensure_ascii=True).encode()
    plain = json.dumps(message("agency.upserted", data), ensure_ascii=False).encode()
    assert escaped != plain
    assert decode_change(escaped) == decode_change(plain)


def test_structs_built_in_code_keep_the_rules_too() -> None:
    with pytest.raises(MisfitError, match="currency: no such currency"):
        InitialPayment("stripe", "r", 1, "EUX", datetime(2026, 1, 1, tzinfo=UTC))
