"""A self-checkout: the invoice is paid first, and only then the order of that cycle exists."""

from typing import Any

from tests.journeys.diary import Diary, told


def initial(amount_minor: int, currency: str = "EUR") -> dict[str, Any]:
    paid = {"provider": "sandbox", "reference": "checkout-1", "paid_at": "2026-06-01T09:59:30Z"}
    return {**paid, "amount_minor": amount_minor, "currency": currency}


def test_each_cycle_is_invoiced_charged_sent_as_paid_and_then_ordered(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-07-01")
    assert told(diary.invoices(), "period_starts_on period_ends_on issued_on status total_minor paid_at") == [
        ("2026-06-01", "2026-07-01", "2026-06-01", "paid", 11900, "2026-06-01T10:00Z"),
        ("2026-07-01", "2026-08-01", "2026-07-01", "paid", 11900, "2026-06-30T22:00Z"),
    ]
    assert told(diary.charges(), "invoice_id attempt outcome amount_minor") == [
        ("inv:sub:2026-06-01", 1, "succeeded", 11900),
        ("inv:sub:2026-07-01", 1, "succeeded", 11900),
    ]
    assert told(diary.orders(), "cycle_starts_on created_at") == [
        ("2026-06-01", "2026-06-01T10:00Z"),
        ("2026-07-01", "2026-06-30T22:00Z"),
    ]
    assert told(diary.notices(), "occasion audience invoice_number") == [
        ("invoice_paid", "client", "00001"),
        ("invoice_paid", "client", "00002"),
    ]
    about = [row.type for row in diary.rows("events") if row.subject == "subscription/sub"]
    assert about[:4] == ["invoice.issued", "charge.succeeded", "payment.recorded", "invoice.paid"]
    assert about.index("order.created") == 4


def test_the_order_waits_silently_while_its_payment_is_pending(diary: Diary) -> None:
    diary.open(card="pending:3")
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-03")
    assert told(diary.cycles(stream="order"), "state reason held_at") == [("waiting", "invoice_unpaid", None)]
    assert diary.orders() == diary.notices() == diary.events("cycle.held") == []
    diary.go("2026-06-05")
    assert told(diary.charges(), "attempt outcome") == [(1, "succeeded")]
    order = diary.orders()[0]
    assert (str(order.cycle_starts_on), str(order.cycle_ends_on)) == ("2026-06-01", "2026-07-01")
    assert f"{order.created_at:%Y-%m-%d}" == "2026-06-04"
    assert told(diary.notices(), "occasion audience") == [("invoice_paid", "client")]


def test_a_first_payment_that_the_checkout_took_is_recorded_and_nothing_is_charged(diary: Diary) -> None:
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-06-01", initial_payment=initial(11900))
    assert told(diary.invoices(), "status total_minor collected_minor paid_at") == [
        ("paid", 11900, 11900, "2026-06-01T09:59Z"),
    ]
    assert diary.charges() == []
    assert diary.ask("SELECT source, reference, amount_minor FROM payments") == [("sandbox", "checkout-1", 11900)]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01"]


def test_a_first_payment_below_the_total_leaves_what_is_outstanding_to_be_charged(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", initial_payment=initial(5000))
    assert told(diary.charges(), "attempt outcome amount_minor") == [(1, "succeeded", 6900)]
    assert told(diary.invoices(), "status collected_minor") == [("paid", 11900)]
    diary.go("2026-07-01")
    assert told(diary.charges(), "amount_minor") == [6900, 11900]


def test_a_first_payment_above_the_total_is_surplus_and_told_to_the_agency(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", initial_payment=initial(12000))
    assert told(diary.invoices(), "status collected_minor") == [("paid", 12000)]
    assert told(diary.notices(), "occasion audience") == [("invoice_paid", "client"), ("surplus_payment", "agency")]
    assert diary.charges() == []


def test_a_first_payment_in_another_currency_blocks_the_cycle_naming_both_until_it_is_corrected(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", initial_payment=initial(11900, "USD"))
    blocked = diary.cycles(stream="invoice")[0]
    assert (blocked.state, blocked.reason) == ("blocked", "currency_mismatch")
    assert "USD" in blocked.detail
    assert "EUR" in blocked.detail
    assert told(diary.cycles(stream="order"), "state reason") == [("waiting", "invoice_blocked")]
    assert told(diary.notices(), "occasion audience") == [("cycle_blocked", "agency")]
    diary.go("2026-06-02")
    assert told(diary.notices(), "occasion") == ["cycle_blocked"]
    diary.say("subscription.upserted", "2026-06-03", initial_payment=initial(11900))
    assert told(diary.invoices(), "period_starts_on issued_on status collected_minor") == [
        ("2026-06-01", "2026-06-03", "paid", 11900),
    ]
    assert told(diary.orders(), "cycle_starts_on created_at") == [("2026-06-01", "2026-06-03T10:00Z")]


def test_collection_by_hand_of_a_self_checkout_asks_the_client_and_orders_once_paid(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-09")
    assert told(diary.notices(), "occasion audience") == [("invoice_open", "client")]
    assert told(diary.cycles(stream="order"), "state") == ["waiting"]
    diary.say("invoice.paid", "2026-06-10", number="00001")
    assert told(diary.orders(), "cycle_starts_on created_at") == [("2026-06-01", "2026-06-10T10:00Z")]
    assert diary.charges() == []


def renewed(diary: Diary, renewal: str) -> None:
    diary.open(service={"renewal": renewal})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-08-01")


def test_renewal_by_a_new_order_creates_one_a_cycle(diary: Diary) -> None:
    renewed(diary, "new_order")
    assert told(diary.orders(), "order_id") == ["ord:sub:2026-06-01", "ord:sub:2026-07-01", "ord:sub:2026-08-01"]


def test_renewal_by_update_moves_the_first_order_to_the_running_period(diary: Diary) -> None:
    renewed(diary, "update_order")
    assert told(diary.orders(), "order_id cycle_starts_on renewed_starts_on renewed_ends_on renewed_at") == [
        ("ord:sub:2026-06-01", "2026-06-01", "2026-08-01", "2026-09-01", "2026-07-31T22:00Z"),
    ]
    assert told(diary.cycles(stream="order"), "state order_id") == [("done", "ord:sub:2026-06-01")] * 3
    assert len(diary.events("order.renewed")) == 2


def test_renewal_by_keep_leaves_the_first_order_alone(diary: Diary) -> None:
    renewed(diary, "keep_order")
    assert told(diary.orders(), "order_id renewed_starts_on") == [("ord:sub:2026-06-01", None)]
    assert told(diary.cycles(stream="order"), "state order_id") == [("done", "ord:sub:2026-06-01")] * 3
    assert told(diary.invoices(), "status") == ["paid", "paid", "paid"]
