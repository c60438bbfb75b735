"""What can become of a mail, and how long each trouble is tried.

Who has to act differs, so each trouble has a patience of its own: see docs/decisions/0021-what-becomes-of-a-mail.md.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

Trouble = Literal["recipient", "agency", "account", "away", "in_doubt"]
TROUBLES: Final[tuple[Trouble, ...]] = ("recipient", "agency", "account", "away", "in_doubt")
OUTCOMES: Final = ("sent", *TROUBLES)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
DOUBTS_MAX: Final = 3  # copies that a client may get of one mail, at most


class Patience(NamedTuple):
    """Waits between two tries: `first`, doubled up to `longest`; given up after `lasts`, None: never.

    `others`: it is the same for every mail of the agency, so in a batch none is tried after it, and the rest waits that long;
    None: the others go on. `counts`: it was this mail's own try.
    """

    first: timedelta
    longest: timedelta
    lasts: timedelta | None
    others: timedelta | None
    counts: bool


PATIENCE: Final[Mapping[Trouble, Patience]] = {
    # RFC 5321, 4.5.4.1: give up after four or five days.
    "recipient": Patience(_MINUTE, 6 * _HOUR, timedelta(days=5), None, counts=True),
    "agency": Patience(_MINUTE, _HOUR, timedelta(days=7), 10 * _MINUTE, counts=True),
    "account": Patience(10 * _MINUTE, 10 * _MINUTE, None, 10 * _MINUTE, counts=False),
    "away": Patience(2 * _MINUTE, 2 * _MINUTE, None, 2 * _MINUTE, counts=False),
    # Ended by its number, not by time. A server that broke off once may do so after each mail.
    "in_doubt": Patience(_HOUR, 4 * _HOUR, None, 10 * _MINUTE, counts=False),
}


class Tried(NamedTuple):
    """What is known of a mail that was not sent: tries that counted, this one too; how often it ended in doubt.

    `refused_since`: since when it is refused for its recipient's or its agency's sake. `lasting`: the server says "never".
    """

    tries: int
    doubts: int
    refused_since: datetime | None
    lasting: bool


def next_try(trouble: Trouble, tried: Tried, now: datetime) -> datetime | None:
    """When it is tried again; None: it is given up, and a person decides."""
    patience = PATIENCE[trouble]
    if trouble == "in_doubt":
        return None if tried.doubts >= DOUBTS_MAX else now + _wait(patience, 2 * tried.doubts - 1)
    if trouble == "recipient" and tried.lasting:
        return None
    at = now + _wait(patience, tried.tries)
    last = last_try(trouble, tried.refused_since or now)
    if last is None:
        return at
    return None if now >= last else min(at, last)


def last_try(trouble: Trouble, refused_since: datetime | None) -> datetime | None:
    """The latest moment at which it is tried; None: for as long as it takes, or ended by number."""
    lasts = PATIENCE[trouble].lasts
    return None if lasts is None or refused_since is None else refused_since + lasts


def _wait(patience: Patience, tries: int) -> timedelta:
    return min(patience.first * (1 << min(max(tries, 1) - 1, 20)), patience.longest)
