"""Cycles that were passed over since they ended before their subscription was known, and a `bill_from` that comes later."""

from datetime import date

from shared.domain.facts import Stream
from shared.domain.planning import BEFORE_CUT_OVER, BEFORE_KNOWN
from shared.domain.states import CYCLE_UNSETTLED
from shared.store import bulk
from shared.store.database import Transaction

# As `Limits.passed_over`: what began before a cut-over, or else what had ended by the date, is none of ours.
_BEFORE = "CASE WHEN :cut_over THEN starts_on < :bill_from ELSE ends_on <= :bill_from END"


def first_document_before(
    tx: Transaction, agency_id: str, subscription_id: str, bill_from: date, *, cut_over: bool
) -> date | None:
    """The start of the first cycle that has a document although a date passes it over; None if there is none."""
    found: date | None = tx.scalar(
        f"""
        SELECT min(starts_on) FROM cycles
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND state = 'done' AND {_BEFORE}
        """,  # noqa: S608
        agency_id=agency_id,
        subscription_id=subscription_id,
        bill_from=bill_from,
        cut_over=cut_over,
    )
    return found


def skip_before(
    tx: Transaction, agency_id: str, subscription_id: str, bill_from: date, *, cut_over: bool
) -> list[tuple[Stream, date]]:
    """Skip the unsettled cycles of a locked subscription that a date passes over. Returns them as (stream, starts_on)."""
    rows = tx.rows(
        f"""
        UPDATE cycles SET state = 'skipped', reason = :reason, detail = NULL, wake_at = NULL, settled_at = :as_of, tries = 0
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id
          AND {bulk.still_in("state", CYCLE_UNSETTLED)} AND {_BEFORE}
        RETURNING stream, starts_on
        """,  # noqa: S608
        agency_id=agency_id,
        subscription_id=subscription_id,
        bill_from=bill_from,
        cut_over=cut_over,
        reason=BEFORE_CUT_OVER if cut_over else BEFORE_KNOWN,
        as_of=tx.as_of,
    )
    return sorted((row[0], row[1]) for row in rows)


def reopen_since(tx: Transaction, agency_id: str, subscription_id: str, bill_from: date) -> int:
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
