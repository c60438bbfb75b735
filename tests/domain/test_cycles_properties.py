"""What holds for every recurrence, zone and date, compared with the standard library's own calendar and zone reader."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.calendar import Recurrence, due_at, instant, local_date, local_time_of, zone_names

dates = st.dates(date(1900, 1, 1), date(2200, 12, 31))
indices = st.integers(-1_000, 1_000)
recurrences = st.one_of(
    st.builds(Recurrence, dates, st.just("day"), st.integers(1, 400)),
    st.builds(Recurrence, dates, st.just("week"), st.integers(1, 60)),
    st.builds(Recurrence, dates, st.just("month"), st.integers(1, 18)),
    st.builds(Recurrence, dates, st.just("year"), st.integers(1, 1)),
)
monthly = st.builds(Recurrence, dates, st.sampled_from(["month", "year"]), st.integers(1, 18))
days_only = st.builds(Recurrence, dates, st.sampled_from(["day", "week"]), st.integers(1, 60))

# Zones with midnight gaps, midnight repeats, missing days, half-hour, two-hour and "negative" summer times.
awkward_zones = st.sampled_from(
    [
        "Africa/Cairo",
        "Africa/Casablanca",
        "America/Havana",
        "America/Sao_Paulo",
        "America/Scoresbysund",
        "Antarctica/Troll",
        "Asia/Beirut",
        "Asia/Gaza",
        "Asia/Kathmandu",
        "Atlantic/Azores",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Europe/Dublin",
        "Pacific/Apia",
        "Pacific/Kwajalein",
    ]
)
zones = st.one_of(awkward_zones, st.sampled_from(sorted(zone_names())))
modern_dates = st.dates(date(1970, 1, 2), date(2100, 12, 31))
times = st.times()
instants = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))  # 1970 to 2096

_read: dict[str, ZoneInfo] = {}


def read_by_stdlib(zone: str) -> ZoneInfo:
    """The same tz database, read by the standard library instead."""
    if zone not in _read:
        with (files("tzdata") / "zoneinfo").joinpath(*zone.split("/")).open("rb") as stream:
            _read[zone] = ZoneInfo.from_file(stream, key=zone)
    return _read[zone]


def shown(at: datetime, zone: str) -> datetime:
    """What clocks in ``zone`` show at ``at``, by the standard library."""
    return at.astimezone(read_by_stdlib(zone)).replace(tzinfo=None, fold=0)


@given(recurrences, indices)
def test_boundaries_strictly_increase(recurrence: Recurrence, index: int) -> None:
    assert recurrence.boundary(index) < recurrence.boundary(index + 1)


@given(recurrences)
def test_boundary_0_is_the_anchor(recurrence: Recurrence) -> None:
    assert recurrence.boundary(0) == recurrence.anchor_on


@given(recurrences, indices)
def test_lookup_inverts_the_boundary(recurrence: Recurrence, index: int) -> None:
    """A boundary belongs to the period it begins; the day before belongs to the period before."""
    begins_on = recurrence.boundary(index)
    day_before = begins_on - timedelta(days=1)
    assert recurrence.index_at(begins_on) == index
    assert recurrence.first_on_or_after(begins_on) == index
    assert recurrence.index_at(day_before) == index - 1
    assert recurrence.first_on_or_after(begins_on + timedelta(days=1)) == index + 1


@given(recurrences, dates)
@example(Recurrence(date(2023, 1, 31), "month", 1), date(2023, 2, 28))
@example(Recurrence(date(2024, 2, 29), "year", 1), date(2025, 2, 28))
def test_every_date_lies_in_the_one_period_found_for_it(recurrence: Recurrence, on: date) -> None:
    index = recurrence.index_at(on)
    assert recurrence.boundary(index) <= on < recurrence.boundary(index + 1)


@given(recurrences, dates)
def test_the_next_boundary_is_the_nearest(recurrence: Recurrence, on: date) -> None:
    index = recurrence.first_on_or_after(on)
    assert recurrence.boundary(index - 1) < on <= recurrence.boundary(index)


@given(monthly, st.integers(-90, 90))
@example(Recurrence(date(2023, 1, 31), "month", 1), 2)
@example(Recurrence(date(2024, 2, 29), "year", 1), 4)
def test_months_never_drift(recurrence: Recurrence, index: int) -> None:
    """Right month, and the anchor's day or, in a shorter month, its last: compared with the standard library's
    calendar, walking month by month."""
    anchor = recurrence.anchor_on
    months = index * recurrence.every * {"month": 1, "year": 12}[recurrence.unit]
    year, month = anchor.year, anchor.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month == 13:
            year, month = year + 1, 1
        if month == 0:
            year, month = year - 1, 12
    boundary = recurrence.boundary(index)
    assert (boundary.year, boundary.month) == (year, month)
    assert boundary.day == min(anchor.day, calendar.monthrange(year, month)[1])


@given(days_only, indices)
def test_days_and_weeks_are_counted_in_days(recurrence: Recurrence, index: int) -> None:
    step = recurrence.every * {"day": 1, "week": 7}[recurrence.unit]
    assert recurrence.boundary(index) - recurrence.anchor_on == timedelta(days=step * index)


@given(st.builds(Recurrence, dates, st.just("week"), st.integers(1, 60)), indices)
def test_weekly_boundaries_keep_the_weekday(recurrence: Recurrence, index: int) -> None:
    assert recurrence.boundary(index).isoweekday() == recurrence.anchor_on.isoweekday()


@given(modern_dates, times, zones)
@example(date(2011, 12, 30), time(12), "Pacific/Apia")
@example(date(2018, 11, 4), time(0), "America/Sao_Paulo")
@example(date(2024, 11, 3), time(0, 30), "America/Havana")
def test_an_instant_is_the_first_at_which_the_clock_has_reached_the_local_time(on: date, at: time, zone: str) -> None:
    """One rule for ordinary times, gaps and repeats; the clock is the standard library's."""
    found = instant(on, at, zone)
    wanted = datetime.combine(on, at)
    assert shown(found, zone) >= wanted
    assert shown(found - timedelta(microseconds=1), zone) < wanted


@given(modern_dates, times, zones)
def test_a_local_time_that_exists_is_shown_exactly(on: date, at: time, zone: str) -> None:
    """Reading the clock at the found instant gives the time asked for, unless the standard library too says that the
    time does not exist."""
    found = instant(on, at, zone)
    wanted = datetime.combine(on, at)
    round_trip = shown(wanted.replace(tzinfo=read_by_stdlib(zone)).astimezone(UTC), zone)
    if round_trip == wanted:
        assert datetime.combine(local_date(found, zone), local_time_of(found, zone)) == wanted
    else:
        assert shown(found, zone) > wanted


@given(modern_dates, st.integers(0, 3), times, zones)
@example(date(2011, 12, 29), 1, time(0), "Pacific/Apia")
@example(date(2011, 12, 30), 1, time(0), "Pacific/Apia")
def test_due_instants_never_go_back(on: date, days: int, issue_time: time, zone: str) -> None:
    later_on = on + timedelta(days=days)
    assert due_at(on, zone, issue_time) <= due_at(later_on, zone, issue_time)


@given(instants, zones)
def test_local_date_and_time_are_the_standard_library_s(at: datetime, zone: str) -> None:
    expected = shown(at, zone)
    assert local_date(at, zone) == expected.date()
    assert local_time_of(at, zone) == expected.time()


@given(instants, zones)
def test_what_starts_today_is_due_all_day(at: datetime, zone: str) -> None:
    """At every instant at which a zone's calendars show a date, the cycle that starts on it has fallen due."""
    assert due_at(local_date(at, zone), zone) <= at
