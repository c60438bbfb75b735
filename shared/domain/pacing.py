"""How many attempts a gateway account takes now, and how long it is paused when its answers fail to come.

Pacing follows the generic cell rate algorithm (ITU-T I.371): one instant says when everything let through so far will have
been paid off at the account's rate; whatever would push it further ahead of now than the burst has to wait.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

FAILURES_MAX = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=60)
LONGEST_REFUSAL = timedelta(hours=6)
DEFAULT_RATE = 20  # attempts a second; the strictest test accounts allow 25 calls
SLOW_FOR = timedelta(minutes=10)
SLOW_PAUSE = timedelta(seconds=2)
SLOW_ONCE = timedelta(seconds=5)  # answers that were on their way together halve the rate once
SLOWDOWN_MAX = 6


class Account(NamedTuple):
    """A gateway account. `rate_per_second` None: no limit of ours. `failures`: lost or unsent answers in a row.

    `slowdown`: how often the provider's "too many requests" has halved the rate, as of `slowed_at`. `refused_since`: the
    provider refuses the account itself, with the word `refused_code`; it is asked again at `refused_until`.
    """

    agency_id: str
    provider: str
    rate_per_second: int | None
    free_at: datetime | None
    failures: int = 0
    pauses: int = 0
    paused_until: datetime | None = None
    slowdown: int = 0
    slowed_at: datetime | None = None
    refused_since: datetime | None = None
    refused_until: datetime | None = None
    refused_code: str | None = None


def rate(account: Account, now: datetime) -> int | None:
    """Attempts a second that the account takes now: halved by each "too many requests", doubled again every ten minutes."""
    halvings = _slowdown(account, now)
    if account.rate_per_second is None and not halvings:
        return None
    return max(1, (account.rate_per_second or DEFAULT_RATE) >> halvings)


def _slowdown(account: Account, now: datetime) -> int:
    if account.slowed_at is None:
        return 0
    return max(0, account.slowdown - max(0, (now - account.slowed_at) // SLOW_FOR))


def slowed(account: Account, now: datetime) -> Account:
    """The provider said "too many requests": half the rate, after a moment without any."""
    if account.slowed_at is not None and now - account.slowed_at < SLOW_ONCE:
        return account
    pause = max(now + SLOW_PAUSE, account.paused_until or now)
    halvings = min(_slowdown(account, now) + 1, SLOWDOWN_MAX)
    return account._replace(slowdown=halvings, slowed_at=now, paused_until=pause)


def allowance(account: Account, now: datetime, burst: int) -> int | None:
    """How many attempts may go out now, at most `burst` at once; None: as many as there are."""
    per_second = rate(account, now)
    if per_second is None:
        return None
    interval = _interval(per_second)
    paid_off = max(account.free_at or now, now)
    return max(0, (now + burst * interval - paid_off) // interval)


def spent(account: Account, count: int, now: datetime) -> datetime | None:
    """The account's `free_at` after `count` attempts were let through."""
    per_second = rate(account, now)
    if per_second is None:
        return account.free_at
    return max(account.free_at or now, now) + count * _interval(per_second)


def _interval(rate_per_second: int) -> timedelta:
    return timedelta(seconds=1) / rate_per_second


def failed(account: Account, now: datetime) -> Account:
    """One more answer was lost, or an attempt not sent. From the fifth in a row on the account is paused: 1, 2, 4 … 60 minutes.

    Attempts that were under way when the pause began do not lengthen it.
    """
    failures = account.failures + 1
    resting = account.paused_until is not None and account.paused_until > now
    if failures < FAILURES_MAX or resting:
        return account._replace(failures=failures)
    pause = min(FIRST_PAUSE * 2 ** min(account.pauses, 10), LONGEST_PAUSE)
    return account._replace(failures=failures, pauses=account.pauses + 1, paused_until=now + pause)


def refused(account: Account, code: str, now: datetime) -> Account:
    """The provider refuses the account itself: one attempt asks again after 1, 2, 4 … minutes, then every six hours."""
    since = account.refused_since or now
    until = now + min(max(now - since, FIRST_PAUSE), LONGEST_REFUSAL)
    return account._replace(refused_since=since, refused_until=until, refused_code=code)


def accepted(account: Account) -> Account:
    """An answer that only an account in order gets: whatever was wrong with it is over."""
    return account._replace(
        failures=0, pauses=0, paused_until=None, refused_since=None, refused_until=None, refused_code=None
    )
