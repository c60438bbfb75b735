"""The time axis: the position of an instant on the page, and which dates are written above the lanes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ops.report.wording import MONTHS

DAY = timedelta(days=1)
FULL = 10_000  # the width of the axis: places are counted in hundredths of a per cent, so that no digit is ever rounded


def start_of(on: date) -> datetime:
    """UTC midnight of a date: dates and instants share one axis, so a local midnight is hours off its date."""
    return datetime.combine(on, time(), UTC)


def percent(x: int) -> str:
    """`12.5%` for 1250."""
    text = f"{x // 100}.{x % 100:02d}".rstrip("0").rstrip(".")
    return f"{text}%"


@dataclass(frozen=True)
class Tick:
    """A line of the grid at `x`, of FULL; a major one begins a month or a year."""

    x: int
    label: str
    major: bool


@dataclass(frozen=True)
class Axis:
    """Whole UTC days, from `begins_at` up to but not including `ends_at`."""

    begins_at: datetime
    ends_at: datetime

    @classmethod
    def over(cls, since: datetime, until: datetime) -> "Axis":
        """The days that hold both instants; at least one."""
        first_on = since.astimezone(UTC).date()
        end = until.astimezone(UTC)
        last_on = end.date() if end == start_of(end.date()) else end.date() + DAY
        return cls(start_of(first_on), start_of(max(last_on, first_on + DAY)))

    @property
    def days(self) -> int:
        """How many days the axis holds."""
        return (self.ends_at - self.begins_at) // DAY

    def x(self, at: datetime) -> int:
        """The place of an instant, from 0 at the left edge to FULL at the right; anything beyond is placed at the edge."""
        # Cut before it is scaled: a period of a thousand years reaches beyond what a span of time can be multiplied to.
        inside = min(self.ends_at, max(self.begins_at, at))
        return (inside - self.begins_at) * FULL // (self.ends_at - self.begins_at)

    def span_style(self, begins_at: datetime, ends_at: datetime) -> str:
        """The CSS that puts a box over a span of time."""
        x = self.x(begins_at)
        return f"left:{percent(x)};width:{percent(self.x(ends_at) - x)}"

    def ticks(self) -> list[Tick]:
        """The grid: days, Mondays, months or years, whichever leaves the labels readable."""
        if self.days <= 21:
            chosen = self._every_day()
        elif self.days <= 140:
            chosen = self._mondays_and_months()
        elif self.days <= 3000:
            chosen = self._months(every=1 if self.days <= 500 else 3 if self.days <= 1500 else 6)
        else:
            chosen = self._years()
        return list(chosen)

    def _dates(self) -> Iterator[date]:
        first_on = self.begins_at.date()
        return (first_on + DAY * index for index in range(self.days))

    def _tick(self, on: date, label: str, *, major: bool) -> Tick:
        return Tick(self.x(start_of(on)), label, major)

    def _every_day(self) -> Iterator[Tick]:
        for on in self._dates():
            major = on.day == 1 or on == self.begins_at.date()
            yield self._tick(on, f"{MONTHS[on.month - 1]} {on.year}" if major else str(on.day), major=major)

    def _mondays_and_months(self) -> Iterator[Tick]:
        first_on = self.begins_at.date()
        rest_of_month = 32 - first_on.day  # days or one more: enough to tell whether its name has room
        for on in self._dates():
            if on.day == 1 or (on == first_on and rest_of_month * 12 > self.days):
                yield self._tick(on, f"{MONTHS[on.month - 1]} {on.year}", major=True)
            elif on.weekday() == 0:
                has_room = (on + DAY * 2).month == on.month  # else the line of the next month would cross it
                yield self._tick(on, str(on.day) if has_room else "", major=False)

    def _months(self, every: int) -> Iterator[Tick]:
        named_year = 0
        for on in self._dates():
            if on.day == 1 and (on.month - 1) % every == 0:
                month = MONTHS[on.month - 1]
                yield self._tick(on, month if on.year == named_year else f"{month} {on.year}", major=on.month == 1)
                named_year = on.year

    def _years(self) -> Iterator[Tick]:
        step = max(1, self.days // 365 // 20)
        for on in self._dates():
            if (on.month, on.day) == (1, 1) and on.year % step == 0:
                yield self._tick(on, str(on.year), major=True)
