"""Subscriptions that we end ourselves."""

from collections.abc import Collection

from shared.store import cycles
from shared.store.database import Transaction


def end(tx: Transaction, agency_id: str, ids: Collection[str], reason: str) -> list[str]:
    """End locked subscriptions for good, from now on: cycles that fall due later are cancelled, whatever upstream says.

    Returns those that had not ended before.
    """
    rows = tx.rows(
        """
        UPDATE subscriptions SET ended_at = :as_of, ended_reason = :reason
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND ended_at IS NULL
        RETURNING subscription_id
        """,
        agency_id=agency_id,
        ids=sorted(ids),
        reason=reason,
        as_of=tx.as_of,
    )
    ended = sorted(row[0] for row in rows)
    cycles.release(tx, agency_id, ended)
    cycles.wake_blocked(tx, agency_id, ended)
    return ended
