"""What is asked about the invoice cycles of subscriptions: what became of the first one, and which is about to be issued."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import NamedTuple

from shared.store.database import Transaction


class First(NamedTuple):
    """The first invoice cycle of a subscription: its invoice, once there is one; why there is none, once that is certain."""

    invoice_id: str | None
    currency: str | None
    ended_because: str | None


def first_of(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, First]:
    """Of each subscription that has one: its first invoice cycle."""
    rows = tx.rows(
        """
        SELECT c.subscription_id, i.invoice_id, i.currency,
               CASE WHEN c.state IN ('skipped', 'cancelled') AND i.invoice_id IS NULL THEN c.reason END
        FROM cycles AS c
        LEFT JOIN invoices AS i ON i.agency_id = c.agency_id AND i.subscription_id = c.subscription_id
          AND i.cycle_starts_on = c.starts_on AND i.replaced = 0
        WHERE c.agency_id = :agency_id AND c.subscription_id = ANY(CAST(:ids AS text[])) AND c.stream = 'invoice'
          AND c.cycle_index = 0
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: First._make(row[1:]) for row in rows}


def to_come(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, date]:
    """Of each subscription with an invoice cycle that is due and not processed: when the first of them starts."""
    rows = tx.rows(
        """
        SELECT subscription_id, min(starts_on) FROM cycles
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND stream = 'invoice'
          AND state = 'due'
        GROUP BY subscription_id
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: row[1] for row in rows}
