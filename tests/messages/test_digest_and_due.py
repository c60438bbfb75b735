"""Equal content has equal digests; a work message goes out and comes back the same."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import Due, content_digest, decode_change
from tests.messages.change_forms import FULL, MINIMAL
from tests.messages.change_lines import AGENCY, PAYMENT, SERVICE, SUBSCRIPTION, line


def digest(name: str, data: dict[str, Any]) -> str:
    return content_digest(decode_change(line(name, data)).data)


def shuffled(node: Any, draw: Any) -> Any:
    if isinstance(node, dict):
        return {key: shuffled(node[key], draw) for key in draw(st.permutations(list(node)))}
    return node


@given(st.sampled_from([*MINIMAL.items(), *FULL.items()]), st.data())
def test_the_order_of_keys_and_unknown_fields_do_not_count(
    form: tuple[str, tuple[Any, Any]], data: st.DataObject
) -> None:
    name, (fields, _) = form
    other = shuffled(fields | {"unknown": data.draw(st.integers())}, data.draw)
    assert digest(name, other) == digest(name, fields)


def test_a_default_spelled_out_does_not_count() -> None:
    spelled = {
        "locale": "en",
        "payment_terms_days": 14,
        "issue_time": "00:00:00",
        "address": None,
        "dunning": {"retry_days": [1, 3, 5, 7, 10, 14], "on_exhausted": "leave_open"},
    }
    assert digest("agency.upserted", AGENCY | spelled) == digest("agency.upserted", AGENCY)


def test_one_instant_written_with_two_offsets_is_the_same_content() -> None:
    berlin = {"initial_payment": PAYMENT | {"paid_at": "2026-01-31T10:00:00+01:00"}}
    utc = {"initial_payment": PAYMENT | {"paid_at": "2026-01-31T09:00:00Z"}}
    assert digest("subscription.upserted", SUBSCRIPTION | berlin) == digest("subscription.upserted", SUBSCRIPTION | utc)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_minor": 0},
        {"name": "Care plan "},
        {"revision": 2},
        {"billing_cycle": {"unit": "month", "every": 2}},
        {"tax": {"name": "VAT", "rate": "19"}},
    ],
)
def test_any_other_content_counts(changes: dict[str, Any]) -> None:
    assert digest("service.upserted", SERVICE | changes) != digest("service.upserted", SERVICE)


def test_a_digest_stays_the_same_from_release_to_release() -> None:
    """The literal is the sha256 of the text below, so that stored digests keep their meaning."""
    # printf '{"agency_id":"a1","billing_cycle":{"every":1,"unit":"month"},"currency":"EUR","name":"Care plan",
    # "revision":1,"service_id":"s1"}' | sha256sum      (without the line break)
    assert digest("service.upserted", SERVICE) == "30ed4c5f57f0747a5eff4d4c3bfe13bacbaffc7fc7b7febc93c463efd6a29f7c"


def test_due_goes_out_and_comes_back_the_same() -> None:
    due = Due("invoices", "a1", ["7", "8"], again=True)
    sent = msgspec.json.encode(due)
    assert json.loads(sent) == {"pool": "invoices", "agency_id": "a1", "ids": ["7", "8"], "again": True}
    assert msgspec.json.decode(sent, type=Due) == due
    assert msgspec.convert(msgspec.to_builtins(due), Due) == due


def test_due_is_dispatched_for_the_first_time_unless_said() -> None:
    assert msgspec.json.decode(b'{"pool": "orders", "agency_id": "a1", "ids": []}', type=Due) == Due(
        pool="orders", agency_id="a1", ids=[], again=False
    )


def test_due_of_an_unknown_pool_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"pool": "refunds", "agency_id": "a1", "ids": []}', type=Due)
