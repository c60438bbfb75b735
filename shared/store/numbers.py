"""Gapless numbers: one row per agency and kind of document, locked last and only until the transaction ends."""

from datetime import date

from shared.store.transaction import Tx


def take(tx: Tx, agency_id: str, kind: str, count: int, issued_on: date | None) -> tuple[int, date | None]:
    """Take `count` numbers in a row; a rollback gives them back, so the series has no gap.

    Returns the first number, and the date of issue to print: `issued_on`, but never before the series' last one.
    Several series are locked in sorted order of agency and kind; nothing else is locked after them.
    """
    rows = tx.rows(
        """
        INSERT INTO number_series AS n (agency_id, kind, next_sequence, last_issued_on)
        VALUES (:agency_id, :kind, 1 + :count, :issued_on)
        ON CONFLICT (agency_id, kind) DO UPDATE
          SET next_sequence = n.next_sequence + :count, last_issued_on = greatest(n.last_issued_on, :issued_on)
        RETURNING next_sequence - :count, last_issued_on
        """,
        agency_id=agency_id,
        kind=kind,
        count=count,
        issued_on=issued_on,
    )
    return rows[0][0], rows[0][1]
