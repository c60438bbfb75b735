"""What the clearance of orders looks at: the invoices that are not resolved, and the one whose period covers an order."""

from collections.abc import Sequence
from datetime import date

from shared.domain.clearance import Covering, Unresolved
from shared.store.database import Transaction


def unresolved(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, list[Unresolved]]:
    """Of each subscription: its open and uncollectible invoices, oldest first."""
    rows = tx.rows(
        """
        SELECT i.subscription_id, i.invoice_id, i.cycle_starts_on, i.status, i.failing_since IS NOT NULL, i.due_on,
               coalesce(c.unanswered, false)
        FROM invoices AS i
        CROSS JOIN LATERAL (
            SELECT bool_or(state IN ('due', 'sending', 'unknown'))
                   AND NOT bool_or(state IN ('pending', 'action_required', 'succeeded', 'declined')) AS unanswered
            FROM charges WHERE agency_id = i.agency_id AND invoice_id = i.invoice_id
        ) AS c
        WHERE i.agency_id = :agency_id AND i.subscription_id = ANY(CAST(:ids AS text[]))
          AND i.status IN ('open', 'uncollectible')
        ORDER BY i.subscription_id, i.issued_at, i.invoice_id
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    found: dict[str, list[Unresolved]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Unresolved._make(row[1:]))
    return found


def covering(tx: Transaction, agency_id: str, orders: Sequence[tuple[str, date]]) -> dict[tuple[str, date], Covering]:
    """Of each order cycle, given as (subscription, starts_on): the invoice cycle whose period contains its date."""
    rows = tx.rows(
        """
        SELECT k.subscription_id, k.starts_on, c.starts_on, c.state, c.reason, i.status
        FROM unnest(CAST(:ids AS text[]), CAST(:starts AS date[])) AS k(subscription_id, starts_on)
        CROSS JOIN LATERAL (
            SELECT starts_on, ends_on, state, reason FROM cycles
            WHERE agency_id = :agency_id AND subscription_id = k.subscription_id AND stream = 'invoice'
              AND starts_on <= k.starts_on
            ORDER BY starts_on DESC LIMIT 1
        ) AS c
        LEFT JOIN invoices AS i ON i.agency_id = :agency_id AND i.subscription_id = k.subscription_id
          AND i.cycle_starts_on = c.starts_on AND i.replaced = 0
        WHERE c.ends_on > k.starts_on
        """,
        agency_id=agency_id,
        ids=[each[0] for each in orders],
        starts=[each[1] for each in orders],
    )
    return {(row[0], row[1]): Covering._make(row[2:]) for row in rows}
