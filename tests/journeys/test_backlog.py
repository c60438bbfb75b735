"""Whatever was missed is created automatically: oldest first, each with its own period, with the facts of its due instant."""

import pytest

from tests.journeys.diary import Diary, told

BROKE = "decline:insufficient_funds"


def test_an_outage_of_three_months_is_made_up_oldest_first_dated_on_the_day_of_issue(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.outage("2026-06-20", "2026-09-20")
    diary.go("2026-09-20")
    assert told(diary.invoices(), "number period_starts_on period_ends_on issued_on status") == [
        ("00001", "2026-06-01", "2026-07-01", "2026-06-01", "paid"),
        ("00002", "2026-07-01", "2026-08-01", "2026-09-20", "paid"),
        ("00003", "2026-08-01", "2026-09-01", "2026-09-20", "paid"),
        ("00004", "2026-09-01", "2026-10-01", "2026-09-20", "paid"),
    ]
    assert told(diary.orders(), "cycle_starts_on cycle_ends_on created_at")[1:] == [
        ("2026-07-01", "2026-08-01", "2026-09-19T22:00Z"),
        ("2026-08-01", "2026-09-01", "2026-09-19T22:00Z"),
        ("2026-09-01", "2026-10-01", "2026-09-19T22:00Z"),
    ]


def held_until_20_august(diary: Diary, backlog: str) -> None:
    diary.open(card=BROKE, agency={"backlog": backlog})
    diary.say("subscription.upserted", "2026-06-01")
    diary.new_card("2026-08-20")


def test_backlog_all_creates_every_held_order_with_its_own_period(diary: Diary) -> None:
    held_until_20_august(diary, "all")
    assert told(diary.invoices(), "period_starts_on status") == [
        ("2026-06-01", "paid"),
        ("2026-07-01", "paid"),
        ("2026-08-01", "paid"),
    ]
    assert told(diary.orders(), "cycle_starts_on cycle_ends_on created_at") == [
        ("2026-06-01", "2026-07-01", "2026-08-20T10:00Z"),
        ("2026-07-01", "2026-08-01", "2026-08-20T10:00Z"),
        ("2026-08-01", "2026-09-01", "2026-08-20T10:00Z"),
    ]


def test_backlog_latest_creates_the_running_periods_order_and_skips_the_older_ones(diary: Diary) -> None:
    held_until_20_august(diary, "latest")
    assert told(diary.invoices(), "status") == ["paid", "paid", "paid"]
    assert told(diary.cycles(stream="order"), "starts_on state reason") == [
        ("2026-06-01", "skipped", "backlog_latest"),
        ("2026-07-01", "skipped", "backlog_latest"),
        ("2026-08-01", "done", None),
    ]
    assert told(diary.orders(), "cycle_starts_on created_at") == [("2026-08-01", "2026-08-20T10:00Z")]


def test_backlog_latest_leaves_what_an_outage_delayed_alone(diary: Diary) -> None:
    diary.open(agency={"backlog": "latest"})
    diary.say("subscription.upserted", "2026-06-01")
    diary.outage("2026-06-20", "2026-09-20")
    diary.go("2026-09-20")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01"]


def test_backlog_latest_leaves_orders_that_only_waited_alone(diary: Diary) -> None:
    diary.open(agency={"backlog": "latest"})
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-07-10")
    diary.say("invoice.paid", "2026-07-11", number="00001")
    diary.say("invoice.paid", "2026-07-11", number="00002")
    assert told(diary.orders(), "cycle_starts_on created_at") == [
        ("2026-06-01", "2026-07-11T10:00Z"),
        ("2026-07-01", "2026-07-11T10:00Z"),
    ]


@pytest.mark.parametrize("down", [False, True])
def test_price_tax_and_quantity_are_those_in_force_when_the_cycle_fell_due(diary: Diary, down: bool) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    if down:
        diary.outage("2026-06-20", "2026-09-20")
    diary.say("service.upserted", "2026-06-25", price_minor=20000)
    diary.say("service.upserted", "2026-07-05", price_minor=30000, tax={"name": "VAT", "rate": "7"})
    diary.say("subscription.upserted", "2026-08-05", quantity=2)
    diary.go("2026-09-20")
    assert told(diary.invoices(), "period_starts_on subtotal_minor tax_minor total_minor") == [
        ("2026-06-01", 10000, 1900, 11900),
        ("2026-07-01", 20000, 3800, 23800),
        ("2026-08-01", 30000, 2100, 32100),
        ("2026-09-01", 60000, 4200, 64200),
    ]
    assert told(diary.charges(), "amount_minor outcome") == [
        (11900, "succeeded"),
        (23800, "succeeded"),
        (32100, "succeeded"),
        (64200, "succeeded"),
    ]


def test_a_price_that_arrives_late_counts_from_its_own_time_but_never_changes_a_document(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-07-05")
    diary.say("service.upserted", "2026-06-25", price_minor=20000)
    diary.go("2026-08-01")
    assert told(diary.invoices(), "period_starts_on total_minor") == [
        ("2026-06-01", 11900),
        ("2026-07-01", 11900),
        ("2026-08-01", 23800),
    ]


def test_the_parties_names_and_the_payment_method_are_those_at_issue(diary: Diary) -> None:
    diary.open(card="decline:stolen_card")
    diary.say("subscription.upserted", "2026-06-05", starts_on="2026-07-01")
    diary.outage("2026-06-20", "2026-07-20")
    diary.say("client.upserted", "2026-07-10", name="Brandt & Partner", email="new@law.example")
    diary.new_card("2026-07-11")
    diary.go("2026-07-20")
    frozen = diary.ask("SELECT snapshot -> 'client' ->> 'name', snapshot -> 'client' ->> 'email' FROM invoices")
    assert frozen == [("Brandt & Partner", "new@law.example")]
    assert told(diary.charges(), "attempt outcome method_revision") == [(1, "succeeded", 2)]
    assert told(diary.notices(), "occasion to") == [("invoice_paid", "new@law.example")]


def test_a_cycle_without_a_price_takes_the_first_later_one_with_the_tax_and_quantity_of_its_due_instant(
    diary: Diary,
) -> None:
    diary.open(service={"price_minor": None})
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-15", quantity=3)
    diary.say("service.upserted", "2026-07-15", tax={"name": "VAT", "rate": "7"})
    diary.go("2026-08-10")
    assert told(diary.cycles(), "stream starts_on state reason") == [
        ("invoice", "2026-06-01", "blocked", "price_missing"),
        ("invoice", "2026-07-01", "blocked", "price_missing"),
        ("invoice", "2026-08-01", "blocked", "price_missing"),
        ("order", "2026-06-01", "waiting", "invoice_blocked"),
        ("order", "2026-07-01", "waiting", "invoice_blocked"),
        ("order", "2026-08-01", "waiting", "invoice_blocked"),
    ]
    diary.say("service.upserted", "2026-08-20", price_minor=10000, tax={"name": "VAT", "rate": "25"})
    diary.say("service.upserted", "2026-08-21", price_minor=99900)
    assert told(diary.invoices(), "period_starts_on issued_on subtotal_minor tax_minor") == [
        ("2026-06-01", "2026-08-20", 10000, 1900),
        ("2026-07-01", "2026-08-20", 30000, 5700),
        ("2026-08-01", "2026-08-20", 30000, 2100),
    ]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01", "2026-08-01"]


def test_a_blocked_cycle_is_told_once_and_creates_nothing_out_of_order(diary: Diary) -> None:
    diary.open(service={"price_minor": None})
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("service.upserted", "2026-06-20", price_minor=None, name="SEO care plus")
    diary.go("2026-06-30")
    assert told(diary.notices(), "occasion audience") == [("cycle_blocked", "agency")]
    assert diary.invoices() == []


def test_dates_of_issue_never_run_backwards_within_a_number_series(diary: Diary) -> None:
    # Kiritimati's 1 July is over before Honolulu's begins; the agency moves between them.
    diary.open(agency={"timezone": "Pacific/Kiritimati"})
    diary.say("subscription.upserted", "2026-06-20T00:00:00Z", starts_on="2026-07-01")
    diary.say("subscription.upserted", "2026-06-20T00:00:00Z", subscription_id="two", starts_on="2026-06-30")
    diary.go("2026-06-30T10:30:00Z")
    diary.say("agency.upserted", "2026-06-30T10:40:00Z", timezone="Pacific/Honolulu")
    late = {"subscription_id": "three", "starts_on": "2026-06-30"}
    diary.say("subscription.upserted", "2026-06-30T10:50:00Z", **late)
    diary.go("2026-06-30T12:00:00Z")
    assert diary.ask("SELECT sequence, subscription_id, issued_on FROM invoices ORDER BY sequence") == [
        (1, "two", "2026-06-30"),
        (2, "sub", "2026-07-01"),
        (3, "three", "2026-07-01"),
    ]


def test_a_new_card_releases_everything_at_once_however_often_the_old_one_was_declined(diary: Diary) -> None:
    """Fifteen declines of one method and amount in 30 days pause that method; a newer revision is a new method."""
    diary.open(card=BROKE)
    for id_ in ("one", "two", "three"):
        diary.say("subscription.upserted", "2026-05-25", subscription_id=id_)
    diary.go("2026-06-16")
    assert told(diary.charges(), "outcome").count("declined") == 15
    diary.new_card("2026-06-17")
    assert told(diary.rows("invoices"), "status") == ["paid", "paid", "paid"]
    assert told(diary.rows("orders"), "cycle_starts_on created_at") == [("2026-06-01", "2026-06-17T10:00Z")] * 3
