"""Whatever comes over the wire is taken or refused; nothing else happens."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.messages import Change, Rejected, decode_change
from tests.messages.change_forms import FULL, MINIMAL
from tests.messages.change_lines import AGENCY, line, message
from tests.messages.strategies import JSON, replaced

FORMS = st.sampled_from([*MINIMAL.items(), *FULL.items()])


def outcome(raw: bytes) -> Change | Rejected:
    """What became of the bytes; a refusal must be fit to store and to show."""
    try:
        change = decode_change(raw)
    except Rejected as caught:
        rejected = caught
    else:
        assert isinstance(change, Change)
        return change
    assert 0 < len(rejected.reason) < 600
    assert len(rejected.field) < 300
    for text in (rejected.field, rejected.reason, rejected.source, rejected.id, rejected.type, rejected.agency_id):
        assert "\x00" not in text
        text.encode()
    return rejected


@given(st.binary(max_size=300))
@example(b"\xff\xfe")
def test_random_bytes_are_refused(raw: bytes) -> None:
    assert isinstance(outcome(raw), Rejected)


@given(JSON)
def test_random_json_is_refused(value: Any) -> None:
    assert isinstance(outcome(json.dumps(value).encode()), Rejected)


@given(FORMS, JSON, st.data())
def test_a_message_with_one_value_replaced_is_taken_or_refused(
    form: tuple[str, tuple[Any, Any]], value: Any, data: st.DataObject
) -> None:
    name, (fields, _) = form
    outcome(json.dumps(replaced(data.draw, message(name, deepcopy(fields)), value)).encode())


@given(FORMS, st.integers(0, 10_000), st.binary(max_size=4), st.integers(0, 4))
def test_a_message_with_bytes_cut_out_and_put_in_is_taken_or_refused(
    form: tuple[str, tuple[Any, Any]], place: int, put: bytes, cut: int
) -> None:
    raw = line(form[0], form[1][0])
    place %= len(raw)
    outcome(raw[:place] + put + raw[place + cut :])


@given(st.integers(1, 3000))
def test_any_depth_of_nesting_is_taken_or_refused(depth: int) -> None:
    note = b'{"k":[' * depth + b'"\\u0041", 1, 1e999' + b"]}" * depth
    raw = line("agency.upserted", AGENCY)[:-2] + b', "note": ' + note + b"}}"
    assert isinstance(outcome(raw), Rejected)


@given(FORMS)
def test_a_byte_order_mark_changes_nothing(form: tuple[str, tuple[Any, Any]]) -> None:
    raw = line(form[0], form[1][0])
    assert outcome(b"\xef\xbb\xbf" + raw) == outcome(raw)


@given(FORMS, st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]))
def test_a_message_in_another_encoding_is_refused_by_its_name(form: tuple[str, tuple[Any, Any]], codec: str) -> None:
    refused = outcome(line(form[0], form[1][0]).decode().encode(codec))
    assert isinstance(refused, Rejected)
    assert refused.reason.startswith(f"is {codec[:6].upper()}, not UTF-8; expected one JSON object")
