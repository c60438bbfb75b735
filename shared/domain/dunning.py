"""After a failed payment: what a decline means, when the next attempt goes out, and when it ends.

Rungs are local days counted from the first failure of a ladder, at 09:00 local, spread over an hour by invoice. The next
rung is the first later than now: rungs missed in an outage collapse into one. A new payment method starts a new ladder.
"""

import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from shared.domain.cycles import instant, local_date

NO_METHOD = "no_payment_method"
RUNG_TIME = time(9)
RUNG_SPREAD_SECONDS = 3600
DECLINES_MAX = 15
DECLINES_WINDOW = timedelta(days=30)


class Method(NamedTuple):
    """A payment method of a client as a charge would use it."""

    payment_method_id: str
    revision: int
    provider: str
    token: str
    customer: str | None
    is_default: bool
    effective_at: datetime
    received_at: datetime
    unusable_revision: int | None

    @property
    def usable(self) -> bool:
        """False once this very revision was declined for good; any newer revision counts as a new method."""
        return self.unusable_revision != self.revision


class Ladder(NamedTuple):
    """Where the collection of one invoice stands. `started_at` None: no failure since the last new method."""

    invoice_id: str
    failing_since: datetime | None
    started_at: datetime | None
    turn: int


class Step(NamedTuple):
    """What follows a failed attempt."""

    ladder: Ladder
    first_failure: bool
    plan_at: datetime | None
    last_call: bool
    exhausted: bool


def choose(methods: Sequence[Method]) -> Method | None:
    """The client's default method, or if that is unusable the newest other usable one; None when there is none."""
    usable = [method for method in methods if method.usable]
    return max(usable, key=_rank, default=None)


def _rank(method: Method) -> tuple[bool, datetime, str]:
    return method.is_default, method.effective_at, method.payment_method_id


def newer_than_used(
    methods: Sequence[Method], used_id: str | None, used_revision: int | None, sent_at: datetime
) -> bool:
    """True if the method to use now was not known when an attempt went out at `sent_at` with another one.

    A newer revision of the method used, and one that would have been taken in its place, can't have been known then. That
    is asked first, for the moments of two transactions don't say which of them saw the other.
    """
    method = choose(methods)
    if method is None or (method.payment_method_id, method.revision) == (used_id, used_revision):
        return False
    used = next((each for each in methods if each.payment_method_id == used_id), None)
    if used is not None and (used is method or _rank(method) > _rank(used)):
        return True
    return method.received_at > sent_at


def rung_at(ladder_started_on: date, day: int, zone: str, invoice_id: str) -> datetime:
    """The instant of the rung `day` days after a ladder's first failure."""
    spread = zlib.crc32(invoice_id.encode()) % RUNG_SPREAD_SECONDS
    return instant(ladder_started_on + timedelta(days=day), RUNG_TIME, zone) + timedelta(seconds=spread)


def ends_at(ladder: Ladder, retry_days: Sequence[int], zone: str, now: datetime) -> datetime:
    """When a ladder without further calls is over: 09:00 local on its last rung's day (without rungs: at once)."""
    started_on = local_date(ladder.started_at or now, zone)
    if not retry_days:
        return ladder.started_at or now
    return instant(started_on + timedelta(days=retry_days[-1]), RUNG_TIME, zone)


def begin(ladder: Ladder, now: datetime) -> Ladder:
    """The ladder with this failure in it: the first one starts it."""
    return ladder._replace(failing_since=ladder.failing_since or now, started_at=ladder.started_at or now)


def after_failure(
    ladder: Ladder, retry_days: Sequence[int], zone: str, now: datetime, *, callable_method: bool, newer_method: bool
) -> Step:
    """What follows an attempt that failed at `now`.

    `callable_method`: some method is left that may be called. `newer_method`: one arrived after the attempt was sent, so
    the next attempt is immediate and starts a new ladder.
    """
    first_failure = ladder.started_at is None
    begun = begin(ladder, now)
    if newer_method:
        restarted = begun._replace(started_at=None, turn=begun.turn + 1)
        return Step(restarted, first_failure, now, last_call=False, exhausted=False)
    end = ends_at(begun, retry_days, zone, now)
    if not callable_method:
        over = end <= now
        return Step(begun, first_failure, None if over else end, last_call=False, exhausted=over)
    started_on = local_date(begun.started_at or now, zone)
    ahead = [at for at in (rung_at(started_on, day, zone, ladder.invoice_id) for day in retry_days) if at > now]
    if not ahead:
        return Step(begun, first_failure, None, last_call=False, exhausted=True)
    return Step(begun, first_failure, ahead[0], last_call=len(ahead) == 1, exhausted=False)


def doubling(since: datetime, now: datetime, first: timedelta, cap: timedelta) -> datetime:
    """The next try of something that has failed since `since`: waits double with its age, from `first` up to `cap`.

    Counted from ages, not from tries: looking twice at one moment gives one answer.
    """
    return now + min(max(now - since, first), cap)
