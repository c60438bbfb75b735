"""An outage changes nothing but the dates of issue (and the numbers that follow from their order)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shared.store.database import FixedClock, Store
from tests.conftest import START
from tests.databases import Databases
from tests.journeys.diary import Diary, told
from tests.journeys.portal import MONTHLY, WEEKLY

Write = Callable[[Diary], None]
BROKE = "decline:insufficient_funds"
ORDERS = "subscription_id cycle_starts_on cycle_ends_on origin client_id service_id quantity"
INVOICES = (
    "subscription_id cycle_index period_starts_on period_ends_on status currency subtotal_minor tax_minor total_minor"
)
CYCLES = "subscription_id stream index starts_on ends_on due_at state reason"
LINES = """
    SELECT i.subscription_id, i.cycle_starts_on, l.line_no, l.description, l.quantity, l.unit_price_minor, l.net_minor,
           l.tax_name, l.tax_rate
    FROM invoice_lines AS l JOIN invoices AS i USING (agency_id, invoice_id)"""


@pytest.fixture
def live(databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Diary]]:
    """Live one diary more, on a database of its own, with or without an outage; its invariants are checked."""
    numbers = count(1)
    opened = ExitStack()

    def one(write: Write, until: str, outage: tuple[str, str] | None = None) -> Diary:
        clock = FixedClock(START)
        store = Store(opened.enter_context(databases.one()).engine, clock)
        diary = Diary(store, clock, tmp_path / str(next(numbers)))
        if outage:
            diary.outage(*outage)
        write(diary)
        diary.go(until)
        diary.check()
        return diary

    with opened:
        yield one


def ledger(diary: Diary) -> dict[str, list[Any]]:
    """Everything about the documents of a run but when they were issued and how they were numbered."""
    money = "SELECT i.subscription_id, i.cycle_starts_on, sum(p.amount_minor) FROM payments AS p JOIN invoices AS i"
    return {
        "orders": sorted(told(diary.rows("orders"), ORDERS)),
        "invoices": sorted(told(diary.rows("invoices"), INVOICES), key=str),
        "lines": sorted(diary.ask(LINES), key=str),
        "cycles": sorted(told(diary.rows("cycles"), CYCLES), key=str),
        "payments": sorted(diary.ask(f"{money} USING (agency_id, invoice_id) GROUP BY 1, 2"), key=str),
    }


def differences(down: Diary, calm: Diary) -> list[tuple[str, str, Any]]:
    """What only one of two runs has: (run, table, row)."""
    found = []
    for table, rows in ledger(calm).items():
        other = ledger(down)[table]
        found += [("down", table, row) for row in other if row not in rows]
        found += [("calm", table, row) for row in rows if row not in other]
        found += [("count", table, (len(other), len(rows)))] if len(other) != len(rows) else []
    return found


def summer(diary: Diary) -> None:
    """A price change, a pause and resume, a cancel, a new card, a first invoice by hand and a new cycle; all in an outage."""
    diary.open()
    diary.say("service.upserted", "2026-05-20", service_id="desk", billing_cycle=MONTHLY, order_cycle=WEEKLY)
    diary.say("service.upserted", "2026-05-20", service_id="ads", price_minor=4444)
    diary.say("client.upserted", "2026-05-20", client_id="inn", name="Inn", email="a@inn.example")
    diary.new_card("2026-05-20", BROKE, client_id="inn")
    for id_, of in (
        ("price", {"starts_on": "2026-06-01"}),
        ("pause", {"starts_on": "2026-06-10"}),
        ("cancel", {"starts_on": "2026-06-05"}),
        ("card", {"starts_on": "2026-06-15", "client_id": "inn"}),
        ("desk", {"starts_on": "2026-06-08", "service_id": "desk"}),
        ("hand", {"starts_on": "2026-06-20", "checkout": "manual"}),
        ("ads", {"starts_on": "2026-06-18", "service_id": "ads"}),
    ):
        diary.say("subscription.upserted", "2026-06-01", subscription_id=id_, **of)
    diary.say("invoice.issued", "2026-07-02", subscription_id="hand", issued_on="2026-07-02")
    diary.say("service.upserted", "2026-07-05", price_minor=12345, tax={"name": "VAT", "rate": "7"})
    diary.say("subscription.upserted", "2026-07-08", subscription_id="pause", status="paused")
    diary.say("subscription.upserted", "2026-07-20", subscription_id="price", quantity=3)
    diary.new_card("2026-07-25", client_id="inn")
    diary.say("service.upserted", "2026-07-28", service_id="ads", billing_cycle={"unit": "week", "every": 2})
    diary.say("subscription.upserted", "2026-08-08", subscription_id="cancel", status="cancelled")
    diary.say("subscription.upserted", "2026-08-20", subscription_id="pause", status="active")


def test_three_months_without_service_give_the_same_documents(live: Callable[..., Diary]) -> None:
    calm = live(summer, "2026-10-02")
    down = live(summer, "2026-10-02", ("2026-06-25", "2026-09-25"))
    assert differences(down, calm) == []
    # What both say, by hand: the price of 5 July counts from the August cycle on, three of them from then on too.
    assert told(down.invoices("price"), "period_starts_on total_minor status") == [
        ("2026-06-01", 11900, "paid"),
        ("2026-07-01", 11900, "paid"),
        ("2026-08-01", 39627, "paid"),  # 3 × 123.45 = 370.35 + 7 % = 25.92
        ("2026-09-01", 39627, "paid"),
        ("2026-10-01", 39627, "paid"),
    ]
    assert told(down.cycles("pause", "order"), "starts_on state reason") == [
        ("2026-06-10", "done", None),
        ("2026-07-10", "skipped", "paused"),
        ("2026-08-10", "skipped", "paused"),
        ("2026-09-10", "done", None),
    ]
    assert told(down.orders("cancel"), "cycle_starts_on") == ["2026-06-05", "2026-07-05", "2026-08-05"]
    assert told(down.invoices("card"), "period_starts_on status") == [
        ("2026-06-15", "paid"),
        ("2026-07-15", "paid"),
        ("2026-08-15", "paid"),
        ("2026-09-15", "paid"),
    ]
    assert told(down.cycles("ads", "invoice"), "starts_on")[:5] == [
        "2026-06-18",
        "2026-07-18",
        "2026-08-18",
        "2026-09-01",
        "2026-09-15",
    ]
    # And the outage did happen.
    assert told(calm.invoices("price"), "issued_on")[1:4] == ["2026-07-01", "2026-08-01", "2026-09-01"]
    assert told(down.invoices("price"), "issued_on")[1:4] == ["2026-09-25", "2026-09-25", "2026-09-25"]


def script(random: Random) -> Write:
    """A random summer: three subscriptions, and changes to their facts on random days."""
    units = [{"unit": "week", "every": 2}, {"unit": "month", "every": 1}, {"unit": "day", "every": 10}]
    starts = [str(date(2026, 6, 1) + timedelta(days=random.randrange(25))) for _ in range(3)]
    cycles = [random.choice(units) for _ in range(3)]
    days = sorted(random.sample(range(25, 105), 12))
    changes = [(str(date(2026, 6, 1) + timedelta(days=day)), _change(random)) for day in days]

    def write(diary: Diary) -> None:
        diary.open()
        for index in range(3):
            service: dict[str, Any] = {
                "service_id": f"s{index}",
                "billing_cycle": cycles[index],
                "price_minor": 1000 + 37 * index,
            }
            diary.say("service.upserted", "2026-05-21", **service)
            of = {"subscription_id": f"sub{index}", "service_id": f"s{index}", "starts_on": starts[index]}
            diary.say("subscription.upserted", "2026-05-25", **of)
        for day, (kind, data) in changes:
            diary.say(kind, day, **data)
        diary.new_card("2026-09-27")

    return write


def _change(random: Random) -> tuple[str, dict[str, Any]]:
    index = random.randrange(3)
    options: Sequence[tuple[str, dict[str, Any]]] = (
        ("service.upserted", {"service_id": f"s{index}", "price_minor": random.choice([0, 999, 20001, 33333])}),
        ("service.upserted", {"service_id": f"s{index}", "tax": {"name": "VAT", "rate": "7.7", "inclusive": True}}),
        ("service.upserted", {"service_id": f"s{index}", "billing_cycle": {"unit": "week", "every": 3}}),
        ("subscription.upserted", {"subscription_id": f"sub{index}", "status": "paused"}),
        ("subscription.upserted", {"subscription_id": f"sub{index}", "status": "active"}),
        ("subscription.upserted", {"subscription_id": f"sub{index}", "status": "cancelled"}),
        ("subscription.upserted", {"subscription_id": f"sub{index}", "quantity": random.randrange(4)}),
        ("payment_method.upserted", {"token": random.choice(["ok", BROKE, "decline:stolen_card", "pending:2"])}),
    )
    return random.choice(options)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_summers_give_the_same_documents(live: Callable[..., Diary], seed: int) -> None:
    random = Random(seed)  # noqa: S311
    write = script(random)
    since = date(2026, 6, 20) + timedelta(days=random.randrange(30))
    outage = (str(since), str(since + timedelta(days=random.randrange(20, 65))))
    assert differences(live(write, "2026-10-01", outage), live(write, "2026-10-01")) == []
