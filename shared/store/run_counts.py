"""Counts for people: rows by state, money by currency."""

from shared.store.database import Transaction

_BY_STATE = {
    "messages": "SELECT state, count(*) FROM inbox GROUP BY 1 ORDER BY 1",
    "orders": "SELECT origin, count(*) FROM orders GROUP BY 1 ORDER BY 1",
    "invoices": "SELECT status, count(*) FROM invoices GROUP BY 1 ORDER BY 1",
    "charges": """
        SELECT state, count(*) FROM charges WHERE state <> 'due' OR sent_at IS NOT NULL GROUP BY 1 ORDER BY 1""",
    "notices": "SELECT occasion, count(*) FROM notices GROUP BY 1 ORDER BY 1",
    "order cycles": "SELECT state, count(*) FROM cycles WHERE stream = 'order' GROUP BY 1 ORDER BY 1",
    "invoice cycles": "SELECT state, count(*) FROM cycles WHERE stream = 'invoice' GROUP BY 1 ORDER BY 1",
}


def by_state(tx: Transaction) -> dict[str, dict[str, int]]:
    """How many rows of each kind are in which state."""
    return {what: {row[0]: row[1] for row in tx.rows(sql)} for what, sql in _BY_STATE.items()}


def money(tx: Transaction) -> dict[str, tuple[int, int, int]]:
    """By currency: invoiced (without void ones), collected, and still open, in minor units."""
    rows = tx.rows(
        """
        SELECT i.currency, sum(i.total_minor) FILTER (WHERE i.status <> 'void')::bigint,
               coalesce(sum(p.collected), 0)::bigint,
               coalesce(sum(greatest(i.total_minor - coalesce(p.collected, 0), 0))
                        FILTER (WHERE i.status = 'open'), 0)::bigint
        FROM invoices AS i
        LEFT JOIN (SELECT agency_id, invoice_id, sum(amount_minor) AS collected
                   FROM (SELECT agency_id, invoice_id, amount_minor FROM payments
                         UNION ALL SELECT agency_id, invoice_id, -amount_minor FROM payment_reversals) AS moved
                   GROUP BY 1, 2) AS p
          ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id
        GROUP BY 1 ORDER BY 1
        """
    )
    return {row[0]: (row[1] or 0, row[2], row[3]) for row in rows}
