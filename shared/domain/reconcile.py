"""How an attempt of unknown outcome is resolved: by the same request under the same key while the provider remembers it, then
by asking, and in the end by a person. Never by a new key.

Retention of keys: Stripe at least 24 h (docs.stripe.com/api/idempotent_requests), PayPal orders 6 h (`PayPal-Request-Id` in
PayPal's REST specification of orders v2); an hour and more is kept in hand.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

RETENTION: Final[Mapping[str, timedelta]] = {"stripe": timedelta(hours=20), "paypal": timedelta(hours=5)}
# PayPal keeps the keys of payments v2, which refunds belong to, for 45 days.
REFUND_RETENTION: Final[Mapping[str, timedelta]] = {"stripe": timedelta(hours=20), "paypal": timedelta(days=40)}
# A stored error is replayed for ever, so sending again is not the only thing that is tried.
RESEND_FOR: Final = timedelta(minutes=10)
PERSON_AFTER: Final = timedelta(hours=72)
PENDING_MAX: Final = timedelta(days=30)  # no debit and no refund that was accepted takes longer to settle

Step = Literal["resend", "lookup"]


def next_step(
    provider: str, *, sent_at: datetime, reference: str | None, doubtful_since: datetime | None, now: datetime
) -> Step:
    """What to do about an attempt that may have moved money.

    One that the provider has accepted, under an id that we know, is only asked about. One whose answer was lost is sent again
    within the first ten minutes, as long as its key is remembered; then it is looked for.
    """
    young = doubtful_since is None or now - doubtful_since < RESEND_FOR
    return "resend" if reference is None and is_remembered(provider, sent_at, now) and young else "lookup"


def is_remembered(provider: str, sent_at: datetime, now: datetime) -> bool:
    """True while the same request under the same key can't move money a second time."""
    return now - sent_at < RETENTION.get(provider, timedelta(0))


def next_step_of_refund(
    provider: str, *, sent_at: datetime, reference: str | None, doubtful_since: datetime | None, now: datetime
) -> Step:
    """The same for a refund."""
    young = doubtful_since is None or now - doubtful_since < RESEND_FOR
    return "resend" if reference is None and is_refund_remembered(provider, sent_at, now) and young else "lookup"


def is_refund_remembered(provider: str, sent_at: datetime, now: datetime) -> bool:
    """True while the same request under the same key can't give the money a second time."""
    return now - sent_at < REFUND_RETENTION.get(provider, timedelta(0))


def needs_a_person(doubtful_since: datetime, now: datetime, *, pending: bool = False) -> bool:
    """True once nobody but a person can say what became of it. `pending`: the provider has accepted it."""
    return now - doubtful_since >= (PENDING_MAX if pending else PERSON_AFTER)
