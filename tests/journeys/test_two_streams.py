"""Orders and invoices of one subscription each have an anchor and a cycle of their own; the first invoice of a manual order."""

from datetime import time
from typing import Any

from scheduler.plan import plan
from scheduler.recheck import recheck
from tests.journeys.diary import Diary, told
from tests.journeys.portal import MONTHLY, WEEKLY
from workers.invoices.issue_invoices import issue_invoices
from workers.orders.create_orders import create_orders


def test_manual_order_on_1_june_and_first_invoice_on_3_june_give_1_july_and_3_july(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", order_id="ord-7")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-07-05")
    assert told(diary.orders(), "order_id cycle_starts_on cycle_ends_on created_at origin") == [
        ("ord-7", "2026-06-01", "2026-07-01", "2026-06-01T10:00Z", "manual"),
        ("ord:sub:2026-07-01", "2026-07-01", "2026-08-01", "2026-06-30T22:00Z", "automatic"),
    ]
    assert told(
        diary.invoices(), "cycle_index period_starts_on period_ends_on issued_on due_on origin total_minor"
    ) == [
        (0, "2026-06-03", "2026-07-03", "2026-06-03", "2026-06-17", "manual", 11900),
        (1, "2026-07-03", "2026-08-03", "2026-07-03", "2026-07-17", "automatic", 11900),
    ]
    assert diary.charges() == []
    assert told(diary.notices(), "occasion audience to at") == [
        ("invoice_open", "client", "accounts@law.example", "2026-07-02T22:00Z"),
    ]


def test_a_manual_invoice_stays_open_and_unpaid_without_holding_anything_until_the_client_pays(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-08-20")
    assert told(diary.invoices(), "period_starts_on status") == [
        ("2026-06-03", "open"),
        ("2026-07-03", "open"),
        ("2026-08-03", "open"),
    ]
    assert told(diary.orders(), "cycle_starts_on created_at") == [
        ("2026-06-01", "2026-06-01T10:00Z"),
        ("2026-07-01", "2026-06-30T22:00Z"),
        ("2026-08-01", "2026-07-31T22:00Z"),
    ]
    diary.say("invoice.paid", "2026-08-21", subscription_id="sub", period_starts_on="2026-07-03", reference="bank 1")
    assert told(diary.invoices(), "status paid_at") == [("open", None), ("paid", "2026-08-21T10:00Z"), ("open", None)]
    assert told(diary.notices("invoice_paid"), "audience invoice_number") == [("client", "00002")]


def test_the_first_invoice_by_hand_keeps_its_number_total_and_paid_state_and_later_ones_use_the_services(
    diary: Diary,
) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    first: dict[str, Any] = {"number": "2026/17", "total_minor": 5950, "currency": "EUR", "status": "paid"}
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03", **first)
    diary.go("2026-07-03")
    assert told(diary.invoices(), "number status subtotal_minor tax_minor total_minor") == [
        ("2026/17", "paid", 5000, 950, 5950),
        ("00001", "open", 10000, 1900, 11900),
    ]
    assert diary.notices("invoice_paid") == diary.charges() == []


def test_a_further_invoice_by_hand_on_a_running_series_is_recorded_outside_it(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.say("invoice.issued", "2026-06-20", invoice_id="by-hand-2", issued_on="2026-06-20", send=True)
    diary.go("2026-07-25")
    assert told(diary.invoices(), "invoice_id cycle_index period_starts_on issued_on") == [
        ("by-hand-1", 0, "2026-06-03", "2026-06-03"),
        ("by-hand-2", None, None, "2026-06-20"),
        ("inv:sub:2026-07-03", 1, "2026-07-03", "2026-07-03"),
    ]
    assert told(diary.cycles(stream="invoice"), "starts_on ends_on state") == [
        ("2026-06-03", "2026-07-03", "done"),
        ("2026-07-03", "2026-08-03", "done"),
    ]
    assert told(diary.notices("invoice_open"), "invoice_number at") == [
        ("00002", "2026-06-20T10:00Z"),
        ("00003", "2026-07-02T22:00Z"),
    ]


def test_an_invoice_by_hand_for_a_self_checkout_is_outside_its_series(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-07-02")
    assert told(diary.invoices(), "invoice_id cycle_index status") == [
        ("inv:sub:2026-06-01", 0, "paid"),
        ("by-hand-1", None, "open"),
        ("inv:sub:2026-07-01", 1, "paid"),
    ]
    assert diary.charges("by-hand-1") == []


def test_the_agency_is_asked_once_for_a_missing_first_invoice_after_the_first_order_cycle(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.go("2026-06-30")
    assert diary.notices() == []
    diary.go("2026-09-15")
    assert told(diary.notices(), "occasion audience to at subscription_id") == [
        ("first_invoice_missing", "agency", "office@agency.example", "2026-06-30T22:00Z", "sub"),
    ]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01"]
    assert diary.cycles(stream="invoice") == []
    diary.say("invoice.issued", "2026-09-16", issued_on="2026-09-16")
    diary.go("2026-10-20")
    assert told(diary.invoices(), "period_starts_on origin") == [("2026-09-16", "manual"), ("2026-10-16", "automatic")]


def test_weekly_orders_under_a_monthly_invoice_go_out_while_the_month_is_paid(diary: Diary) -> None:
    desk = {"billing_cycle": MONTHLY, "order_cycle": WEEKLY}
    diary.open(card="decline_until:2026-07-20", service=desk)
    paid = {"provider": "sandbox", "reference": "co-1", "amount_minor": 11900, "currency": "EUR"}
    first = {**paid, "paid_at": "2026-06-10T09:00:00Z"}
    diary.say("subscription.upserted", "2026-06-10", starts_on="2026-06-10", initial_payment=first)
    diary.go("2026-07-16")
    assert told(diary.invoices(), "period_starts_on period_ends_on status") == [
        ("2026-06-10", "2026-07-10", "paid"),
        ("2026-07-10", "2026-08-10", "open"),
    ]
    # The order of 8 July lies in June's paid period; that of 15 July in the failing one.
    assert told(diary.cycles(stream="order"), "starts_on state reason blocking_starts_on") == [
        ("2026-06-10", "done", None, None),
        ("2026-06-17", "done", None, None),
        ("2026-06-24", "done", None, None),
        ("2026-07-01", "done", None, None),
        ("2026-07-08", "done", None, None),
        ("2026-07-15", "held", "payment_failed", "2026-07-10"),
    ]
    diary.go("2026-07-25")
    assert told(diary.invoices(), "status") == ["paid", "paid"]
    # Retry days: 11, 13, 15, 17, 20 July; the one of 20 July succeeds between 09:00 and 10:00 in Berlin.
    late = told(diary.orders(), "cycle_starts_on created_at")[-2:]
    assert [(starts_on, at[:13]) for starts_on, at in late] == [
        ("2026-07-15", "2026-07-20T07"),
        ("2026-07-22", "2026-07-21T22"),
    ]


def test_an_order_that_waited_for_an_invoice_which_nobody_collects_goes_out_with_it(diary: Diary) -> None:
    """After an outage August's order looks for July's invoice, as if it was collected as August's is; it is asked for."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", order_id="first")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-07-01")
    diary.clock.at = diary.moment("2026-07-20", time(12))
    diary.hear(diary.message("subscription.upserted", "2026-07-20", collection="automatic"))
    diary.clock.at = diary.moment("2026-08-02", time(12))
    while recheck(diary.store) + plan(diary.store):
        pass
    create_orders(diary.store, "ag", ["sub"])
    with diary.store.transaction() as tx:
        assert tx.scalar("SELECT reason FROM cycles WHERE state = 'waiting'") == "payment_unanswered"
    issue_invoices(diary.store, "ag", ["sub"])
    diary.go("2026-08-02")
    assert told(diary.invoices(), "period_starts_on collection") == [("2026-06-03", "manual"), ("2026-07-03", "manual")]
    assert told(diary.orders(), "cycle_starts_on")[-1] == "2026-08-01"
    diary.go("2026-08-02T23:00:00Z")
    assert diary.events("cycle.released_late") == []
    diary.check()
