"""The boundaries of a recurrence, case by case.

Expected dates follow the Gregorian calendar; weeks are those of ISO 8601, which begin on Monday, and week 1 holds the
year's first Thursday.
"""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import FrameType
from typing import Any

import pytest

from shared.domain import calendar
from shared.domain.calendar import Recurrence, Unit


def on(text: str) -> date:
    return date.fromisoformat(text)


BOUNDARIES: list[tuple[str, str, Unit, int, int, list[str]]] = [
    # (what, anchor, unit, every, first index, boundaries)
    ("31st, common year", "2023-01-31", "month", 1, 0, ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"]),
    ("31st, leap year", "2024-01-31", "month", 1, 0, ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
    ("31st, a year later", "2023-01-31", "month", 1, 12, ["2024-01-31", "2024-02-29", "2024-03-31"]),
    ("30th", "2023-01-30", "month", 1, 0, ["2023-01-30", "2023-02-28", "2023-03-30", "2023-04-30", "2023-05-30"]),
    ("29th, common year", "2023-01-29", "month", 1, 0, ["2023-01-29", "2023-02-28", "2023-03-29"]),
    ("29th, leap year", "2024-01-29", "month", 1, 0, ["2024-01-29", "2024-02-29", "2024-03-29"]),
    ("28th stays the 28th", "2023-02-28", "month", 1, 0, ["2023-02-28", "2023-03-28", "2023-04-28"]),
    ("leap day monthly", "2024-02-29", "month", 1, 0, ["2024-02-29", "2024-03-29", "2024-04-29"]),
    ("across the year end", "2023-11-30", "month", 1, 0, ["2023-11-30", "2023-12-30", "2024-01-30", "2024-02-29"]),
    ("quarterly month end", "2023-08-31", "month", 3, 0, ["2023-08-31", "2023-11-30", "2024-02-29", "2024-05-31"]),
    ("half-yearly", "2023-08-31", "month", 6, 0, ["2023-08-31", "2024-02-29", "2024-08-31", "2025-02-28"]),
    ("every 13 months", "2023-01-31", "month", 13, 0, ["2023-01-31", "2024-02-29", "2025-03-31", "2026-04-30"]),
    ("before the anchor", "2023-03-31", "month", 1, -3, ["2022-12-31", "2023-01-31", "2023-02-28", "2023-03-31"]),
    (
        "leap day yearly",
        "2024-02-29",
        "year",
        1,
        0,
        ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
    ),
    ("leap day over 2100, no leap year", "2096-02-29", "year", 4, 0, ["2096-02-29", "2100-02-28", "2104-02-29"]),
    ("leap day over 2000, a leap year", "1996-02-29", "year", 4, 0, ["1996-02-29", "2000-02-29", "2004-02-29"]),
    ("1 March yearly", "2023-03-01", "year", 1, 0, ["2023-03-01", "2024-03-01", "2025-03-01"]),
    ("every other year", "2023-07-15", "year", 2, -1, ["2021-07-15", "2023-07-15", "2025-07-15"]),
    ("30 days, not a month", "2024-01-31", "day", 30, 0, ["2024-01-31", "2024-03-01", "2024-03-31", "2024-04-30"]),
    ("daily over a leap day", "2024-02-28", "day", 1, 0, ["2024-02-28", "2024-02-29", "2024-03-01"]),
    ("daily over a common February", "2023-02-28", "day", 1, 0, ["2023-02-28", "2023-03-01"]),
    # Mondays. 2020 and 2026 have 53 ISO weeks: 28 Dec 2020 is 2020-W53-1, 4 Jan 2021 is 2021-W01-1.
    ("weekly from 2020-W52", "2020-12-21", "week", 1, 0, ["2020-12-21", "2020-12-28", "2021-01-04", "2021-01-11"]),
    ("weekly from 2026-W52", "2026-12-21", "week", 1, 0, ["2026-12-21", "2026-12-28", "2027-01-04", "2027-01-11"]),
    # 2024 has 52 ISO weeks: 30 Dec 2024 is already 2025-W01-1.
    ("weekly from 2024-W52", "2024-12-23", "week", 1, 0, ["2024-12-23", "2024-12-30", "2025-01-06"]),
    # Odd weeks do not stay odd after a year of 53: 2020-W51, W53, then 2021-W02.
    ("fortnightly over W53", "2020-12-14", "week", 2, 0, ["2020-12-14", "2020-12-28", "2021-01-11"]),
    ("Sunday weekly", "2015-12-27", "week", 1, 0, ["2015-12-27", "2016-01-03", "2016-01-10"]),  # 2015-W52-7, W53-7
    ("52 weeks, not a year", "2020-01-06", "week", 52, 0, ["2020-01-06", "2021-01-04", "2022-01-03"]),
]


@pytest.mark.parametrize(
    ("anchor", "unit", "every", "first", "expected"), [c[1:] for c in BOUNDARIES], ids=[c[0] for c in BOUNDARIES]
)
def test_boundaries_are_the_calendar_s(anchor: str, unit: Unit, every: int, first: int, expected: list[str]) -> None:
    recurrence = Recurrence(on(anchor), unit, every)
    assert [recurrence.boundary(first + n).isoformat() for n in range(len(expected))] == expected
    assert [recurrence.index_at(on(text)) for text in expected] == [first + n for n in range(len(expected))]
    assert [recurrence.first_on_or_after(on(text)) for text in expected] == [first + n for n in range(len(expected))]


@pytest.mark.parametrize(
    ("index", "week"),
    [(0, (2020, 52, 1)), (1, (2020, 53, 1)), (2, (2021, 1, 1)), (53, (2021, 52, 1)), (54, (2022, 1, 1))],
)
def test_a_weekly_cycle_visits_every_iso_week(index: int, week: tuple[int, int, int]) -> None:
    """ISO 8601: 2020 has 53 weeks, 2021 has 52."""
    assert tuple(Recurrence(date(2020, 12, 21), "week", 1).boundary(index).isocalendar()) == week


@pytest.mark.parametrize(
    ("day", "containing", "following"),
    [
        ("2023-01-30", -1, 0),
        ("2023-01-31", 0, 0),
        ("2023-02-01", 0, 1),
        ("2023-02-27", 0, 1),
        ("2023-02-28", 1, 1),
        ("2023-03-01", 1, 2),
        ("2023-03-30", 1, 2),
        ("2023-03-31", 2, 2),
        ("2022-12-31", -1, -1),
        ("2022-12-30", -2, -1),
        ("2024-02-28", 12, 13),
        ("2024-02-29", 13, 13),
    ],
)
def test_lookup_around_month_ends(day: str, containing: int, following: int) -> None:
    """Monthly from 31 January 2023: the period before a short month's end, on it, and after it."""
    recurrence = Recurrence(date(2023, 1, 31), "month", 1)
    assert recurrence.index_at(on(day)) == containing
    assert recurrence.first_on_or_after(on(day)) == following


def test_lookup_inside_long_periods() -> None:
    """Quarterly from 31 August: 30 November begins the next period, 29 November does not."""
    recurrence = Recurrence(date(2023, 8, 31), "month", 3)
    assert [recurrence.index_at(on(d)) for d in ("2023-10-31", "2023-11-29", "2023-11-30", "2024-01-15")] == [
        0,
        0,
        1,
        1,
    ]
    assert [recurrence.first_on_or_after(on(d)) for d in ("2023-09-01", "2023-11-30", "2023-12-01")] == [1, 1, 2]


def test_lookup_works_to_both_ends_of_the_calendar() -> None:
    """Periods are found even where their own boundary is no longer a date."""
    monthly = Recurrence(date(2024, 1, 31), "month", 1)
    assert monthly.index_at(date(9999, 12, 31)) == 95_711  # 7,975 years and 11 months
    assert monthly.boundary(95_711) == date(9999, 12, 31)
    assert (
        monthly.index_at(date(1, 1, 1)) == -24_277
    )  # 2,023 years before is index -24,276, and 31 January is after the 1st
    assert monthly.first_on_or_after(date(1, 1, 1)) == -24_276
    assert Recurrence(date(2024, 1, 1), "year", 5_000).first_on_or_after(date(9999, 12, 31)) == 2


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of the module under test ``call`` executes; what runs in between, as finalizers do, is not counted."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line" and frame.f_code.co_filename == calendar.__file__
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", ["day", "week", "month", "year"])
def test_lookup_is_calculated_not_searched(unit: Unit) -> None:
    """Eight thousand years away takes exactly as many steps as a year away."""
    recurrence = Recurrence(date(2024, 1, 31), unit, 1)
    near, far = date(2025, 1, 30), date(9999, 1, 30)
    index = recurrence.index_at(far)
    assert lines_run(lambda: recurrence.index_at(far)) == lines_run(lambda: recurrence.index_at(near))
    assert lines_run(lambda: recurrence.first_on_or_after(far)) == lines_run(lambda: recurrence.first_on_or_after(near))
    assert lines_run(lambda: recurrence.boundary(index)) == lines_run(lambda: recurrence.boundary(0))


def test_the_last_day_of_the_calendar() -> None:
    """2024 to 9999 are 7,976 years, 1,934 of them leap years: 2,913,174 days, counted from 0."""
    daily = Recurrence(date(2024, 1, 1), "day", 1)
    assert daily.index_at(date(9999, 12, 31)) == 2_913_173
    assert daily.boundary(2_913_173) == date(9999, 12, 31)


@pytest.mark.parametrize(
    ("anchor", "unit", "every", "index"),
    [
        ("2024-01-31", "month", 1, 95_712),
        ("2024-01-31", "month", 1, -24_277),
        ("2024-02-29", "year", 1, 7_976),
        ("2024-01-01", "day", 1, 2_913_174),
        ("2024-01-01", "week", 1, -200_000),
        ("2024-01-01", "week", 1, 10**30),
        ("2024-01-01", "month", 10**30, 1),
    ],
)
def test_a_boundary_outside_the_calendar_is_refused(anchor: str, unit: Unit, every: int, index: int) -> None:
    with pytest.raises(OverflowError, match=r"outside the years 1 to 9999"):
        Recurrence(on(anchor), unit, every).boundary(index)


@pytest.mark.parametrize("every", [0, -1, 1.5, "1"])
def test_every_must_be_a_positive_whole_number(every: object) -> None:
    with pytest.raises(ValueError, match="every is"):
        Recurrence(date(2024, 1, 1), "month", every)  # type: ignore[arg-type]


def test_unknown_unit_and_datetime_anchor_are_refused() -> None:
    with pytest.raises(ValueError, match="unit is 'fortnight'"):
        Recurrence(date(2024, 1, 1), "fortnight", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="anchor_on is"):
        Recurrence(datetime(2024, 1, 1, tzinfo=UTC), "month", 1)


def test_recurrences_are_values() -> None:
    assert Recurrence(date(2024, 1, 1), "month", 1) == Recurrence(date(2024, 1, 1), "month", 1)
    with pytest.raises(AttributeError):
        Recurrence(date(2024, 1, 1), "month", 1).every = 2  # type: ignore[misc]
