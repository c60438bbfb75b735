"""Boundaries counted from the anchor, due at local midnight or at the agency's issue time, in real zones."""

from tests.journeys.diary import Diary, told
from tests.journeys.portal import WEEKLY, YEARLY


def test_a_series_from_the_31st_comes_back_to_the_31st(diary: Diary) -> None:
    diary.open("2026-01-20")
    diary.say("subscription.upserted", "2026-01-31", starts_on="2026-01-31")
    diary.go("2026-05-31")
    assert told(diary.invoices(), "period_starts_on period_ends_on issued_on") == [
        ("2026-01-31", "2026-02-28", "2026-01-31"),
        ("2026-02-28", "2026-03-31", "2026-02-28"),
        ("2026-03-31", "2026-04-30", "2026-03-31"),
        ("2026-04-30", "2026-05-31", "2026-04-30"),
        ("2026-05-31", "2026-06-30", "2026-05-31"),
    ]
    assert told(diary.orders(), "cycle_starts_on") == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
        "2026-05-31",
    ]


def test_a_yearly_series_from_29_february_uses_the_28th_between_leap_years(diary: Diary) -> None:
    diary.open("2024-02-01", service={"billing_cycle": YEARLY})
    diary.say("subscription.upserted", "2024-02-29", starts_on="2024-02-29")
    diary.go("2028-03-01")
    assert told(diary.cycles(stream="invoice"), "starts_on due_at") == [
        ("2024-02-29", "2024-02-28T23:00Z"),
        ("2025-02-28", "2025-02-27T23:00Z"),
        ("2026-02-28", "2026-02-27T23:00Z"),
        ("2027-02-28", "2027-02-27T23:00Z"),
        ("2028-02-29", "2028-02-28T23:00Z"),
    ]


def test_an_issue_time_in_the_gap_moves_forward_and_in_the_fold_is_the_first_of_the_two(diary: Diary) -> None:
    # Europe/Berlin 2026: 02:00 → 03:00 on 29 March, 03:00 → 02:00 on 25 October (EU summer time directive 2000/84/EC).
    diary.open("2026-03-01", agency={"issue_time": "02:30"}, service={"billing_cycle": {"unit": "week", "every": 30}})
    diary.say("subscription.upserted", "2026-03-02", starts_on="2026-03-29")
    diary.go("2026-10-25")
    assert told(diary.invoices(), "period_starts_on issued_on issued_at") == [
        ("2026-03-29", "2026-03-29", "2026-03-29T01:00Z"),
        ("2026-10-25", "2026-10-25", "2026-10-25T00:30Z"),
    ]


def test_midnight_that_does_not_exist_is_the_first_moment_of_that_day(diary: Diary) -> None:
    # Asia/Beirut 2026: clocks go from 00:00 to 01:00 on Sunday 29 March (IANA rule "Lebanon", lastSun March).
    diary.open("2026-03-10", agency={"timezone": "Asia/Beirut"}, service={"billing_cycle": WEEKLY})
    diary.say("subscription.upserted", "2026-03-15", starts_on="2026-03-22")
    diary.go("2026-04-05")
    assert told(diary.cycles(stream="order"), "starts_on due_at state") == [
        ("2026-03-22", "2026-03-21T22:00Z", "done"),
        ("2026-03-29", "2026-03-28T22:00Z", "done"),
        ("2026-04-05", "2026-04-04T21:00Z", "done"),
    ]


def test_every_second_week_crosses_the_turn_of_the_iso_year(diary: Diary) -> None:
    # 2026 has 53 ISO weeks: 2026-W53-1 is 28 December, fourteen days later is 2027-W02-1.
    diary.open("2026-12-01", service={"billing_cycle": {"unit": "week", "every": 2}})
    diary.say("subscription.upserted", "2026-12-14", starts_on="2026-12-14")
    diary.go("2027-01-25")
    assert told(diary.invoices(), "period_starts_on") == ["2026-12-14", "2026-12-28", "2027-01-11", "2027-01-25"]


def test_a_new_time_zone_moves_the_due_instants_that_are_still_ahead(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("agency.upserted", "2026-06-15", timezone="America/New_York")
    diary.go("2026-07-01")
    assert told(diary.invoices(), "period_starts_on issued_on issued_at") == [
        ("2026-06-01", "2026-06-01", "2026-06-01T10:00Z"),
        ("2026-07-01", "2026-07-01", "2026-07-01T04:00Z"),
    ]


def test_agencies_on_both_sides_of_the_date_line_each_live_on_their_own_day(diary: Diary) -> None:
    for agency_id, zone in (("east", "Pacific/Auckland"), ("west", "Pacific/Honolulu")):
        diary.say("agency.upserted", "2026-06-20T00:00:00Z", agency_id=agency_id, timezone=zone)
        diary.say("client.upserted", "2026-06-20T00:00:00Z", agency_id=agency_id)
        diary.say("service.upserted", "2026-06-20T00:00:00Z", agency_id=agency_id)
        diary.say("payment_method.upserted", "2026-06-20T00:00:00Z", agency_id=agency_id)
        sub = {"subscription_id": agency_id, "starts_on": "2026-07-01"}
        diary.say("subscription.upserted", "2026-06-20T00:00:00Z", agency_id=agency_id, **sub)
    diary.go("2026-07-01T12:00:00Z")
    assert told(diary.invoices("east"), "issued_on issued_at") == [("2026-07-01", "2026-06-30T12:00Z")]
    assert told(diary.invoices("west"), "issued_on issued_at") == [("2026-07-01", "2026-07-01T10:00Z")]
