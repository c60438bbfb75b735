"""One fact, many messages: the highest revision counts, a repeat changes nothing, other content is a conflict."""

from typing import Any

import pytest

from tests.journeys.diary import Diary, told
from tests.table_contents import changed, contents

AT = "2026-05-20T08:00:00Z"
# What is told of each fact after its first revision: a change, and how its table shows it.
FACTS: list[tuple[str, dict[str, Any], dict[str, Any], str, list[tuple[Any, ...]]]] = [
    (
        "agency.upserted",
        {"name": "New name"},
        {"name": "Other"},
        "SELECT revision, name FROM agencies",
        [(5, "New name")],
    ),
    (
        "client.upserted",
        {"email": "new@law.example"},
        {"email": "other@law.example"},
        "SELECT revision, email FROM clients",
        [(5, "new@law.example")],
    ),
    (
        "service.upserted",
        {"price_minor": 12000},
        {"price_minor": 13000},
        "SELECT revision, price_minor FROM services",
        [(5, 12000)],
    ),
    (
        "payment_method.upserted",
        {"token": "decline:lost_card"},
        {"token": "pending:1"},
        "SELECT revision, token FROM payment_methods",
        [(5, "decline:lost_card")],
    ),
    (
        "payment_method.removed",
        {},
        {"payment_method_id": "card", "revision": 4},
        "SELECT revision, removed_at IS NULL FROM payment_methods",
        [(5, False)],
    ),
    (
        "subscription.upserted",
        {"quantity": 3},
        {"quantity": 4},
        "SELECT revision, quantity FROM subscriptions",
        [(5, 3)],
    ),
]
NAMES = [each[0] for each in FACTS]
UPSERTS = [each for each in FACTS if each[0] != "payment_method.removed"]


def begun(diary: Diary) -> None:
    """Everything is known in its first revision."""
    diary.open(AT)
    diary.say("subscription.upserted", AT)
    diary.settle()


@pytest.mark.parametrize(("name", "change", "_other", "sql", "rows"), FACTS, ids=NAMES)
def test_a_higher_revision_is_applied(
    diary: Diary, name: str, change: dict[str, Any], _other: dict[str, Any], sql: str, rows: list[tuple[Any, ...]]
) -> None:
    """Revisions may leave gaps; the sender is answered."""
    begun(diary)
    assert diary.say(name, revision=5, id="m-5", **change).state == "applied"
    assert diary.ask(sql) == rows
    answers = [each for each in diary.events("change.applied") if each.data["change_id"] == "m-5"]
    assert told(answers, "subject") == ["message//portal/m-5"]
    assert answers[0].data["change_type"] == f"duecycle.{name}.v1"


@pytest.mark.parametrize(("name", "change", "_other", "sql", "rows"), FACTS, ids=NAMES)
def test_a_lower_revision_is_stale(
    diary: Diary, name: str, change: dict[str, Any], _other: dict[str, Any], sql: str, rows: list[tuple[Any, ...]]
) -> None:
    """It overwrites nothing; it is kept, in the history too where history prices cycles, and answered as stale."""
    begun(diary)
    diary.say(name, revision=5, **change)
    diary.settle()
    before = contents(diary.store)
    assert diary.say(name, revision=2, id="m-late").state == "stale"
    kept = {"service.upserted": {"service_revisions"}, "subscription.upserted": {"subscription_revisions"}}.get(
        name, set()
    )
    assert set(changed(before, contents(diary.store))) == {"inbox", "events"} | kept
    assert diary.ask(sql) == rows
    assert [each.data["change_id"] for each in diary.events("change.stale")] == ["m-late"]
    assert "m-late" not in [each.data["change_id"] for each in diary.events("change.applied")]


@pytest.mark.parametrize(("name", "change", "other", "sql", "rows"), UPSERTS, ids=[each[0] for each in UPSERTS])
def test_one_revision_with_two_contents_is_a_conflict(
    diary: Diary, name: str, change: dict[str, Any], other: dict[str, Any], sql: str, rows: list[tuple[Any, ...]]
) -> None:
    """The first one stands, the second is kept as rejected with field and reason, and told to its sender."""
    begun(diary)
    diary.say(name, revision=5, **change)
    diary.settle()
    before = contents(diary.store)
    received = diary.say(name, revision=5, id="m-other", **{**change, **other})
    assert (received.state, received.field) == ("rejected", "data.revision")
    assert "send the new state with a higher revision" in received.reason
    assert set(changed(before, contents(diary.store))) == {"inbox", "events"}
    assert diary.ask(sql) == rows
    (answer,) = diary.events("change.rejected")
    assert (answer.data["change_id"], answer.data["field"]) == ("m-other", "data.revision")


@pytest.mark.parametrize(("name", "change", "_other", "_sql", "_rows"), FACTS, ids=NAMES)
def test_the_same_state_told_by_another_message_changes_nothing(
    diary: Diary, name: str, change: dict[str, Any], _other: dict[str, Any], _sql: str, _rows: object
) -> None:
    begun(diary)
    diary.say(name, revision=5, **change)
    diary.settle()
    before = contents(diary.store)
    assert diary.say(name, revision=5, id="m-again", **change).state == "repeated"
    assert set(changed(before, contents(diary.store))) == {"inbox", "events"}
    assert [each.data["change_id"] for each in diary.events("change.repeated")] == ["m-again"]


MESSAGES: list[tuple[str, dict[str, Any]]] = [
    *((name, change) for name, change, *_ in FACTS),
    ("subscription.resumed", {}),
    ("invoice.issued", {"issued_on": "2026-06-01"}),
    ("invoice.paid", {"invoice_id": "inv:sub:2026-06-01"}),
    ("invoice.voided", {"invoice_id": "inv:sub:2026-06-01"}),
    ("charge.requested", {"invoice_id": "inv:sub:2026-06-01"}),
    ("invoice.paid", {"invoice_id": "not-there"}),
    ("invoice.paid", {"invoice_id": 7}),
]


@pytest.mark.parametrize(
    ("name", "data"), MESSAGES, ids=[f"{number}-{each[0]}" for number, each in enumerate(MESSAGES)]
)
def test_a_message_that_comes_twice_counts_once(diary: Diary, name: str, data: dict[str, Any]) -> None:
    """Source and id say that it is the same; not one row of any table changes, whatever became of the first."""
    diary.open(AT, card="decline:insufficient_funds")
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-01")
    first = diary.say(name, id="m-twice", **data)
    diary.settle()
    with diary.store.transaction() as tx:
        (raw,) = tx.rows("SELECT raw FROM inbox WHERE id = 'm-twice'")[0]
    before = contents(diary.store)
    assert first.state != "repeated"
    assert diary.hear(bytes(raw)).state == "repeated"
    assert changed(before, contents(diary.store)) == {}
    diary.settle()
    assert changed(before, contents(diary.store)) == {}
