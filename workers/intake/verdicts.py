"""What becomes of a message, and how a revision compares with what is stored."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypedDict

from shared.domain.clock import shown
from shared.messages import Change, InvoicePaid, InvoiceRefunded, SubscriptionUpserted, content_digest
from shared.store.fact_buffer import Standing


class Applied(NamedTuple):
    """Something changed. `arrived`: what other messages may have been waiting for."""

    arrived: tuple[str, ...] = ()


class Repeated(NamedTuple):
    """It says what is known already, so nothing changed."""


class Stale(NamedTuple):
    """A later revision counts already."""


class Waits(NamedTuple):
    """It refers to something not yet known, or must wait for a settlement."""

    waits_for: str


class Refused(NamedTuple):
    """It can't be applied: the field, and what to do."""

    field: str
    reason: str


Verdict = Applied | Repeated | Stale | Waits | Refused
# How far ahead of the database's clock a message may date what it is about.
AHEAD_MAX: Final = timedelta(minutes=5)


def too_far_ahead(change: Change, now: datetime) -> Refused | None:
    """The refusal of a message that dates something more than five minutes ahead of our clock: `time`, or when money moved.

    Such a typo would outrank every later truth. What is planned (starts, ends, the cut-over) may lie ahead.
    """
    data = change.data
    paid = data.initial_payment if isinstance(data, SubscriptionUpserted) else None
    dated = {
        "time": change.time,
        "data.paid_at": data.paid_at if isinstance(data, InvoicePaid) else None,
        "data.refunded_at": data.refunded_at if isinstance(data, InvoiceRefunded) else None,
        "data.initial_payment.paid_at": None if paid is None else paid.paid_at,
    }
    for field, at in dated.items():
        if at is not None and at > now + AHEAD_MAX:
            return Refused(
                field,
                f"is {shown(at)}, ahead of our clock ({shown(now)}); it can't lie in the future:"
                " send the moment at which it became true",
            )
    return None


class Accepted(NamedTuple):
    """A new revision, effective from the message's time, never before the one it follows."""

    effective_at: datetime
    digest: str
    first: bool


def compare(change: Change, revision: int, stored: Standing | None) -> Accepted | Verdict:
    """Accept a higher revision. A lower one is stale, an equal one a repeat, or a conflict if its content differs."""
    digest = content_digest(change.data)
    if stored is None:
        return Accepted(change.time, digest, first=True)
    if revision < stored.revision:
        return Stale()
    if revision > stored.revision:
        return Accepted(max(change.time, stored.effective_at), digest, first=False)
    if digest == stored.digest:
        return Repeated()
    return Refused(
        "data.revision",
        f"revision {revision} is stored already with other content; send the new state with a higher revision",
    )


class OfChange(TypedDict):
    """Which message an event answers."""

    agency_id: str | None
    change_source: str
    change_id: str
    change_type: str


def of_change(change: Change) -> OfChange:
    """Which message an event answers, in the names of events."""
    return {
        "agency_id": change.data.agency_id,
        "change_source": change.source,
        "change_id": change.id,
        "change_type": change.type,
    }
