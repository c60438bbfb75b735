"""Read whole tables as people and programs outside want to see them, row by row, in a fixed order."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.store.database import Transaction

_SQL = {
    "orders": """
        SELECT agency_id, order_id, subscription_id, cycle_starts_on, cycle_ends_on, created_at, origin, client_id,
               service_id, quantity, renewed_starts_on, renewed_ends_on, renewed_at
        FROM orders ORDER BY created_at, agency_id, subscription_id, cycle_starts_on""",
    "invoices": """
        SELECT i.agency_id, i.invoice_id, coalesce(i.number, i.external_number) AS number, i.external_number,
               i.subscription_id, i.client_id, i.cycle_index, i.cycle_starts_on AS period_starts_on,
               i.cycle_ends_on AS period_ends_on, i.issued_on, i.issued_at, i.due_on, i.status, i.currency,
               i.subtotal_minor, i.tax_minor, i.total_minor, i.paid_at, i.origin, i.collection, i.failing_since,
               coalesce(p.collected, 0) AS collected_minor
        FROM invoices AS i
        LEFT JOIN (SELECT agency_id, invoice_id, sum(amount_minor)::bigint AS collected
                   FROM (SELECT agency_id, invoice_id, amount_minor FROM payments
                         UNION ALL SELECT agency_id, invoice_id, -amount_minor FROM payment_reversals) AS moved
                   GROUP BY 1, 2) AS p
          ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id
        ORDER BY i.issued_at, i.agency_id, i.sequence, i.invoice_id""",
    "charges": """
        SELECT c.agency_id, c.invoice_id, coalesce(i.number, i.external_number) AS invoice_number, c.subscription_id,
               c.attempt, coalesce(c.sent_at, c.settled_at) AS at, CASE WHEN c.state = 'due' THEN 'not_sent' ELSE c.state
               END AS outcome, c.code, c.key, c.amount_minor, c.currency, c.provider, c.payment_method_id,
               c.method_revision, c.settled_at, c.reference
        FROM charges AS c JOIN invoices AS i ON i.agency_id = c.agency_id AND i.invoice_id = c.invoice_id
        WHERE c.state <> 'due' OR c.sent_at IS NOT NULL
        ORDER BY coalesce(c.sent_at, c.settled_at), c.agency_id, c.invoice_id, c.attempt""",
    "notices": """
        SELECT n.agency_id, n.occasion, n.audience, n.recipient AS "to", n.subject, coalesce(n.sent_at, n.created_at) AS at,
               coalesce(i.number, i.external_number) AS invoice_number, n.subscription_id, n.state, n.key, n.message_id,
               n.reason
        FROM notices AS n LEFT JOIN invoices AS i ON i.agency_id = n.agency_id AND i.invoice_id = n.invoice_id
        ORDER BY n.created_at, n.agency_id, n.key""",
    "cycles": """
        SELECT c.agency_id, c.subscription_id, c.stream, c.cycle_index AS index, c.periods, c.starts_on, c.ends_on, c.due_at,
               c.state, c.reason, c.detail, c.held_at, c.blocked_at, c.settled_at, c.blocking_starts_on, c.blocking_invoice_id,
               c.order_id, i.invoice_id
        FROM cycles AS c
        LEFT JOIN invoices AS i ON i.agency_id = c.agency_id AND i.subscription_id = c.subscription_id
          AND c.stream = 'invoice' AND i.cycle_starts_on = c.starts_on AND i.replaced = 0
        ORDER BY c.agency_id, c.subscription_id, c.stream, c.starts_on""",
    "events": """
        SELECT agency_id, event_id, type, subject, subject_seq, at, data FROM events ORDER BY event_id""",
    "rejected": """
        SELECT source, id, agency_id, field, reason FROM inbox WHERE state = 'rejected' ORDER BY inbox_id""",
    "waiting": """
        SELECT source, id, agency_id, waits_for FROM inbox WHERE state = 'waiting' ORDER BY inbox_id""",
}
FILES = ("orders", "invoices", "charges", "notices", "cycles", "events")


def rows_of(tx: Transaction, name: str) -> Iterator[Mapping[str, Any]]:
    """The rows of one of the tables above, fetched in portions, so that memory stays flat however many there are."""
    yield from tx.portions(_SQL[name])
