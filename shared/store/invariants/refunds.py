"""Promises about money that goes back or is taken back: never more than came in, and every credit note has its refund."""

from shared.store.invariants.invariant import Invariant

INVARIANTS = (
    Invariant(
        "no_more_goes_back_than_came_in",
        "the refunds of a payment are in its currency, and together with what was taken back not more than it",
        """
        SELECT p.agency_id, p.source, p.reference, p.invoice_id, p.amount_minor, r.refunded_minor, v.reversed_minor
        FROM payments AS p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_minor), 0) AS refunded_minor, bool_or(currency <> p.currency) AS other
            FROM refunds WHERE agency_id = p.agency_id AND source = p.source AND payment_reference = p.reference
              AND invoice_id = p.invoice_id AND state <> 'failed'
        ) AS r
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_minor), 0) AS reversed_minor FROM payment_reversals
            WHERE agency_id = p.agency_id AND source = p.source AND payment_reference = p.reference
              AND invoice_id = p.invoice_id
        ) AS v
        WHERE r.refunded_minor + v.reversed_minor > p.amount_minor OR r.other
        """,
    ),
    Invariant(
        "what_goes_back_came_in",
        "every refund, and everything that was taken back, is of a payment of that invoice",
        """
        SELECT 'refund' AS what, agency_id, invoice_id, source, payment_reference FROM refunds AS r
        WHERE NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.agency_id = r.agency_id AND p.source = r.source
                            AND p.reference = r.payment_reference AND p.invoice_id = r.invoice_id)
        UNION ALL
        SELECT 'reversal', agency_id, invoice_id, source, payment_reference FROM payment_reversals AS v
        WHERE NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.agency_id = v.agency_id AND p.source = v.source
                            AND p.reference = v.payment_reference AND p.invoice_id = v.invoice_id
                            AND p.currency = v.currency)
        """,
    ),
    # Money that came back again is a row with a negative amount.
    Invariant(
        "no_more_comes_back_than_was_taken",
        "of a payment no more comes back than was taken back of it",
        """
        SELECT agency_id, source, payment_reference, invoice_id, sum(amount_minor) AS reversed_minor
        FROM payment_reversals GROUP BY agency_id, source, payment_reference, invoice_id HAVING sum(amount_minor) < 0
        """,
    ),
    Invariant(
        "credit_notes_stand_for_refunds",
        "a credit note is of a refund that went through (be it sent back later), takes back no more, and its taxes add up",
        """
        SELECT n.agency_id, n.invoice_id, n.refund_seq, n.total_minor, r.amount_minor AS refunded_minor, r.state,
               t.net_minor, t.tax_minor
        FROM credit_notes AS n
        JOIN refunds AS r ON r.agency_id = n.agency_id AND r.invoice_id = n.invoice_id AND r.refund_seq = n.refund_seq
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CAST(e -> 'net_minor' AS bigint)), 0) AS net_minor,
                   coalesce(sum(CAST(e -> 'tax_minor' AS bigint)), 0) AS tax_minor
            FROM jsonb_array_elements(n.taxes) AS e
        ) AS t
        WHERE (r.state <> 'succeeded' AND NOT (r.state = 'failed' AND r.code IS NOT DISTINCT FROM 'returned'))
          OR n.total_minor > r.amount_minor OR n.currency <> r.currency
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
