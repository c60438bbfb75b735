"""Cycles that were passed over since they ended before their subscription was known, and a `bill_from` that comes later."""

from datetime import date

from shared.store.transaction import Tx


def first_document_before(tx: Tx, agency_id: str, subscription_id: str, bill_from: date) -> date | None:
    """The start of the first cycle that has a document although its period ended before a date; None if there is none."""
    found: date | None = tx.scalar(
        """
        SELECT min(starts_on) FROM cycles
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND state = 'done' AND ends_on <= :bill_from
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        bill_from=bill_from,
    )
    return found


def reopen_since(tx: Tx, agency_id: str, subscription_id: str, bill_from: date) -> int:
    """Open the passed over cycles of a locked subscription again whose period ends after a date, or, where it was billed
    elsewhere until the cut-over, begins then or later. Returns how many."""
    return tx.run(
        """
        UPDATE cycles SET state = 'due', reason = NULL, settled_at = NULL, wake_at = :as_of
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND state = 'skipped'
          AND (reason = 'before_known' AND ends_on > :bill_from OR reason = 'before_cut_over' AND starts_on >= :bill_from)
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        bill_from=bill_from,
        as_of=tx.as_of,
    )
