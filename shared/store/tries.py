"""Tries of due cycles: counted before the work, forgotten after an orderly end, so that a row that kills its worker is found.

Counting and forgetting need no subscription's lock: rows that somebody is writing are passed over, never waited for.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.facts import Stream
from shared.domain.states import CYCLE_UNSETTLED
from shared.store import bulk
from shared.store.database import Transaction

_FREE = """
FROM (SELECT agency_id, subscription_id, stream, starts_on FROM cycles
      WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND stream = :stream
        AND state = 'due' AND {} FOR NO KEY UPDATE SKIP LOCKED) AS k
WHERE c.agency_id = k.agency_id AND c.subscription_id = k.subscription_id AND c.stream = k.stream
  AND c.starts_on = k.starts_on"""


def count(tx: Transaction, agency_id: str, ids: Sequence[str], stream: Stream) -> None:
    """A worker got these a second time: count a try before the work, so that one that kills its worker is found."""
    tx.run(
        f"UPDATE cycles AS c SET tries = c.tries + 1 {_FREE.format('dispatches > 1')}",  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
        stream=stream,
    )


def forget(tx: Transaction, agency_id: str, ids: Sequence[str], stream: Stream) -> None:
    """The worker came to an orderly end: what is still due did not kill it."""
    tx.run(
        f"UPDATE cycles AS c SET tries = 0 {_FREE.format('tries > 0')}",  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
        stream=stream,
    )


def over_try_limit(tx: Transaction, agency_id: str, ids: Sequence[str], stream: Stream, tries_max: int) -> set[str]:
    """Subscriptions among `ids` with a due cycle that was tried too often."""
    rows = tx.rows(
        """
        SELECT DISTINCT subscription_id FROM cycles
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND stream = :stream
          AND state = 'due' AND tries >= :tries_max
        """,
        agency_id=agency_id,
        ids=list(ids),
        stream=stream,
        tries_max=tries_max,
    )
    return {row[0] for row in rows}


class KilledAWorker(NamedTuple):
    """A subscription with a cycle that was blocked because it killed a worker."""

    subscription_id: str
    blocked_at: datetime
    wake_at: datetime


def killed_a_worker(
    tx: Transaction, agency_id: str, ids: Sequence[str], stream: Stream, reason: str
) -> list[KilledAWorker]:
    """Which of these subscriptions have a cycle of `stream` that is blocked for `reason`; one row for each."""
    rows = tx.rows(
        """
        SELECT DISTINCT ON (subscription_id) subscription_id, blocked_at, wake_at FROM cycles
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND stream = :stream
          AND state = 'blocked' AND reason = :reason ORDER BY subscription_id, starts_on
        """,
        agency_id=agency_id,
        ids=list(ids),
        stream=stream,
        reason=reason,
    )
    return [KilledAWorker._make(row) for row in rows]


def postpone(tx: Transaction, agency_id: str, stream: Stream, until: Sequence[tuple[str, datetime]]) -> None:
    """Dispatch nothing before `until` for the unsettled cycles of locked subscriptions: (subscription, until)."""
    tx.run(
        f"""
        UPDATE cycles AS c SET wake_at = v.until
        FROM unnest(CAST(:ids AS text[]), CAST(:until AS timestamptz[])) AS v(subscription_id, until)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.subscription_id AND c.stream = :stream
          AND {bulk.still_in("c.state", CYCLE_UNSETTLED)}
        """,  # noqa: S608
        agency_id=agency_id,
        stream=stream,
        ids=[each[0] for each in until],
        until=[each[1] for each in until],
    )
