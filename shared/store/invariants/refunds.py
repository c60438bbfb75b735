"""Promises about money that goes back: never more than came in, and every credit note stands for a refund that happened."""

from shared.store.invariants.invariant import Invariant

INVARIANTS = (
    Invariant(
        "no_more_goes_back_than_came_in",
        "the refunds of a payment are of its invoice and currency, and together not more than it",
        """
        SELECT p.agency_id, p.source, p.reference, p.amount_minor, sum(r.amount_minor) AS refunded_minor
        FROM payments AS p JOIN refunds AS r ON r.agency_id = p.agency_id AND r.source = p.source
          AND r.payment_reference = p.reference AND r.invoice_id = p.invoice_id AND r.state <> 'failed'
        GROUP BY p.agency_id, p.source, p.reference, p.amount_minor, p.invoice_id, p.currency
        HAVING sum(r.amount_minor) > p.amount_minor OR bool_or(r.currency <> p.currency)
        """,
    ),
    Invariant(
        "credit_notes_stand_for_refunds",
        "a credit note is of a refund that went through, takes back no more than it gave, and its taxes add up",
        """
        SELECT n.agency_id, n.invoice_id, n.turn, n.total_minor, r.amount_minor AS refunded_minor, r.state,
               t.net_minor, t.tax_minor
        FROM credit_notes AS n
        JOIN refunds AS r ON r.agency_id = n.agency_id AND r.invoice_id = n.invoice_id AND r.turn = n.turn
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CAST(e -> 'net_minor' AS bigint)), 0) AS net_minor,
                   coalesce(sum(CAST(e -> 'tax_minor' AS bigint)), 0) AS tax_minor
            FROM jsonb_array_elements(n.taxes) AS e
        ) AS t
        WHERE r.state <> 'succeeded' OR n.total_minor > r.amount_minor OR n.currency <> r.currency
          OR n.subtotal_minor <> t.net_minor OR n.tax_minor <> t.tax_minor
        """,
    ),
    Invariant(
        "no_more_is_credited_than_invoiced",
        "the credit notes of an invoice take back no more than its total",
        """
        SELECT i.agency_id, i.invoice_id, i.total_minor, sum(n.total_minor) AS credited_minor
        FROM invoices AS i JOIN credit_notes AS n ON n.agency_id = i.agency_id AND n.invoice_id = i.invoice_id
        GROUP BY i.agency_id, i.invoice_id, i.total_minor HAVING sum(n.total_minor) > i.total_minor
        """,
    ),
    Invariant(
        "credit_notes_without_gap",
        "an agency's credit notes are numbered from 1 without a gap or a repetition, and the series goes on after the last",
        """
        WITH used AS (
            SELECT agency_id, sequence FROM credit_notes
            UNION ALL SELECT agency_id, sequence FROM skipped_numbers WHERE kind = 'credit_note'
        ), placed AS (
            SELECT agency_id, sequence, row_number() OVER (PARTITION BY agency_id ORDER BY sequence) AS place FROM used
        ), counted AS (
            SELECT agency_id, count(*) AS numbered, min(place) FILTER (WHERE sequence <> place) AS first_wrong_sequence
            FROM placed GROUP BY agency_id
        ), series AS (
            SELECT agency_id, next_sequence FROM number_series WHERE kind = 'credit_note'
        )
        SELECT agency_id, s.next_sequence, coalesce(c.numbered, 0) AS numbered, c.first_wrong_sequence
        FROM series AS s FULL JOIN counted AS c USING (agency_id)
        WHERE c.first_wrong_sequence IS NOT NULL OR s.next_sequence IS DISTINCT FROM coalesce(c.numbered, 0) + 1
        """,
    ),
)
