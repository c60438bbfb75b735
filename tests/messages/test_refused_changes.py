"""A message that cannot be taken names its first bad field and says what to send instead."""

import json
import pickle

import pytest

from shared.messages import Rejected, decode_change
from tests.messages.change_lines import AGENCY, METHOD, PAID, Refused, line, message, without
from tests.messages.refused_lines import REFUSED


def refusal(raw: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        decode_change(raw)
    return caught.value


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.name}-{case.field}-{case.says[:20]!r}")
def test_the_first_bad_field_is_named_with_type_expectation_and_fix(case: Refused) -> None:
    refused = refusal(line(case.name, case.data, **case.attributes))
    assert refused.field == case.field
    assert case.says in refused.reason
    assert len(refused.reason) < 500
    assert refused.reason.isprintable()


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "time", "data"])
def test_a_missing_attribute_is_reported_by_name(attribute: str) -> None:
    raw = json.dumps(without(message("invoice.paid", PAID), attribute)).encode()
    assert refusal(raw).field == attribute
    assert refusal(raw).reason.startswith("missing; expected ")


_TOO_LONG = b'{"a": "' + b"x" * 1_048_576 + b'"}'


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {"a": 2}', "not JSON"),
        (b'{"a": "\x01"}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8 (at byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[]", "got an array of 0; expected one JSON object"),
        (b"null", "got null"),
        (b"12", "got an integer (12)"),
        (b'"text"', 'got a string ("text")'),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (_TOO_LONG, "got 1048585 bytes; expected at most 1048576"),
        (b"x" * 10_000_000, "got 10000000 bytes"),
    ],
    ids=range(19),
)
def test_what_is_no_object_at_all_has_no_field(raw: bytes, says: str) -> None:
    refused = refusal(raw)
    assert refused.field == ""
    assert says in refused.reason
    assert (refused.source, refused.id, refused.type, refused.agency_id) == ("", "", "", "")


@pytest.mark.parametrize(
    ("extra", "field", "says"),
    [
        (b'"price_minor": NaN', "data.price_minor", "got NaN, which JSON does not have"),
        (b'"note": {"a": [0, -Infinity]}', "data.note.a.1", "got -Infinity"),
        (b'"note": 1e999', "data.note", "beyond 64-bit floats"),
        (b'"note": ' + b"9" * 101, "data.note", "an integer of 101 digits"),
        (b'"note": ' + b"9" * 100_000, "data.note", "an integer of 100000 digits"),
        (b'"note": {"k": 1, "k": 1}', "data.note.k", 'got the key "k" twice'),
        (b'"revision": 2', "data.revision", 'got the key "revision" twice'),
    ],
    ids=range(7),
)
def test_what_json_readers_disagree_about_is_refused_where_it_stands(extra: bytes, field: str, says: str) -> None:
    raw = line("agency.upserted", AGENCY)[:-2] + b", " + extra + b"}}"
    refused = refusal(raw)
    assert refused.field == field
    assert says in refused.reason
    assert (refused.source, refused.id, refused.agency_id) == ("/portal/a1", "m-1", "a1")


def test_a_key_given_twice_at_the_top_is_named() -> None:
    refused = refusal(b'{"id": "m-2", ' + line("invoice.paid", PAID)[1:])
    assert (refused.field, refused.source) == ("id", "/portal/a1")


def test_a_number_of_a_hundred_digits_is_ignored_in_an_unknown_field() -> None:
    decode_change(line("invoice.paid", PAID | {"note": int("9" * 100)}))


def test_the_origin_is_told_as_far_as_it_could_be_read() -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"email": 1}, id="m-9"))
    assert (refused.source, refused.id, refused.type, refused.agency_id) == (
        "/portal/a1",
        "m-9",
        "duecycle.agency.upserted.v1",
        "a1",
    )


def test_an_unreadable_origin_is_empty() -> None:
    refused = refusal(line("agency.upserted", {"agency_id": "a\x001"}, id=5, source="x" * 257, type=" t"))
    assert (refused.source, refused.id, refused.type, refused.agency_id) == ("", "", "", "")


def test_a_long_value_is_not_repeated() -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"email": "long-" + "y" * 100_000}))
    assert "a string of 100005 characters" in refused.reason
    assert "y" * 50 in refused.reason
    assert "y" * 60 not in refused.reason
    assert len(refused.reason) < 400


def test_long_keys_make_no_long_paths() -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"k" * 100_000: {"k" * 100_000: "\x00"}}))
    assert refused.field == "data." + "k" * 60 + "." + "k" * 60


@pytest.mark.parametrize("token", [" 4711", 4711, 4711.5, ["4711"], "4711" * 200])
def test_a_token_is_never_repeated(token: object) -> None:
    refused = refusal(line("payment_method.upserted", METHOD | {"token": token}))
    assert refused.field == "data.token"
    assert "4711" not in str(refused)


def test_unprintable_values_are_escaped_in_the_reason() -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"name": "a\u2028\x7fb"}))
    assert '("a\\u2028\\u007fb")' in refused.reason


def test_a_value_that_looks_like_a_path_does_not_mislead() -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"gateway": "x - at `$.name`"}))
    assert refused.field == "data.gateway"


def test_a_rejection_survives_pickling_and_reads_well() -> None:
    refused = refusal(line("invoice.paid", PAID, time="never"))
    again = pickle.loads(pickle.dumps(refused))  # noqa: S301 - our own
    assert (again.field, again.reason, again.id) == ("time", refused.reason, "m-1")
    assert str(again).startswith('time: got a string ("never"); expected an RFC 3339 instant with offset')


@pytest.mark.parametrize("number", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
@pytest.mark.parametrize("escaped", [True, False])
def test_direction_overrides_are_refused_escaped_or_not(number: int, escaped: bool) -> None:
    data = AGENCY | {"note": f"a{chr(number)}b"}
    refused = refusal(json.dumps(message("agency.upserted", data), ensure_ascii=escaped).encode())
    assert refused.field == "data.note"
    assert f"U+{number:04X}" in refused.reason


@pytest.mark.parametrize("number", [n for n in range(0x20) if n not in (0x09, 0x0A, 0x0D)])
def test_control_characters_are_refused_in_unknown_fields_too(number: int) -> None:
    refused = refusal(line("agency.upserted", AGENCY | {"note": [chr(number)]}))
    assert (refused.field, f"U+{number:04X}" in refused.reason) == ("data.note.0", True)
