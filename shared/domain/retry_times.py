"""When rows that wait for something are looked at again."""

from datetime import datetime, timedelta

from shared.domain.dunning import doubling

LEASE = timedelta(minutes=2)  # how long a taken row is left to whoever took it
TRIES_MAX = 5  # tries without an orderly end, then a row is blocked or parked
GATEWAY_MISSING = timedelta(hours=1)  # until a row without a usable provider account is looked at again
SAFETY_NET = timedelta(hours=6)
FIRST_RETRY = timedelta(minutes=1)


def net_at(now: datetime) -> datetime:
    """When held, waiting and long blocked rows are checked again in any case: the next full six hours of the UTC day."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // SAFETY_NET + 1) * SAFETY_NET


def retry_at(blocked_at: datetime, now: datetime) -> datetime:
    """When a blocked row is tried again: after as long as it has been blocked, from a minute up to the safety net."""
    at = doubling(blocked_at, now, FIRST_RETRY, SAFETY_NET)
    return net_at(now) if at >= net_at(now) else at
