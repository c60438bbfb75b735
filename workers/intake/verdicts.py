"""What becomes of a message, and how a revision compares with what is stored."""

from datetime import datetime
from typing import NamedTuple

from shared.messages import Change, content_digest
from shared.store.upserts import Standing


class Applied(NamedTuple):
    """It counts now. `arrived`: what other messages may have been waiting for."""

    arrived: tuple[str, ...] = ()


class Stale(NamedTuple):
    """A later revision counts already."""


class Waits(NamedTuple):
    """It refers to something not yet known, or must wait for a settlement."""

    waits_for: str


class Refused(NamedTuple):
    """It can't be applied: the field, and what to do."""

    field: str
    reason: str


Verdict = Applied | Stale | Waits | Refused


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
        return Applied()
    return Refused(
        "data.revision",
        f"revision {revision} is stored already with other content; send the new state with a higher revision",
    )
