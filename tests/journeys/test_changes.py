"""Pause, cancel, a new recurrence, a new start: what each means for cycles planned, running and held."""

import pytest

from tests.journeys.diary import Diary, told

BROKE = "decline:insufficient_funds"
QUARTERLY = {"unit": "month", "every": 3}


@pytest.mark.parametrize("down", [False, True])
def test_pause_skips_the_cycles_due_meanwhile_and_resume_goes_on_from_the_anchor(diary: Diary, down: bool) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    if down:
        diary.outage("2026-06-05", "2026-09-05")
    diary.say("subscription.upserted", "2026-06-10", status="paused")
    diary.say("subscription.upserted", "2026-07-20", status="active")
    diary.go("2026-09-05")
    for stream in ("order", "invoice"):
        assert told(diary.cycles(stream=stream), "starts_on state reason") == [
            ("2026-06-01", "done", None),
            ("2026-07-01", "skipped", "paused"),
            ("2026-08-01", "done", None),
            ("2026-09-01", "done", None),
        ]
    assert told(diary.invoices(), "period_starts_on cycle_index status") == [
        ("2026-06-01", 0, "paid"),
        ("2026-08-01", 2, "paid"),
        ("2026-09-01", 3, "paid"),
    ]


@pytest.mark.parametrize("down", [False, True])
def test_cancel_without_a_date_keeps_the_running_order_and_ends_the_series(diary: Diary, down: bool) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    if down:
        diary.outage("2026-06-05", "2026-09-05")
    diary.say("subscription.upserted", "2026-07-10", status="cancelled")
    diary.go("2026-10-05")
    assert told(diary.orders(), "cycle_starts_on cycle_ends_on") == [
        ("2026-06-01", "2026-07-01"),
        ("2026-07-01", "2026-08-01"),
    ]
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "paid"), ("2026-07-01", "paid")]
    assert {row.state for row in diary.cycles()} == {"done"}


def test_cancel_on_a_later_date_lets_the_cycles_before_it_live(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", status="cancelled", cancel_on="2026-08-01")
    diary.go("2026-09-05")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01"]


def test_cancel_on_the_day_after_a_boundary_still_has_that_cycle(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", status="cancelled", cancel_on="2026-07-02")
    diary.go("2026-09-05")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01"]


def test_a_cancel_that_arrives_late_leaves_the_documents_made_before_it_arrived(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-07-05")
    diary.say("subscription.upserted", "2026-06-25", status="cancelled")
    diary.go("2026-09-05")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01"]
    assert told(diary.invoices(), "status") == ["paid", "paid"]


def test_a_cancel_that_arrives_late_ends_an_order_that_is_still_held_and_began_after_it(diary: Diary) -> None:
    diary.open(card=BROKE)
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-07-05")
    diary.say("subscription.upserted", "2026-06-25", status="cancelled")
    assert told(diary.cycles(stream="order"), "starts_on state reason") == [
        ("2026-06-01", "held", "payment_failed"),
        ("2026-07-01", "cancelled", "subscription_cancelled"),
    ]


def test_held_orders_from_before_the_cancel_live_on_and_are_created_when_paid(diary: Diary) -> None:
    diary.open(card=BROKE)
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-07-10", status="cancelled")
    diary.new_card("2026-07-15")
    diary.go("2026-08-05")
    assert told(diary.orders(), "cycle_starts_on created_at") == [
        ("2026-06-01", "2026-07-15T10:00Z"),
        ("2026-07-01", "2026-07-15T10:00Z"),
    ]


def test_a_cancel_taken_back_goes_on_from_the_anchor_and_the_cycle_between_stays_cancelled(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", status="cancelled")
    diary.go("2026-07-20")
    diary.say("subscription.upserted", "2026-07-20T10:00:00Z", status="active")
    diary.go("2026-08-05")
    assert told(diary.cycles(stream="invoice"), "starts_on state reason") == [
        ("2026-06-01", "done", None),
        ("2026-07-01", "cancelled", "subscription_cancelled"),
        ("2026-08-01", "done", None),
    ]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-08-01"]


def test_a_cancel_taken_back_before_it_took_effect_changes_nothing(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", status="cancelled", cancel_on="2026-07-01")
    diary.say("subscription.upserted", "2026-06-20", status="active", cancel_on=None)
    diary.go("2026-07-05")
    assert told(diary.cycles(), "stream starts_on state") == [
        ("invoice", "2026-06-01", "done"),
        ("invoice", "2026-07-01", "done"),
        ("order", "2026-06-01", "done"),
        ("order", "2026-07-01", "done"),
    ]


@pytest.mark.parametrize("down", [False, True])
def test_a_new_recurrence_takes_effect_at_the_next_boundary_which_becomes_the_anchor(diary: Diary, down: bool) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    if down:
        diary.outage("2026-06-20", "2026-09-20")
    diary.say("service.upserted", "2026-07-15", billing_cycle=QUARTERLY)
    diary.go("2026-11-05")
    assert told(diary.invoices(), "cycle_index period_starts_on period_ends_on") == [
        (0, "2026-06-01", "2026-07-01"),
        (1, "2026-07-01", "2026-08-01"),
        (2, "2026-08-01", "2026-11-01"),
        (3, "2026-11-01", "2027-02-01"),
    ]
    assert told(diary.orders(), "cycle_starts_on cycle_ends_on") == [
        ("2026-06-01", "2026-07-01"),
        ("2026-07-01", "2026-08-01"),
        ("2026-08-01", "2026-11-01"),
        ("2026-11-01", "2027-02-01"),
    ]


def test_a_new_unit_of_a_month_end_series_counts_from_the_boundary_it_starts_at(diary: Diary) -> None:
    diary.open("2026-01-01")
    diary.say("subscription.upserted", "2026-01-31", starts_on="2026-01-31")
    diary.say("service.upserted", "2026-02-10", billing_cycle={"unit": "week", "every": 2})
    diary.go("2026-03-20")
    assert told(diary.cycles(stream="invoice"), "starts_on ends_on") == [
        ("2026-01-31", "2026-02-28"),
        ("2026-02-28", "2026-03-14"),
        ("2026-03-14", "2026-03-28"),
    ]


def test_two_changes_of_recurrence_within_an_outage_each_count_from_their_own_time(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.outage("2026-06-20", "2026-10-05")
    diary.say("service.upserted", "2026-06-25", billing_cycle={"unit": "week", "every": 1})
    diary.say("service.upserted", "2026-07-10", billing_cycle={"unit": "month", "every": 1})
    diary.go("2026-10-05")
    assert told(diary.cycles(stream="invoice"), "starts_on ends_on") == [
        ("2026-06-01", "2026-07-01"),
        ("2026-07-01", "2026-07-08"),
        ("2026-07-08", "2026-07-15"),
        ("2026-07-15", "2026-08-15"),
        ("2026-08-15", "2026-09-15"),
        ("2026-09-15", "2026-10-15"),
    ]


def test_a_late_message_does_not_bring_an_older_recurrence_back(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("service.upserted", "2026-06-20", billing_cycle=QUARTERLY)
    diary.go("2026-07-05")
    diary.say("subscription.upserted", "2026-06-10", quantity=2)
    diary.go("2026-10-05")
    assert told(diary.invoices(), "period_starts_on period_ends_on total_minor") == [
        ("2026-06-01", "2026-07-01", 11900),
        ("2026-07-01", "2026-10-01", 11900),
        ("2026-10-01", "2027-01-01", 23800),
    ]


def test_a_change_of_service_prices_and_recurs_by_the_new_one(diary: Diary) -> None:
    diary.open()
    diary.say("service.upserted", "2026-05-21", service_id="ads", price_minor=50000, billing_cycle=QUARTERLY)
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", service_id="ads")
    diary.go("2026-10-05")
    assert told(diary.invoices(), "period_starts_on period_ends_on total_minor") == [
        ("2026-06-01", "2026-07-01", 11900),
        ("2026-07-01", "2026-10-01", 59500),
        ("2026-10-01", "2027-01-01", 59500),
    ]


def test_the_start_moves_while_nothing_has_a_document(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-10", starts_on="2026-07-01")
    diary.say("subscription.upserted", "2026-06-20", starts_on="2026-07-15")
    diary.go("2026-08-20")
    assert told(diary.cycles(), "stream index starts_on") == [
        ("invoice", 0, "2026-07-15"),
        ("invoice", 1, "2026-08-15"),
        ("order", 0, "2026-07-15"),
        ("order", 1, "2026-08-15"),
    ]


def test_the_start_moves_also_over_cycles_that_are_planned_but_have_no_document_yet(diary: Diary) -> None:
    diary.open(service={"price_minor": None})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-02")
    diary.say("subscription.upserted", "2026-06-03", starts_on="2026-06-10")
    diary.say("service.upserted", "2026-06-04", price_minor=10000)
    diary.go("2026-06-12")
    assert told(diary.cycles(), "stream starts_on state") == [
        ("invoice", "2026-06-10", "done"),
        ("order", "2026-06-10", "done"),
    ]


def test_the_start_is_fixed_once_the_first_cycle_has_a_document(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01")
    received = diary.say("subscription.upserted", "2026-06-05", starts_on="2026-06-10", quantity=5)
    assert (received.state, received.field) == ("rejected", "data.starts_on")
    assert "2026-06-01" in received.reason
    diary.go("2026-07-01")
    assert told(diary.invoices(), "period_starts_on total_minor") == [("2026-06-01", 11900), ("2026-07-01", 11900)]


def test_the_kind_of_checkout_never_changes(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    received = diary.say("subscription.upserted", "2026-06-05", checkout="manual")
    assert (received.state, received.field) == ("rejected", "data.checkout")
