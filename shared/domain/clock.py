"""Whether a clock has jumped: its progress against seconds that were counted elsewhere."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class Reading(NamedTuple):
    """What a clock said, and how far time had been counted just before it was asked and just after it answered."""

    at: datetime
    earliest: timedelta
    latest: timedelta


class Jump(NamedTuple):
    """A clock said `seen_at` when it should have said about `expected_at`."""

    expected_at: datetime
    seen_at: datetime


def shown(at: datetime) -> str:
    """An instant as people compare clocks: UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def drift(before: Reading, now: Reading) -> timedelta:
    """How far a clock has run ahead (less than zero: fallen behind) since a reading, at the very least: an answer that was slow
    to come is given the benefit of it."""
    moved = now.at - before.at
    ahead = moved - (now.latest - before.earliest)
    behind = moved - (now.earliest - before.latest)
    return max(ahead, timedelta(0)) + min(behind, timedelta(0))


def has_come_back(jump: Jump, at: datetime, bound: timedelta) -> bool:
    """Whether a clock is surely right again, as far as somebody can say who did not count meanwhile."""
    forward = jump.seen_at > jump.expected_at
    return at >= jump.expected_at - bound and (not forward or at < jump.seen_at)
