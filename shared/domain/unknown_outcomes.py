"""How an attempt or a refund of unknown outcome is resolved: by the same request under the same key while the provider
remembers it, then by asking, and in the end by a person. Never by a new key.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

NEEDS_A_PERSON: Final = "needs_a_person"  # the code of what has been in doubt for too long

# A stored error is replayed for ever, so sending again is not the only thing that is tried.
RESEND_FOR: Final = timedelta(minutes=10)
PERSON_AFTER: Final = timedelta(hours=72)
PENDING_MAX: Final = timedelta(days=30)  # no debit and no refund that was accepted takes longer to settle

Step = Literal["resend", "lookup"]


def is_remembered(retention: timedelta, sent_at: datetime, now: datetime) -> bool:
    """True while the same request under the same key can't move money a second time."""
    return now - sent_at < retention


def next_step(*, remembered: bool, reference: str | None, doubtful_since: datetime | None, now: datetime) -> Step:
    """What to do about an attempt or a refund that may have moved money.

    One that the provider has accepted, under an id that we know, is only asked about. One whose answer was lost is sent again
    within the first ten minutes, as long as its key is remembered; then it is looked for.
    """
    young = doubtful_since is None or now - doubtful_since < RESEND_FOR
    return "resend" if reference is None and remembered and young else "lookup"


def needs_a_person(doubtful_since: datetime, now: datetime, *, pending: bool = False) -> bool:
    """True once nobody but a person can say what became of it. `pending`: the provider has accepted it."""
    return now - doubtful_since >= (PENDING_MAX if pending else PERSON_AFTER)
