"""Orders against money: whoever decides that an order has to wait must not miss the payment that lets it go."""

from datetime import timedelta
from typing import Any

from scheduler.plan import plan
from tests.races.inserts import Inserts
from tests.races.sessions import Stage
from tests.races.upstream import message
from workers.intake.receive_changes import receive_change
from workers.invoices.issue_invoices import issue_invoices
from workers.orders import create_orders

ORDER_CYCLES = "SELECT starts_on, state, reason FROM cycles WHERE stream = 'order' ORDER BY starts_on"
INITIAL = {
    "provider": "sandbox",
    "reference": "checkout-1",
    "amount_minor": 11900,
    "currency": "EUR",
    "paid_at": "2026-05-20T10:00:00Z",
}


def _self_checkout(stage: Stage, card: str, **of: Any) -> None:
    stage.diary.open(card=card, agency={"timezone": "UTC"})
    stage.diary.say("subscription.upserted", **of)


def test_a_hold_written_while_another_session_pays(race: Stage) -> None:
    """The payment waits for the hold and then releases it: the order goes out at that moment, not at the safety net."""
    _self_checkout(race, "decline:insufficient_funds")
    race.diary.go("2026-06-01T05:59:00Z")
    assert race.ask(ORDER_CYCLES) == [("2026-06-01", "held", "payment_failed")]
    race.clock.at += timedelta(minutes=1)

    read = race.stop(create_orders, "read", "orders")
    pool = race.start("orders", lambda store: create_orders.create_orders(store, "ag", ["sub"]))
    read.reached(pool)
    paid = message("invoice.paid", race.clock.at, subscription_id="sub", period_starts_on="2026-06-01")
    payer = race.start("payer", lambda store: receive_change(store, paid))
    assert race.waits(payer) == race.locked
    read.go()
    race.end(pool, payer)

    race.diary.world.settle()
    race.verdict(race.ask(ORDER_CYCLES), [("2026-06-01", "done", None)])


def test_an_order_found_unpaid_while_its_invoice_is_issued_as_paid(race: Stage) -> None:
    """The covering invoice does not exist yet: the order is decided `waiting` while it comes into being, paid already."""
    _self_checkout(race, "ok", initial_payment=INITIAL)
    race.clock.at = race.diary.moment("2026-06-01T00:00:00Z", None)
    _plan(race)

    read = race.stop(create_orders, "read", "orders")
    pool = race.start("orders", lambda store: create_orders.create_orders(store, "ag", ["sub"]))
    read.reached(pool)
    invoicing = race.start("invoicing", lambda store: issue_invoices(store, "ag", ["sub"]))
    assert race.waits(invoicing) == race.locked
    read.go()
    race.end(pool, invoicing)
    assert race.ask("SELECT status, total_minor FROM invoices") == [("paid", 11900)]

    race.diary.world.settle()
    race.verdict(race.ask(ORDER_CYCLES), [("2026-06-01", "done", None)])


def test_two_workers_with_the_same_order(race: Stage) -> None:
    """A doubled message: the second worker passes over, waits once, and finds nothing left to do."""
    _self_checkout(race, "ok", checkout="manual")
    race.diary.go("2026-06-30")
    race.clock.at = race.diary.moment("2026-07-01T00:00:00Z", None)
    _plan(race)

    inserts = Inserts(race.monkeypatch)
    written = race.stop(create_orders, "make", "first")
    first = race.start("first", lambda store: create_orders.create_orders(store, "ag", ["sub"]))
    written.reached(first)
    second = race.start("second", lambda store: create_orders.create_orders(store, "ag", ["sub"]))
    race.waits(second)
    written.go()
    race.end(first, second)
    assert race.ask("SELECT cycle_starts_on FROM orders ORDER BY 1") == [("2026-06-01",), ("2026-07-01",)]
    race.verdict(inserts.refused_rows(), {})


def _plan(race: Stage) -> None:
    while plan(race.store):
        pass
