"""The calendar: when a recurrence's periods begin, and the instant at which a local date begins in a time zone.

Dates are plain calendar dates; instants are aware UTC datetimes; periods are half-open: period ``n`` runs from
``boundary(n)`` up to, but not including, ``boundary(n + 1)``. Nothing here reads a clock.

Time zones come from the installed ``tzdata`` package, never from the host's own files, so that every process on every
host agrees on the same instant; updating that package is how new rules arrive.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Final, Literal

from whenever import (
    Instant,
    PlainDateTime,
    RepeatedTime,
    SkippedTime,
    ZonedDateTime,
    available_timezones,
    reset_tzpath,
)

Unit = Literal["day", "week", "month", "year"]

MIDNIGHT: Final = time(0)

_DAYS_IN: Final = {"day": 1, "week": 7}
_MONTHS_IN: Final = {"month": 1, "year": 12}
_MONTHS_OF_30_DAYS: Final = (4, 6, 9, 11)

# The IANA database has one name for "nobody chose a zone yet"; billing by it would be billing by accident.
_PLACEHOLDER_ZONE: Final = "Factory"

reset_tzpath(())  # an empty search path leaves the tzdata package as the only source


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A boundary every ``every`` units, counted from ``anchor_on``, which is boundary 0.

    Raises:
        ValueError: ``every`` is not a whole number of at least 1, ``unit`` is unknown, or the anchor is a datetime.
    """

    anchor_on: date
    unit: Unit
    every: int

    def __post_init__(self) -> None:
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"every is {self.every!r}: give a whole number of at least 1")
        if self.unit not in _DAYS_IN and self.unit not in _MONTHS_IN:
            raise ValueError(f"unit is {self.unit!r}: give day, week, month or year")
        if isinstance(self.anchor_on, datetime):
            raise ValueError(f"anchor_on is {self.anchor_on!r}: give a date without a time")

    def boundary(self, index: int) -> date:
        """The date on which period ``index`` begins; negative indices lie before the anchor.

        Every boundary is counted from the anchor, never from the one before it, so a short month shortens only
        itself: 31 January monthly gives 28 February, then 31 March; 29 February yearly gives 28 February in common
        years and 29 February in leap years.

        Raises:
            OverflowError: the boundary lies outside the years 1 to 9999.
        """
        anchor_on, unit = self.anchor_on, self.unit
        try:
            days = _DAYS_IN.get(unit)
            if days is not None:
                return date.fromordinal(anchor_on.toordinal() + index * self.every * days)
            elapsed = index * self.every * _MONTHS_IN[unit]
            year, month = divmod(anchor_on.year * 12 + anchor_on.month - 1 + elapsed, 12)
            return date(year, month + 1, _day_in(year, month + 1, anchor_on.day))
        except (ValueError, OverflowError) as error:
            raise OverflowError(
                f"boundary {index} of every {self.every} {unit}(s) from {anchor_on} lies outside the years 1 to 9999"
            ) from error

    def index_at(self, on: date) -> int:
        """The index of the period that contains ``on``: the largest n with ``boundary(n) <= on``; negative before the
        anchor. Calculated, never searched for, so a date centuries away costs the same as tomorrow."""
        index, offset = self._position(on)
        return index - 1 if offset < 0 else index

    def first_on_or_after(self, on: date) -> int:
        """The index of the next boundary, ``on`` itself included: the smallest n with ``boundary(n) >= on``."""
        index, offset = self._position(on)
        return index + 1 if offset > 0 else index

    def _position(self, on: date) -> tuple[int, int]:
        """A boundary next to ``on``, and on which side of it ``on`` lies: (index, < 0 before, 0 on it, > 0 after).

        No other boundary lies between the two. The boundary itself is never built, so it may lie outside the years
        1 to 9999.
        """
        anchor_on, unit = self.anchor_on, self.unit
        days = _DAYS_IN.get(unit)
        if days is not None:
            return divmod(on.toordinal() - anchor_on.toordinal(), days * self.every)
        months = (on.year - anchor_on.year) * 12 + on.month - anchor_on.month
        index, months_after = divmod(months, _MONTHS_IN[unit] * self.every)
        if months_after:
            return index, months_after
        return index, on.day - _day_in(on.year, on.month, anchor_on.day)


def instant(on: date, at: time, zone: str) -> datetime:
    """The UTC instant at which clocks in ``zone`` show ``at`` (a time without an offset) on the date ``on``.

    A local time that does not exist (clocks were put forward over it) moves to the first instant that does, which is
    the end of the gap: 02:30 between 02:00 and 03:00 becomes 03:00. A whole missing day works the same. A local
    time that exists twice is the first of the two. So later dates never give earlier instants.

    Raises:
        ValueError: ``zone`` is not in the IANA database, or ``at`` carries an offset.
        OverflowError: the instant lies outside the years 1 to 9999.
    """
    return _instant(on, at, zone)


def due_at(on: date, zone: str, issue_time: time = MIDNIGHT) -> datetime:
    """The UTC instant at which a cycle that starts on ``on`` falls due: local midnight in ``zone``, or the agency's
    ``issue_time``. Gaps, repeats and errors as in :func:`instant`."""
    return _instant(on, issue_time, zone)


def local_date(at: datetime, zone: str) -> date:
    """The date that calendars in ``zone`` show at the instant ``at`` (aware, any offset).

    Raises:
        ValueError: ``at`` has no offset, or ``zone`` is not in the IANA database.
        OverflowError: the local date lies outside the years 1 to 9999.
    """
    return _local(at, zone).date().to_stdlib()


def local_time_of(at: datetime, zone: str) -> time:
    """The time of day, without an offset, that clocks in ``zone`` show at the instant ``at``; errors as in
    :func:`local_date`."""
    return _local(at, zone).time().to_stdlib()


def zone_exists(name: str) -> bool:
    """Whether ``name`` is a zone or link of the IANA database, spelled as there: no paths, no other letter case, and
    not the placeholder ``Factory``."""
    return name in zone_names()


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every name that :func:`zone_exists` accepts."""
    return frozenset(available_timezones() - {_PLACEHOLDER_ZONE})


def _day_in(year: int, month: int, day: int) -> int:
    """``day`` or, in a month that is shorter, that month's last day (Gregorian calendar)."""
    if day <= 28:
        return day
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if day == 31 and month in _MONTHS_OF_30_DAYS else day


@lru_cache(maxsize=8192)  # the cycles of a batch share few dates and zones
def _instant(on: date, at: time, zone: str) -> datetime:
    if at.tzinfo is not None:
        raise ValueError(f"{at!r} carries an offset: give a local time without one")
    _require_zone(zone)
    local = PlainDateTime(datetime.combine(on, at))
    try:
        return _resolve(local, zone).to_instant().to_stdlib()
    except ValueError as error:
        raise OverflowError(f"{on} {at} in {zone} lies outside the years 1 to 9999 UTC") from error


def _resolve(local: PlainDateTime, zone: str) -> ZonedDateTime:
    """The first moment at which ``zone`` shows ``local`` or, if it never does, the end of the gap."""
    try:
        return local.assume_tz(zone, disambiguation="raise")
    except RepeatedTime:
        return local.assume_tz(zone, disambiguation="earlier")
    except SkippedTime:
        # In a gap the library shifts by the gap's length: "later" to past its end, "earlier" to before its start.
        # From before the start, the next change of the zone's rules is the end of the gap.
        zoned = local.assume_tz(zone, disambiguation="earlier")
        while zoned.to_plain() < local and (following := zoned.next_transition()) is not None:
            zoned = following
        return zoned


def _local(at: datetime, zone: str) -> ZonedDateTime:
    if at.utcoffset() is None:
        raise ValueError(f"{at!r} has no offset: give an aware datetime")
    _require_zone(zone)
    try:
        return Instant(at).to_tz(zone)
    except ValueError as error:
        raise OverflowError(f"{at} lies outside the years 1 to 9999 in {zone}") from error


def _require_zone(zone: str) -> None:
    if zone not in zone_names():
        raise ValueError(f"unknown time zone {zone!r}: give an IANA name such as Europe/Berlin")
