"""Which cycles a schedule should have by now: every boundary from the next index on, oldest first, none forgotten."""

from bisect import bisect_left
from datetime import date, datetime, time
from typing import NamedTuple, cast

from shared.domain.calendar import Recurrence, Unit, due_at
from shared.domain.facts import Stream

CYCLES_PER_PASS_MAX = 36
BEFORE_KNOWN = "before_known"
BEFORE_CUT_OVER = "before_cut_over"
CANCELLED = "subscription_cancelled"


class Schedule(NamedTuple):
    """The recurrence of one stream of one subscription. `anchor_on` None: not anchored yet (no first invoice)."""

    agency_id: str
    subscription_id: str
    stream: Stream
    anchor_on: date | None
    anchor_index: int
    unit: Unit
    every: int
    epoch: int
    next_index: int
    next_at: datetime | None
    planned_until: date | None
    stopped_reason: str | None
    resumed_index: int

    def boundary(self, index: int) -> date:
        """The first day of cycle `index`, counted from the anchor."""
        return self.recurrence().boundary(index - self.anchor_index)

    def recurrence(self) -> Recurrence:
        """The recurrence from the anchor on, which is cycle `anchor_index`."""
        if self.anchor_on is None:
            raise ValueError(f"the {self.stream} stream of {self.subscription_id} has no anchor yet")
        return Recurrence(self.anchor_on, self.unit, self.every)

    def rhythm(self) -> "Rhythm":
        """By which boundaries its periods follow each other. Raises ValueError without an anchor."""
        return Rhythm(self.recurrence().anchor_on, self.anchor_index, self.unit, self.every)


class Limits(NamedTuple):
    """What bounds a series: its agency's local time, since when it is known, and when it ends.

    `cut_over_on`: until then the subscription is billed elsewhere, so that what began before it is none of ours.
    """

    timezone: str
    issue_time: time
    known_on: date
    cancel_on: date | None
    cancel_effective_at: datetime | None
    ended_at: datetime | None
    cut_over_on: date | None = None

    def over(self, starts_on: date, falls_due_at: datetime) -> bool:
        """True if a cycle would start after the subscription's end, judged by what is in force when it falls due."""
        if self.ended_at is not None and falls_due_at > self.ended_at:
            return True
        return (
            self.cancel_on is not None
            and self.cancel_effective_at is not None
            and starts_on >= self.cancel_on
            and falls_due_at >= self.cancel_effective_at
        )

    def passed_over(self, starts_on: date, ends_on: date) -> str | None:
        """Why a period is not ours to bill: it ended before we knew of it, or began before the cut-over; None if it is."""
        if self.cut_over_on is not None and starts_on < self.cut_over_on:
            return BEFORE_CUT_OVER
        return BEFORE_KNOWN if ends_on <= self.known_on else None


class Rhythm(NamedTuple):
    """By which boundaries a row of several periods can be split again; the schedule may go by others since."""

    anchor_on: date
    anchor_index: int
    unit: Unit
    every: int

    @staticmethod
    def of(text: str) -> "Rhythm":
        """From its text."""
        unit, every, anchor_on, anchor_index = text.split("/")
        return Rhythm(date.fromisoformat(anchor_on), int(anchor_index), cast("Unit", unit), int(every))

    def text(self) -> str:
        """As a row keeps it: `month/1/2026-01-31/0`, unit, every, anchor and the anchor's index."""
        return f"{self.unit}/{self.every}/{self.anchor_on.isoformat()}/{self.anchor_index}"

    def boundary(self, index: int) -> date:
        """The first day of cycle `index`."""
        return self._recurrence().boundary(index - self.anchor_index)

    def first_on_or_after(self, on: date) -> int:
        """The index of the first cycle that starts on a day or later."""
        return self._recurrence().first_on_or_after(on) + self.anchor_index

    def start_of_period(self, on: date) -> date:
        """The first day of the cycle that contains a day."""
        return self._recurrence().boundary(self._recurrence().index_at(on))

    def _recurrence(self) -> Recurrence:
        return Recurrence(self.anchor_on, self.unit, self.every)


class Planned(NamedTuple):
    """A cycle row to write: `skipped` says why its period is not ours to bill.

    A row of several `periods` is skipped, and says in what `rhythm` they follow each other.
    """

    cycle_index: int
    starts_on: date
    ends_on: date
    due_at: datetime
    skipped: str | None
    periods: int = 1
    rhythm: Rhythm | None = None


def plan(
    schedule: Schedule, limits: Limits, as_of: datetime, cycles_max: int = CYCLES_PER_PASS_MAX
) -> tuple[list[Planned], Schedule]:
    """Every cycle from the next index that is due by `as_of`, at most `cycles_max`; and the schedule moved past them.

    A series that is over gets no next instant and says why. The schedule returned never points below `planned_until`.
    """
    planned: list[Planned] = []
    recurrence, first = schedule.recurrence(), schedule.anchor_index
    index = schedule.next_index
    starts_on = recurrence.boundary(index - first)
    falls_due_at = due_at(starts_on, limits.timezone, limits.issue_time)
    while True:
        if limits.over(starts_on, falls_due_at):
            stopped = schedule._replace(
                next_index=index, next_at=None, stopped_reason=CANCELLED, planned_until=starts_on
            )
            return planned, stopped
        if falls_due_at > as_of or len(planned) == cycles_max:
            return planned, schedule._replace(next_index=index, next_at=falls_due_at, planned_until=starts_on)
        ends_on = recurrence.boundary(index + 1 - first)
        planned.append(
            Planned(
                cycle_index=index,
                starts_on=starts_on,
                ends_on=ends_on,
                due_at=falls_due_at,
                skipped=limits.passed_over(starts_on, ends_on),
            )
        )
        index, starts_on = index + 1, ends_on
        falls_due_at = due_at(starts_on, limits.timezone, limits.issue_time)


def catch_up(schedule: Schedule, limits: Limits, as_of: datetime) -> tuple[list[Planned], Schedule]:
    """As `plan`; but more periods before we knew the subscription than a pass writes are one row: only their end matters."""
    span = _before_known(schedule, limits, as_of)
    if span is None:
        return plan(schedule, limits, as_of)
    behind = schedule._replace(next_index=span.cycle_index + span.periods, planned_until=span.ends_on)
    planned, after = plan(behind, limits, as_of)
    return [span, *planned], after


def _before_known(schedule: Schedule, limits: Limits, as_of: datetime) -> Planned | None:
    """The periods that ended before we knew, as one row, if they are many; None if a pass can write them one by one.

    What fell due, what had ended and what the subscription's end leaves out each change once along the series, so the last
    period of the row is searched for.
    """
    index = schedule.next_index
    if limits.known_on <= schedule.boundary(index):
        return None

    def left(each: int) -> bool:
        starts_on = schedule.boundary(each)
        falls_due_at = due_at(starts_on, limits.timezone, limits.issue_time)
        return falls_due_at > as_of or limits.over(starts_on, falls_due_at)

    end = schedule.recurrence().index_at(limits.known_on) + schedule.anchor_index
    periods = bisect_left(range(index, max(index, end)), True, key=left)
    if periods <= CYCLES_PER_PASS_MAX:
        return None
    starts_on, ends_on = schedule.boundary(index), schedule.boundary(index + periods)
    at = due_at(starts_on, limits.timezone, limits.issue_time)
    reason = limits.passed_over(starts_on, schedule.boundary(index + 1))
    return Planned(
        cycle_index=index,
        starts_on=starts_on,
        ends_on=ends_on,
        due_at=at,
        skipped=reason,
        periods=periods,
        rhythm=schedule.rhythm(),
    )


def change_recurrence(schedule: Schedule, unit: Unit, every: int) -> Schedule:
    """A new unit or every takes effect at `planned_until`, which becomes the new anchor; the index goes on."""
    if schedule.anchor_on is None:
        return schedule._replace(unit=unit, every=every)
    return schedule._replace(
        anchor_on=schedule.boundary(schedule.next_index),
        anchor_index=schedule.next_index,
        unit=unit,
        every=every,
        epoch=schedule.epoch + 1,
    )
