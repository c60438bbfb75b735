"""The newest fact counts: a lower revision never overwrites, and an equal one with other content is a conflict."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.facts import in_force
from shared.store import facts
from shared.store.database import Store
from workers.intake.receive_changes import Received, receive_change

# What each fact says at revision 2, what an equal and a lower revision try to say instead, and where it is kept.
FACTS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "agency": (
        {"name": "Studio", "timezone": "Europe/Berlin", "currency": "EUR", "email": "office@studio.example"},
        {"name": "Other"},
        "agencies",
        "name",
    ),
    "client": ({"client_id": "c", "name": "Bakery", "email": "c@client.example"}, {"name": "Other"}, "clients", "name"),
    "service": (
        {
            "service_id": "s",
            "name": "Care",
            "price_minor": 10000,
            "currency": "EUR",
            "billing_cycle": {"unit": "month", "every": 1},
        },
        {"price_minor": 1},
        "services",
        "price_minor",
    ),
    "payment_method": (
        {"client_id": "c", "payment_method_id": "m", "provider": "sandbox", "token": "ok"},
        {"token": "decline:lost_card"},
        "payment_methods",
        "token",
    ),
    "subscription": (
        {
            "subscription_id": "u",
            "client_id": "c",
            "service_id": "s",
            "checkout": "self_checkout",
            "starts_on": "2026-06-01",
            "quantity": 2,
        },
        {"quantity": 9},
        "subscriptions",
        "quantity",
    ),
}
HISTORY = {"service": ("service_revisions", "price_minor"), "subscription": ("subscription_revisions", "quantity")}


def say(
    store: Store, kind: str, id_: str, revision: int, *, time: str = "2026-06-01T00:00:00Z", **other: Any
) -> Received:
    message = {
        "specversion": "1.0",
        "id": id_,
        "source": "/portal",
        "type": f"duecycle.{kind}.upserted.v1",
        "time": time,
        "data": {"agency_id": "a", "revision": revision, **FACTS[kind][0], **other},
    }
    return receive_change(store, json.dumps(message).encode())


def kept(store: Store, table: str, column: str) -> list[tuple[Any, ...]]:
    with store.transaction() as tx:
        return [tuple(row) for row in tx.rows(f"SELECT revision, {column} FROM {table} ORDER BY revision")]  # noqa: S608


@pytest.fixture
def known(store: Store) -> Store:
    """A store that knows each fact at revision 2."""
    for kind in FACTS:
        assert say(store, kind, f"first-{kind}", 2).state == "applied"
    return store


@pytest.mark.parametrize("kind", FACTS)
def test_a_lower_revision_never_overwrites(known: Store, kind: str) -> None:
    """It is stale: what is stored stays as it is. The history takes it in at its place, and the later one stays the last."""
    said, other, table, column = FACTS[kind]
    assert say(known, kind, "late", 1, **other).state == "stale"
    assert kept(known, table, column) == [(2, said[column])]
    if kind in HISTORY:
        assert kept(known, *HISTORY[kind]) == [(1, other[column]), (2, said[column])]


def test_a_price_that_arrives_late_still_counts_for_its_time(store: Store) -> None:
    """Revision 3 came first; revision 2, true from noon on, prices what fell due between them, not what came before."""
    for kind in ("agency", "service"):
        assert say(store, kind, f"first-{kind}", 1, time="2026-05-31T00:00:00Z").state == "applied"
    third = {"time": "2026-05-31T18:00:00Z", "price_minor": 300}
    second = {"time": "2026-05-31T12:00:00Z", "price_minor": 200}
    assert say(store, "service", "third", 3, **third).state == "applied"
    assert say(store, "service", "second", 2, **second).state == "stale"
    with store.transaction() as tx:
        revisions = facts.service_revisions(tx, "a", [FACTS["service"][0]["service_id"]])
    (listed,) = revisions.values()
    prices = [in_force(listed, datetime(2026, 5, 31, hour, tzinfo=UTC)).price_minor for hour in (11, 12, 17, 18)]
    assert prices == [listed[0].price_minor, 200, 200, 300]
    assert prices[0] not in (200, 300)


@pytest.mark.parametrize("kind", FACTS)
def test_an_equal_revision_with_other_content_is_a_conflict(known: Store, kind: str) -> None:
    said, other, table, column = FACTS[kind]
    received = say(known, kind, "conflict", 2, **other)
    assert (received.state, received.field) == ("rejected", "data.revision")
    assert received.reason == (
        "revision 2 is stored already with other content; send the new state with a higher revision"
    )
    assert kept(known, table, column) == [(2, said[column])]


@pytest.mark.parametrize("kind", FACTS)
def test_an_equal_revision_with_the_same_content_is_a_repeat(known: Store, kind: str) -> None:
    assert say(known, kind, "again", 2).state == "repeated"


@pytest.mark.parametrize("kind", FACTS)
def test_a_higher_revision_counts_from_then_on(known: Store, kind: str) -> None:
    said, other, table, column = FACTS[kind]
    assert say(known, kind, "newer", 5, **other).state == "applied"
    assert kept(known, table, column) == [(5, other[column])]
    if kind in HISTORY:
        assert kept(known, *HISTORY[kind]) == [(2, said[column]), (5, other[column])]


def test_a_message_that_comes_twice_counts_once(known: Store) -> None:
    """The same bytes are a repeat. Other ones under an id that counts already are refused: an id stands for one message."""
    assert say(known, "client", "first-client", 2).state == "repeated"
    other = say(known, "client", "first-client", 7, name="Other")
    assert (other.state, other.field) == ("rejected", "id")
    assert kept(known, "clients", "name") == [(2, "Bakery")]
