"""After a failed payment: what a decline means, when the next attempt goes out, and when it ends.

Retry days are local days counted from the first failure of a ladder, at 09:00 local, spread over an hour by invoice. The next
retry is on the first of them later than now: those missed in an outage collapse into one. A new payment method starts a new
ladder.
"""

import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from shared.domain.calendar import instant, local_date
from shared.domain.declines import CUSTOMER

NO_METHOD = "no_payment_method"
TOO_MANY_DECLINES = "too_many_declines"
RETRY_TIME = time(9)
RETRY_SPREAD_SECONDS = 3600
DECLINES_MAX = 15
DECLINES_WINDOW = timedelta(days=30)


class Method(NamedTuple):
    """A payment method of a client as a charge would use it.

    `credential`: what the provider sees of it. `instructed_at`, `received_at`: the newest message that asked for it to be
    used (a new credential, or made the default): its time, and when it came. A repeat of what is known is no such message.
    `usable`: False once the credential was declined for good.
    """

    payment_method_id: str
    revision: int
    provider: str
    token: str
    customer: str | None
    is_default: bool
    credential: str
    instructed_at: datetime
    received_at: datetime
    usable: bool


class Tried(NamedTuple):
    """An earlier attempt of an invoice. `judged`: the provider has said, or will say, what it thinks of the method."""

    attempt: int
    credential: str
    sent_at: datetime
    decline_class: str | None
    judged: bool


class Ladder(NamedTuple):
    """How far the collection of one invoice has got. `started_at` None: no failure since the last new method."""

    invoice_id: str
    failing_since: datetime | None
    started_at: datetime | None
    generation: int


class Step(NamedTuple):
    """What follows a failed attempt."""

    ladder: Ladder
    first_failure: bool
    plan_at: datetime | None
    last_call: bool
    exhausted: bool


def choose(methods: Sequence[Method], tried: Sequence[Tried] = ()) -> Method | None:
    """The method that the next attempt of an invoice uses; None when there is none. `tried`: its earlier attempts.

    One that was asked for since the last attempt is tried itself, default or not. Else it is the client's default method,
    or if that is unusable the newest other usable one. After a decline that needs the customer a method is out of use for
    this invoice, until somebody asks for it again.
    """
    judged = [each for each in tried if each.judged]
    usable = [method for method in methods if method.usable and not _needs_the_customer(method, judged)]
    last = max((each.sent_at for each in judged), default=None)
    fresh = [method for method in usable if last is not None and method.received_at > last]
    return max(fresh or usable, key=_rank, default=None)


def asked_for_since(method: Method, tried: Sequence[Tried]) -> bool:
    """True if somebody has asked for a method to be used after the invoice's last attempt went out."""
    return bool(tried) and method.received_at > max(each.sent_at for each in tried)


def _needs_the_customer(method: Method, judged: Sequence[Tried]) -> bool:
    return any(
        each.credential == method.credential and each.decline_class == CUSTOMER and each.sent_at >= method.received_at
        for each in judged
    )


def _rank(method: Method) -> tuple[bool, datetime, str]:
    return method.is_default, method.instructed_at, method.payment_method_id


def newer_than_used(methods: Sequence[Method], tried: Sequence[Tried], used: str | None, sent_at: datetime) -> bool:
    """True if the method to use now was not known when an attempt went out at `sent_at` with the credential `used`.

    `tried`: the invoice's attempts before that one. A method that would have been taken in its place can't have been known
    then; that is asked too, for the moments of two transactions don't say which of them saw the other.
    """
    if any(each.usable and each.received_at > sent_at for each in methods):
        return True
    if not any(each.credential == used for each in methods):
        return False
    then = choose([each._replace(usable=each.usable or each.credential == used) for each in methods], tried)
    return then is not None and then.credential != used


def retry_day_at(ladder_started_on: date, day: int, zone: str, invoice_id: str) -> datetime:
    """The instant of the retry `day` days after a ladder's first failure."""
    spread = zlib.crc32(invoice_id.encode()) % RETRY_SPREAD_SECONDS
    return instant(ladder_started_on + timedelta(days=day), RETRY_TIME, zone) + timedelta(seconds=spread)


def ends_at(ladder: Ladder, retry_days: Sequence[int], zone: str, now: datetime) -> datetime:
    """When a ladder without further calls is over: 09:00 local on its last retry day (without retry days: at once)."""
    started_on = local_date(ladder.started_at or now, zone)
    if not retry_days:
        return ladder.started_at or now
    return instant(started_on + timedelta(days=retry_days[-1]), RETRY_TIME, zone)


def last_day_is_over(since: datetime, retry_days: Sequence[int], zone: str, now: datetime) -> bool:
    """Whether a ladder that began at `since` ends, though an attempt still waits: for an account, a secret, an amount.

    What could not go out on its last day does not go out later, as a surprise: the client was told that day.
    """
    last = retry_days[-1] if retry_days else 0
    return now >= instant(local_date(since, zone) + timedelta(days=last + 1), time(0), zone)


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
        restarted = begun._replace(started_at=None, generation=begun.generation + 1)
        return Step(restarted, first_failure, now, last_call=False, exhausted=False)
    end = ends_at(begun, retry_days, zone, now)
    if not callable_method:
        over = end <= now
        return Step(begun, first_failure, None if over else end, last_call=False, exhausted=over)
    started_on = local_date(begun.started_at or now, zone)
    ahead = [at for at in (retry_day_at(started_on, day, zone, ladder.invoice_id) for day in retry_days) if at > now]
    if not ahead:
        return Step(begun, first_failure, None, last_call=False, exhausted=True)
    return Step(begun, first_failure, ahead[0], last_call=len(ahead) == 1, exhausted=False)


def doubling(since: datetime, now: datetime, first: timedelta, cap: timedelta) -> datetime:
    """The next try of something that has failed since `since`: waits double with its age, from `first` up to `cap`.

    Counted from ages, not from tries: asking twice at one moment gives one answer.
    """
    return now + min(max(now - since, first), cap)
