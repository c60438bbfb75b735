"""A cycle is decided by the facts in force when it fell due, but not before the subscription was known."""

from datetime import timedelta
from typing import Any

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.portal import MONTHLY, WEEKLY, YEARLY


def test_a_first_cycle_that_fell_due_before_we_knew_it_has_the_price_of_the_moment_we_did(diary: Diary) -> None:
    diary.open()
    diary.say("service.upserted", "2026-06-01T07:00:00Z", price_minor=8000, tax=None)
    diary.say("subscription.upserted", "2026-06-01T08:00:00Z")
    diary.go("2026-06-01")
    assert told(diary.invoices(), "total_minor") == [8000]


def test_price_and_rhythm_come_from_one_revision(diary: Diary) -> None:
    """Yearly at 1,200.00 became monthly at 100.00 that morning: nobody pays 1,200.00 for a month."""
    diary.open(service={"price_minor": 120000, "billing_cycle": YEARLY, "tax": None})
    diary.say("service.upserted", "2026-06-01T07:00:00Z", price_minor=10000, billing_cycle=MONTHLY)
    diary.say("subscription.upserted", "2026-06-01T10:00:00Z")
    diary.go("2026-07-01")
    assert told(diary.invoices(), "period_starts_on period_ends_on total_minor") == [
        ("2026-06-01", "2026-07-01", 10000),
        ("2026-07-01", "2026-08-01", 10000),
    ]


def test_a_subscription_told_late_recurs_by_the_service_as_it_was_then(diary: Diary) -> None:
    """The service became weekly after the subscription began, and before we heard of it."""
    diary.open(service={"price_minor": 40000, "tax": None})
    diary.say("service.upserted", "2026-06-10T07:00:00Z", price_minor=10000, billing_cycle=WEEKLY)
    diary.hear(diary.message("subscription.upserted", "2026-06-01T06:00:00Z"))
    diary.go("2026-07-08")
    assert told(diary.invoices(), "period_starts_on period_ends_on total_minor") == [
        ("2026-06-01", "2026-07-01", 40000),
        ("2026-07-01", "2026-07-08", 10000),
        ("2026-07-08", "2026-07-15", 10000),
    ]


def test_of_several_revisions_of_one_instant_the_newest_is_in_force_also_as_the_first(diary: Diary) -> None:
    at = "2026-06-01T08:00:00Z"
    diary.open(at, service={"price_minor": 99, "tax": None})
    diary.say("service.upserted", at, price_minor=10000)
    diary.say("subscription.upserted", at, quantity=9)
    diary.say("subscription.upserted", at, quantity=1)
    diary.go("2026-06-01")
    assert told(diary.invoices(), "total_minor") == [10000]


def test_a_missing_price_is_taken_from_the_service_that_the_subscription_changes_to(diary: Diary) -> None:
    diary.open(service={"price_minor": None, "tax": None})
    diary.say("service.upserted", service_id="other", price_minor=700)
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-05")
    assert diary.invoices() == []
    diary.say("subscription.upserted", "2026-06-06", service_id="other")
    assert told(diary.invoices(), "period_starts_on total_minor") == [("2026-06-01", 700)]


@pytest.mark.parametrize("mended", ["service", "payment"])
def test_a_cycle_blocked_for_its_currency_goes_on_as_its_advice_says(diary: Diary, mended: str) -> None:
    """`send the subscription or the service again with one currency`: either way works."""
    diary.open(service={"tax": None})
    paid: dict[str, Any] = {
        "provider": "sandbox",
        "reference": "pi",
        "amount_minor": 10000,
        "currency": "USD",
        "paid_at": "2026-06-01T06:00:00Z",
    }
    diary.say("subscription.upserted", "2026-06-01", initial_payment=paid)
    assert told(diary.cycles(stream="invoice"), "state reason") == [("blocked", "currency_mismatch")]
    if mended == "service":
        diary.say("service.upserted", "2026-06-02", currency="USD")
    else:
        diary.say("subscription.upserted", "2026-06-02", initial_payment={**paid, "currency": "EUR"})
    currency = "USD" if mended == "service" else "EUR"
    assert told(diary.invoices(), "currency status collected_minor") == [(currency, "paid", 10000)]
    diary.check()


@pytest.mark.parametrize("checkout", ["self_checkout", "manual"])
def test_a_subscription_whose_first_message_says_cancelled_is_never_billed(diary: Diary, checkout: str) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-15", status="cancelled", starts_on="2024-01-01", checkout=checkout)
    diary.go("2026-09-01")
    assert (diary.invoices(), diary.orders(), diary.charges()) == ([], [], [])
    diary.check()


def test_it_is_never_billed_either_when_that_is_said_again(diary: Diary) -> None:
    """A later revision that says cancelled too, with an end or without, does not begin it."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-15", status="cancelled", starts_on="2024-01-01")
    diary.go("2026-06-18")
    diary.say("subscription.upserted", "2026-06-20", quantity=2)
    diary.say("subscription.upserted", "2026-06-21", cancel_on="2026-08-15")
    diary.go("2026-09-01")
    assert (diary.invoices(), diary.orders(), diary.charges()) == ([], [], [])
    diary.check()


@pytest.mark.parametrize("late", [False, True])
def test_the_end_that_a_cancellation_names_counts_in_whatever_order_the_revisions_come(
    diary: Diary, *, late: bool
) -> None:
    diary.open()
    begins = diary.message("subscription.upserted", "2026-05-25", id="a", revision=1, starts_on="2026-06-01")
    ends = {"status": "cancelled", "cancel_on": "2026-08-01", "starts_on": "2026-06-01"}
    cancels = diary.message("subscription.upserted", "2026-05-26", id="b", revision=2, **ends)
    diary.clock.at = diary.moment("2026-05-27T10:00:00Z", None)
    for raw in (cancels, begins) if late else (begins, cancels):
        diary.hear(raw)
        diary.go(diary.clock.at + timedelta(hours=1))
    diary.go("2026-09-10")
    assert told(diary.invoices(), "period_starts_on") == ["2026-06-01", "2026-07-01"]
    diary.check()


def test_bill_from_in_a_later_revision_opens_the_periods_that_were_passed_over(diary: Diary) -> None:
    diary.open(service={"tax": None})
    diary.say("subscription.upserted", "2026-08-15", starts_on="2026-05-10")
    diary.go("2026-08-15")
    assert told(diary.invoices(), "period_starts_on") == ["2026-08-10"]
    diary.say("subscription.upserted", "2026-08-16", bill_from="2026-06-10")
    diary.go("2026-08-16")
    assert sorted(told(diary.invoices(), "period_starts_on")) == ["2026-06-10", "2026-07-10", "2026-08-10"]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-08-10", "2026-06-10", "2026-07-10"]
    diary.check()


def test_bill_from_after_documents_that_exist_is_refused(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-07-02")
    received = diary.say("subscription.upserted", "2026-07-03", bill_from="2026-07-01")
    assert (received.state, received.field) == ("rejected", "data.bill_from")
    assert "2026-06-01" in received.reason


def test_bill_from_in_the_future_is_the_cut_over(diary: Diary) -> None:
    """Until then it is billed elsewhere; the first period of ours is the first that begins on that day or later."""
    diary.open(service={"tax": None})
    diary.say("subscription.upserted", "2026-05-20", starts_on="2026-01-10", bill_from="2026-08-01")
    diary.go("2026-09-10")
    assert told(diary.invoices(), "period_starts_on issued_on") == [
        ("2026-08-10", "2026-08-10"),
        ("2026-09-10", "2026-09-10"),
    ]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-08-10", "2026-09-10"]
    assert {each.reason for each in diary.cycles(stream="invoice") if each.state == "skipped"} == {"before_cut_over"}
    diary.check()


def test_orders_of_a_year_that_was_billed_elsewhere_go_on_from_the_cut_over(diary: Diary) -> None:
    diary.open(service={"billing_cycle": YEARLY, "order_cycle": MONTHLY})
    diary.say("subscription.upserted", "2026-05-20", starts_on="2026-01-01", bill_from="2026-07-01")
    diary.go("2026-08-02")
    assert diary.invoices() == []
    assert told(diary.orders(), "cycle_starts_on") == ["2026-07-01", "2026-08-01"]
    diary.check()


def test_a_cut_over_may_not_lie_within_a_period_that_has_its_document(diary: Diary) -> None:
    """It would say that the whole period was billed elsewhere."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-10")
    received = diary.say("subscription.upserted", "2026-06-11", bill_from="2026-06-20")
    assert (received.state, received.field) == ("rejected", "data.bill_from")
    assert "2026-06-01" in received.reason


@pytest.mark.parametrize("late", [False, True])
def test_cycles_that_wait_before_a_new_cut_over_are_passed_over(diary: Diary, *, late: bool) -> None:
    """There was no price yet. A revision that names no cut-over leaves the one that was named, whichever comes first."""
    diary.open("2026-06-27", service={"price_minor": None, "tax": None})
    diary.say("subscription.upserted", "2026-06-27", starts_on="2026-06-28")
    diary.go("2026-06-28")
    assert told(diary.cycles(stream="invoice"), "state") == ["blocked"]
    named = diary.message("subscription.upserted", "2026-06-29", id="n", revision=2, bill_from="2026-07-20")
    plain = diary.message("subscription.upserted", "2026-06-29", id="p", revision=3, bill_from=None)
    diary.clock.at = diary.moment("2026-06-29T12:00:00Z", None)
    for raw in (plain, named) if late else (named, plain):
        diary.hear(raw)
    diary.say("service.upserted", "2026-06-30", price_minor=700)
    diary.go("2026-07-28")
    assert told(diary.invoices(), "period_starts_on") == ["2026-07-28"]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-07-28"]
    assert {each.reason for each in diary.cycles() if each.state == "skipped"} == {"before_cut_over"}
    diary.check()
