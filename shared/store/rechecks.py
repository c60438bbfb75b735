"""Rechecks: one row per changed fact, processed by the scheduler in batches of the subscriptions it touches.

One that fails waits on its own, with delays that double; later ones of the same fact wait behind it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from shared.store import bulk, tables
from shared.store.database import Transaction

Kind = Literal["agency", "service", "subscription", "payment_method", "method_worked"]


FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=6)


class Recheck(NamedTuple):
    """A changed fact: `ref` is the id of the service, subscription or client; `after_id` how far it has come.

    `credential`: of a payment method that worked, what the provider sees of it.
    """

    recheck_id: int
    agency_id: str
    kind: Kind
    ref: str
    effective_at: datetime
    credential: str | None
    after_id: str | None


class NewRecheck(NamedTuple):
    """A fact that has changed just now."""

    agency_id: str
    kind: Kind
    ref: str
    effective_at: datetime
    credential: str | None = None


def add_all(tx: Transaction, new: Sequence[NewRecheck]) -> None:
    """Say that facts have changed; they are processed in this order."""
    bulk.insert(tx, tables.rechecks, NewRecheck._fields, new)


def take(tx: Transaction, excluded: list[str]) -> Recheck | None:
    """The oldest recheck that no other scheduler is working on, those that failed last; kept until `advance` or `finish`."""
    rows = tx.rows(
        """
        SELECT recheck_id, agency_id, kind, ref, effective_at, credential, after_id FROM rechecks AS r
        WHERE NOT agency_id = ANY(CAST(:excluded AS text[])) AND (retry_at IS NULL OR retry_at <= :as_of)
          AND NOT EXISTS (SELECT 1 FROM rechecks AS e WHERE e.retry_at IS NOT NULL AND e.agency_id = r.agency_id
                            AND e.kind = r.kind AND e.ref = r.ref AND e.recheck_id < r.recheck_id)
        ORDER BY retry_at NULLS FIRST, recheck_id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
        """,
        excluded=excluded,
        as_of=tx.as_of,
    )
    return Recheck._make(rows[0]) if rows else None


def affected(tx: Transaction, recheck: Recheck, limit: int) -> list[str]:
    """The next subscriptions that a recheck touches, by id."""
    column = {"agency": "agency_id", "service": "service_id", "subscription": "subscription_id"}.get(
        recheck.kind, "client_id"
    )
    rows = tx.rows(
        f"""
        SELECT subscription_id FROM subscriptions
        WHERE agency_id = :agency_id AND {column} = :ref AND subscription_id > :after_id
        ORDER BY subscription_id LIMIT :limit
        """,  # noqa: S608
        agency_id=recheck.agency_id,
        ref=recheck.ref,
        after_id=recheck.after_id or "",
        limit=limit,
    )
    return [row[0] for row in rows]


def advance(tx: Transaction, recheck: Recheck, after_id: str) -> None:
    """Remember how far a recheck has come."""
    tx.run(
        "UPDATE rechecks SET after_id = :after_id, failures = 0, retry_at = NULL WHERE recheck_id = :id",
        after_id=after_id,
        id=recheck.recheck_id,
    )


def set_aside(tx: Transaction, recheck: Recheck) -> None:
    """It failed: it is tried again after a delay that doubles each time."""
    tx.run(
        """
        UPDATE rechecks SET failures = failures + 1,
               retry_at = CAST(:as_of AS timestamptz)
                        + least(CAST(:longest AS interval), CAST(:first AS interval) * power(2, least(failures, 20)))
        WHERE recheck_id = :id
        """,
        as_of=tx.as_of,
        first=FIRST_DELAY,
        longest=LONGEST_DELAY,
        id=recheck.recheck_id,
    )


def finish(tx: Transaction, recheck: Recheck) -> None:
    """Every subscription it touches was looked at."""
    tx.run("DELETE FROM rechecks WHERE recheck_id = :id", id=recheck.recheck_id)
