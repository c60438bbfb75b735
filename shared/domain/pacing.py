"""How many attempts a gateway account takes now, and how long it rests when its answers fail to come.

Pacing follows the generic cell rate algorithm (ITU-T I.371): one instant says when everything let through so far will have
been paid off at the account's rate; whatever would push it further ahead of now than the burst has to wait.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

FAILURES_MAX = 5
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(minutes=60)


class Account(NamedTuple):
    """A gateway account. `rate_per_second` None: no limit of ours. `failures`: lost or unsent answers in a row."""

    agency_id: str
    provider: str
    rate_per_second: int | None
    free_at: datetime | None
    failures: int = 0
    rests: int = 0
    paused_until: datetime | None = None


def allowance(account: Account, now: datetime, burst: int) -> int | None:
    """How many attempts may go out now, at most `burst` at once; None: as many as there are."""
    if account.rate_per_second is None:
        return None
    interval = _interval(account.rate_per_second)
    paid_off = max(account.free_at or now, now)
    return max(0, (now + burst * interval - paid_off) // interval)


def spent(account: Account, count: int, now: datetime) -> datetime | None:
    """The account's `free_at` after `count` attempts were let through."""
    if account.rate_per_second is None:
        return account.free_at
    return max(account.free_at or now, now) + count * _interval(account.rate_per_second)


def _interval(rate_per_second: int) -> timedelta:
    return timedelta(seconds=1) / rate_per_second


def failed(account: Account, now: datetime) -> Account:
    """One more answer was lost, or an attempt not sent. From the fifth in a row on the account rests: 1, 2, 4 … 60 minutes.

    Attempts that were on their way when the rest began do not lengthen it.
    """
    failures = account.failures + 1
    resting = account.paused_until is not None and account.paused_until > now
    if failures < FAILURES_MAX or resting:
        return account._replace(failures=failures)
    rest = min(FIRST_REST * 2 ** min(account.rests, 10), LONGEST_REST)
    return account._replace(failures=failures, rests=account.rests + 1, paused_until=now + rest)
