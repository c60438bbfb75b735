"""The order in which messages arrive leaves no trace in what is known."""

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from tests.journeys.diary import Diary
from tests.journeys.portal import DEFAULTS
from tests.table_contents import Contents, changed, contents

TIMES = ["2026-05-20T08:00:00Z", "2026-05-20T09:00:00Z", "2026-05-20T10:00:00Z", "2026-05-20T11:00:00Z"]
# Made from the agency's id, which is all that the agencies differ in.
OF_THE_AGENCY = ("digest", "message_id", "charges.key")
IN_ORDER_OF_ARRIVAL = ("inbox", "events", "rechecks", "service_revisions", "subscription_revisions")


def message(number: int, id_: str, agency_id: str, name: str, data: dict[str, Any]) -> bytes:
    said = {**DEFAULTS[name], "agency_id": agency_id, "revision": 1, **data}
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{agency_id}-{id_}",
            "source": "/portal",
            "type": f"duecycle.{name}.v1",
            "time": TIMES[number],
            "data": said,
        }
    ).encode()


def left_by(diary: Diary, said: list[tuple[str, dict[str, Any]]], *, first: Sequence[str] = ()) -> list[Contents]:
    """What every order of four messages leaves in the tables, each order in an agency of its own."""
    diary.clock.at = diary.moment("2026-05-20T12:00:00Z", None)
    agencies = []
    for number, order in enumerate(permutations(range(4))):
        agency_id = f"ag{number}"
        agencies.append(agency_id)
        for name in first:
            diary.hear(message(0, name, agency_id, name, {}))
        for position in order:
            diary.hear(message(position, str(position), agency_id, *said[position]))
    diary.settle()
    with diary.store.transaction() as tx:
        assert tx.rows("SELECT 1 FROM inbox WHERE state = 'waiting' OR state = 'rejected'") == []
    found = []
    for agency_id in agencies:
        tables = contents(diary.store, OF_THE_AGENCY)
        of = {
            name: [row for row in rows if row.get("agency_id") == agency_id]
            for name, rows in tables.items()
            if name not in IN_ORDER_OF_ARRIVAL
        }
        found.append(json.loads(json.dumps(of, default=str).replace(f'"{agency_id}"', '"ag"')))
    return found


def test_facts_in_any_order_give_the_same_documents(diary: Diary) -> None:
    """Agency, client, service and subscription in all 24 orders: the same facts, cycles, invoices and orders."""
    said: list[tuple[str, dict[str, Any]]] = [
        ("agency.upserted", {}),
        ("client.upserted", {}),
        ("service.upserted", {}),
        ("subscription.upserted", {"starts_on": "2026-05-01"}),
    ]
    found = left_by(diary, said)
    assert [len(found[0][name]) for name in ("agencies", "clients", "services", "subscriptions")] == [1, 1, 1, 1]
    assert [len(found[0][name]) for name in ("schedules", "cycles", "invoices")] == [2, 2, 1]
    assert [changed(found[0], each) for each in found[1:]] == [{}] * 23


def test_revisions_of_a_client_in_any_order_leave_the_last_one(diary: Diary) -> None:
    said = [("client.upserted", {"revision": n, "email": f"{n}@law.example"}) for n in (1, 2, 3, 4)]
    found = left_by(diary, said, first=["agency.upserted"])
    assert [(row["revision"], row["email"]) for row in found[0]["clients"]] == [(4, "4@law.example")]
    assert [changed(found[0], each) for each in found[1:]] == [{}] * 23


def test_revisions_of_a_service_in_any_order_leave_the_last_one(diary: Diary) -> None:
    said = [("service.upserted", {"revision": n, "price_minor": n * 100}) for n in (1, 2, 3, 4)]
    found = left_by(diary, said, first=["agency.upserted"])
    assert [(row["revision"], row["price_minor"]) for row in found[0]["services"]] == [(4, 400)]
    assert [changed(found[0], each) for each in found[1:]] == [{}] * 23


def test_a_card_changed_removed_and_given_back_in_any_order_is_there_in_the_end(diary: Diary) -> None:
    said: list[tuple[str, dict[str, Any]]] = [
        ("payment_method.upserted", {"revision": 1, "token": "ok"}),
        ("payment_method.upserted", {"revision": 2, "token": "pending:1"}),
        ("payment_method.removed", {"revision": 3}),
        ("payment_method.upserted", {"revision": 4, "token": "pending:2"}),
    ]
    found = left_by(diary, said, first=["agency.upserted", "client.upserted"])
    (card,) = found[0]["payment_methods"]
    assert (card["revision"], card["token"], card["removed_at"]) == (4, "pending:2", None)
    assert [changed(found[0], each) for each in found[1:]] == [{}] * 23


def test_revisions_of_a_subscription_in_any_order_leave_the_last_one_known_since_the_first(diary: Diary) -> None:
    said = [("subscription.upserted", {"revision": n, "quantity": n}) for n in (1, 2, 3, 4)]
    found = left_by(diary, said, first=["agency.upserted", "client.upserted", "service.upserted"])
    (one,) = found[0]["subscriptions"]
    assert (one["revision"], one["quantity"], one["known_since"]) == (4, 4, "2026-05-20 08:00:00+00:00")
    assert [changed(found[0], each) for each in found[1:]] == [{}] * 23
