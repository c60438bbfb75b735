"""Which cycles a schedule should have by now."""

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.planning import Limits, Planned, Rhythm, Schedule, catch_up, change_recurrence, plan
from tests.domain.facts_of import at, on


def schedule(**changes: Any) -> Schedule:
    """Monthly from 31 January, nothing planned yet."""
    base = Schedule(
        agency_id="ag",
        subscription_id="sub",
        stream="invoice",
        anchor_on=on("2026-01-31"),
        anchor_index=0,
        unit="month",
        every=1,
        epoch=0,
        next_index=0,
        next_at=at("2026-01-31"),
        planned_until=on("2026-01-31"),
        stopped_reason=None,
        resumed_index=0,
    )
    return base._replace(**changes)


def limits(**changes: Any) -> Limits:
    return Limits(
        timezone="UTC",
        issue_time=time(0),
        known_on=on("2026-01-01"),
        cancel_on=None,
        cancel_effective_at=None,
        ended_at=None,
    )._replace(**changes)


def test_every_boundary_that_has_come_is_a_cycle_with_its_own_period() -> None:
    """A gap of three months gives three cycles, counted from the anchor."""
    planned, after = plan(schedule(), limits(), at("2026-04-29"))
    assert planned == [
        Planned(
            cycle_index=0, starts_on=on("2026-01-31"), ends_on=on("2026-02-28"), due_at=at("2026-01-31"), skipped=None
        ),
        Planned(
            cycle_index=1, starts_on=on("2026-02-28"), ends_on=on("2026-03-31"), due_at=at("2026-02-28"), skipped=None
        ),
        Planned(
            cycle_index=2, starts_on=on("2026-03-31"), ends_on=on("2026-04-30"), due_at=at("2026-03-31"), skipped=None
        ),
    ]
    assert (after.next_index, after.next_at, after.planned_until) == (3, at("2026-04-30"), on("2026-04-30"))


def test_nothing_is_planned_before_its_instant() -> None:
    planned, after = plan(schedule(), limits(), at("2026-01-30T23:59"))
    assert planned == []
    assert after == schedule()


def test_a_boundary_is_due_at_the_agencys_own_hour() -> None:
    planned, _ = plan(schedule(), limits(timezone="Europe/Berlin", issue_time=time(9)), at("2026-02-28T07:59"))
    assert [each.due_at for each in planned] == [at("2026-01-31T08:00")]


def test_far_behind_it_plans_36_a_pass_oldest_first_and_goes_on_where_it_stopped() -> None:
    daily = schedule(anchor_on=on("2026-01-01"), unit="day", planned_until=on("2026-01-01"), next_at=at("2026-01-01"))
    first, after = plan(daily, limits(), at("2026-03-01"))
    second, done = plan(after, limits(), at("2026-03-01"))
    assert [len(first), len(second)] == [36, 24]
    assert first[0].starts_on == on("2026-01-01")
    assert second[0].starts_on == first[-1].ends_on == on("2026-02-06")
    assert (after.next_at, done.next_at) == (at("2026-02-06"), at("2026-03-02"))


def test_a_series_ends_at_its_cancel_date_and_says_why() -> None:
    """Cycles that start on or after it never come to be; the schedule stops."""
    over = limits(cancel_on=on("2026-03-31"), cancel_effective_at=at("2026-02-01"))
    planned, after = plan(schedule(), over, at("2026-12-01"))
    assert [each.starts_on for each in planned] == [on("2026-01-31"), on("2026-02-28")]
    assert (after.next_at, after.stopped_reason, after.next_index) == (None, "subscription_cancelled", 2)
    assert after.planned_until == on("2026-03-31")


def test_a_cancellation_that_became_true_later_leaves_what_fell_due_before() -> None:
    over = limits(cancel_on=on("2026-02-28"), cancel_effective_at=at("2026-03-15"))
    planned, after = plan(schedule(), over, at("2026-12-01"))
    assert [each.starts_on for each in planned] == [on("2026-01-31"), on("2026-02-28")]
    assert after.stopped_reason == "subscription_cancelled"


def test_an_ended_subscription_gets_no_cycle_from_that_moment_on() -> None:
    """One that fell due at that very moment is not touched."""
    planned, after = plan(schedule(), limits(ended_at=at("2026-02-27")), at("2026-12-01"))
    assert [each.starts_on for each in planned] == [on("2026-01-31")]
    planned, _ = plan(schedule(), limits(ended_at=at("2026-02-28")), at("2026-12-01"))
    assert [each.starts_on for each in planned] == [on("2026-01-31"), on("2026-02-28")]
    assert after.next_at is None


@pytest.mark.parametrize(
    ("known_on", "skipped"),
    [
        ("2026-01-01", [None, None, None]),
        ("2026-02-27", [None, None, None]),  # the running period is billed
        ("2026-02-28", ["before_known", None, None]),  # ended exactly when we learned of it
        ("2026-03-30", ["before_known", None, None]),
        ("2026-03-31", ["before_known", "before_known", None]),
    ],
)
def test_periods_that_ended_before_we_knew_are_skipped(known_on: str, skipped: list[str | None]) -> None:
    planned, _ = plan(schedule(), limits(known_on=on(known_on)), at("2026-04-01"))
    assert [each.skipped for each in planned] == skipped


def test_a_new_recurrence_begins_at_the_next_boundary_which_becomes_the_anchor() -> None:
    _, after = plan(schedule(), limits(), at("2026-03-15"))
    weekly = change_recurrence(after, "week", 2)
    assert (weekly.anchor_on, weekly.anchor_index, weekly.epoch) == (on("2026-03-31"), 2, 1)
    planned, _ = plan(weekly, limits(), at("2026-04-20"))
    assert [(each.cycle_index, each.starts_on, each.ends_on) for each in planned] == [
        (2, on("2026-03-31"), on("2026-04-14")),
        (3, on("2026-04-14"), on("2026-04-28")),
    ]


def test_a_stream_without_an_anchor_takes_a_new_recurrence_as_it_is() -> None:
    waiting = schedule(anchor_on=None, next_at=None, planned_until=None)
    assert change_recurrence(waiting, "year", 1) == waiting._replace(unit="year", every=1)
    with pytest.raises(ValueError, match="no anchor"):
        waiting.boundary(0)


@given(
    st.dates(date(2000, 1, 1), date(2030, 12, 31)),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 5),
    st.lists(st.integers(0, 400), min_size=1, max_size=5),
)
def test_however_often_it_is_asked_periods_neither_overlap_nor_leave_a_gap(
    anchor: date, unit: Any, every: int, pauses: list[int]
) -> None:
    """Planned in any number of passes at any moments, the cycles follow each other from the anchor on."""
    moment = at(anchor.isoformat())
    current = schedule(anchor_on=anchor, unit=unit, every=every, next_at=moment, planned_until=anchor)
    ends_on, index = anchor, 0
    for days in pauses:
        moment = at(date.fromordinal(moment.date().toordinal() + days).isoformat())
        planned, current = plan(current, limits(), moment)
        for each in planned:
            assert (each.cycle_index, each.starts_on) == (index, ends_on)
            assert each.due_at <= moment
            ends_on, index = each.ends_on, index + 1
        assert (current.next_index, current.planned_until) == (index, ends_on)


DAILY = {"anchor_on": on("1970-01-01"), "unit": "day", "planned_until": on("1970-01-01"), "next_at": at("1970-01-01")}


def test_many_periods_before_we_knew_are_one_row_that_can_be_split_again() -> None:
    """From 1 January 1970 to 1 January 2026 there are 20,454 days; what comes after is planned as ever."""
    planned, after = catch_up(schedule(**DAILY), limits(), at("2026-01-02"))
    rhythm = Rhythm(on("1970-01-01"), 0, "day", 1)
    assert planned == [
        Planned(
            cycle_index=0,
            starts_on=on("1970-01-01"),
            ends_on=on("2026-01-01"),
            due_at=at("1970-01-01"),
            skipped="before_known",
            periods=20454,
            rhythm=rhythm,
        ),
        Planned(
            cycle_index=20454,
            starts_on=on("2026-01-01"),
            ends_on=on("2026-01-02"),
            due_at=at("2026-01-01"),
            skipped=None,
        ),
        Planned(
            cycle_index=20455,
            starts_on=on("2026-01-02"),
            ends_on=on("2026-01-03"),
            due_at=at("2026-01-02"),
            skipped=None,
        ),
    ]
    assert (after.next_index, after.planned_until) == (20456, on("2026-01-03"))
    assert Rhythm.of(rhythm.text()) == rhythm


@pytest.mark.parametrize(
    ("bounds", "moment", "ends_on", "stopped"),
    [
        ({"known_on": on("2026-01-01")}, "2020-05-05", "2020-05-06", None),  # no further than what has fallen due
        ({"cancel_on": on("1999-03-01"), "cancel_effective_at": at("1998-01-01")}, "2026-01-02", "1999-03-01", "yes"),
        ({"ended_at": at("1999-02-28")}, "2026-01-02", "1999-03-01", "yes"),
    ],
)
def test_the_row_ends_where_the_series_does(
    bounds: dict[str, Any], moment: str, ends_on: str, stopped: str | None
) -> None:
    planned, after = catch_up(schedule(**DAILY), limits(**bounds), at(moment))
    assert [(each.starts_on, each.ends_on) for each in planned] == [(on("1970-01-01"), on(ends_on))]
    assert (after.stopped_reason is not None) is (stopped is not None)


@given(
    st.dates(date(1990, 1, 1), date(2025, 12, 31)),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 3),
    st.integers(0, 20000),
)
def test_one_row_says_what_the_rows_of_its_periods_would(anchor: date, unit: Any, every: int, days: int) -> None:
    """The same series planned one by one, at the same moment, with everything skipped up to the same date."""
    moment = at(date.fromordinal(anchor.toordinal() + days).isoformat())
    begin = schedule(anchor_on=anchor, unit=unit, every=every, next_at=at(anchor.isoformat()), planned_until=anchor)
    one_by_one, expected = plan(begin, limits(), moment, 10**9)
    caught, after = catch_up(begin, limits(), moment)
    while after.next_at is not None and after.next_at <= moment:
        more, after = catch_up(after, limits(), moment)
        caught += more
    assert after == expected
    told = [
        (index, starts_on, row.skipped)
        for row in caught
        for index in range(row.cycle_index, row.cycle_index + row.periods)
        for starts_on in [begin.boundary(index)]
    ]
    assert told == [(each.cycle_index, each.starts_on, each.skipped) for each in one_by_one]
    assert [row.ends_on for row in caught[:-1]] == [row.starts_on for row in caught[1:]]
