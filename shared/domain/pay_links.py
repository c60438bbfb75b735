"""Payment pages: what each answer of a provider means for one in each state, and until when one is waited for.

A payment page is `opening`, `open` or `paying`; it ends `paid` or `ended`. `doubtful` is one under way where money may have
moved: the provider has accepted a payment that settles later, or an answer about taking it was lost.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

Standing = Literal["opening", "open", "paying", "doubtful", "paid", "ended"]
Answer = Literal["succeeded", "pending", "unpaid", "declined", "expired", "gone", "refused", "lost"]
Verdict = Literal["paid", "accepted", "reopened", "ended", "failed", "missing", "asked_again", "doubted", "kept"]

STANDINGS: Final[tuple[Standing, ...]] = ("opening", "open", "paying", "doubtful", "paid", "ended")
ANSWERS: Final[tuple[Answer, ...]] = (
    *("succeeded", "pending", "unpaid", "declined", "expired", "gone", "refused", "lost"),
)
_UNDER_WAY: Final[Mapping[Answer, Verdict]] = {
    "succeeded": "paid",
    "pending": "accepted",
    "unpaid": "reopened",
    "declined": "failed",  # only a client who has agreed can be declined: he was thanked
    "expired": "ended",
    "gone": "ended",
    "refused": "asked_again",
    "lost": "doubted",
}
# An end stays one. Money that moves all the same is reported by a webhook, or found by the reconciliation.
_OVER: Final[Mapping[Answer, Verdict]] = {**dict.fromkeys(ANSWERS, "kept"), "succeeded": "paid"}
VERDICTS: Final[Mapping[Standing, Mapping[Answer, Verdict]]] = {
    "opening": _UNDER_WAY,
    "open": _UNDER_WAY,
    "paying": _UNDER_WAY,
    "doubtful": {**_UNDER_WAY, "unpaid": "asked_again", "expired": "failed", "gone": "missing"},
    "paid": _OVER,
    "ended": _OVER,
}
"""What an answer means, for every standing of a payment page.

`paid`: the money is recorded. `accepted`: it is on its way. `reopened`: the client may still pay. `ended`: nobody can pay
there any more, and nobody did. `failed`: so, and the client, who was thanked, and the agency are told. `missing`: the
provider knows nothing of a payment page where money may have moved, so a person has to look. `asked_again`: later.
`doubted`: later, for money may have moved. `kept`: nothing changes.
"""

UNASKED_MAX: Final = timedelta(days=3)  # how long past its time a page is waited for that the provider says nothing of
PENDING_MAX: Final = timedelta(days=30)  # no payment of a page takes longer to settle
PERSON_HAS: Final = timedelta(days=7)  # what a person has not settled by then no longer keeps anything waiting

Lateness = Literal["in_time", "ask_a_person", "over"]


def lateness(since: datetime, now: datetime, *, pending: bool) -> Lateness:
    """How long money was in doubt since `since`: a person is asked once nobody else can say, and waited for a week.

    `pending`: the provider answers, and says that the payment is under way.
    """
    asked_at = since + (PENDING_MAX if pending else UNASKED_MAX)
    if now < asked_at:
        return "in_time"
    return "ask_a_person" if now < asked_at + PERSON_HAS else "over"


def person_until(since: datetime, *, pending: bool) -> datetime:
    """Until when a person's word is waited for."""
    return since + (PENDING_MAX if pending else UNASKED_MAX) + PERSON_HAS
