"""Promises about orders and invoices: one per cycle, with totals that add up and numbers without a gap."""

from shared.store.invariants.invariant import Invariant

INVARIANTS = (
    Invariant(
        "one_document_per_cycle",
        "a cycle has at most one order or one invoice",
        """
        SELECT 'order' AS document, agency_id, subscription_id, cycle_starts_on, count(*) AS documents
        FROM orders GROUP BY agency_id, subscription_id, cycle_starts_on HAVING count(*) > 1
        UNION ALL
        SELECT 'invoice', agency_id, subscription_id, cycle_starts_on, count(*)
        FROM invoices WHERE cycle_starts_on IS NOT NULL AND replaced = 0
        GROUP BY agency_id, subscription_id, cycle_starts_on HAVING count(*) > 1
        """,
    ),
    # An order that is renewed in place is the document of several cycles, so the cycle names it.
    Invariant(
        "done_cycles_have_a_document",
        "a done order cycle names an order of its subscription, and a done invoice cycle has an invoice",
        """
        SELECT agency_id, subscription_id, stream, starts_on, order_id FROM cycles AS c
        WHERE state = 'done' AND stream = 'order' AND NOT EXISTS (
            SELECT 1 FROM orders AS o WHERE o.agency_id = c.agency_id AND o.order_id = c.order_id
              AND o.subscription_id = c.subscription_id)
        UNION ALL
        SELECT agency_id, subscription_id, stream, starts_on, NULL FROM cycles AS c
        WHERE state = 'done' AND stream = 'invoice' AND NOT EXISTS (
            SELECT 1 FROM invoices AS i WHERE i.agency_id = c.agency_id AND i.subscription_id = c.subscription_id
              AND i.cycle_starts_on = c.starts_on)
        """,
    ),
    Invariant(
        "documents_end_their_cycle",
        "the cycle of an order or invoice is done, and that of an order names it",
        """
        SELECT 'order' AS document, o.agency_id, o.order_id AS id, o.cycle_starts_on, c.state, c.order_id
        FROM orders AS o LEFT JOIN cycles AS c ON c.agency_id = o.agency_id AND c.subscription_id = o.subscription_id
          AND c.stream = 'order' AND c.starts_on = o.cycle_starts_on
        WHERE c.state IS DISTINCT FROM 'done' OR c.order_id IS DISTINCT FROM o.order_id
        UNION ALL
        SELECT 'invoice', i.agency_id, i.invoice_id, i.cycle_starts_on, c.state, NULL
        FROM invoices AS i LEFT JOIN cycles AS c ON c.agency_id = i.agency_id AND c.subscription_id = i.subscription_id
          AND c.stream = 'invoice' AND c.starts_on = i.cycle_starts_on
        WHERE i.cycle_starts_on IS NOT NULL
          AND (c.state IS DISTINCT FROM 'done' OR c.cycle_index IS DISTINCT FROM i.cycle_index)
        """,
    ),
    # A tax entry that is not a number counts as nothing, so that it is found instead of ending the query.
    Invariant(
        "totals_add_up",
        "the subtotal is the sum of the lines, the tax the sum of the taxes, and the total both together",
        """
        SELECT i.agency_id, i.invoice_id, i.subtotal_minor, coalesce(l.net_minor, 0) AS lines_minor,
               i.tax_minor, t.tax_minor AS taxes_minor, i.total_minor
        FROM invoices AS i
        LEFT JOIN (SELECT agency_id, invoice_id, sum(net_minor) AS net_minor FROM invoice_lines
                   GROUP BY agency_id, invoice_id) AS l ON l.agency_id = i.agency_id AND l.invoice_id = i.invoice_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE WHEN jsonb_typeof(e -> 'tax_minor') = 'number'
                                     THEN CAST(e -> 'tax_minor' AS numeric) END), 0) AS tax_minor
            FROM jsonb_array_elements(CASE WHEN jsonb_typeof(i.taxes) = 'array' THEN i.taxes ELSE '[]' END) AS e
        ) AS t
        WHERE i.subtotal_minor <> coalesce(l.net_minor, 0) OR i.tax_minor <> t.tax_minor
          OR i.total_minor <> i.subtotal_minor + i.tax_minor
        """,
    ),
    Invariant(
        "numbers_without_gap",
        "an agency's invoices are numbered from 1 without a gap or a repetition, and its series goes on after the last;"
        " a number that upstream gave to an invoice is stepped over",
        """
        WITH used AS (
            SELECT agency_id, sequence FROM invoices WHERE sequence IS NOT NULL
            UNION ALL SELECT agency_id, sequence FROM skipped_numbers WHERE kind = 'invoice'
        ), placed AS (
            SELECT agency_id, sequence, row_number() OVER (PARTITION BY agency_id ORDER BY sequence) AS place FROM used
        ), counted AS (
            SELECT agency_id, count(*) AS numbered, min(place) FILTER (WHERE sequence <> place) AS first_wrong_sequence
            FROM placed GROUP BY agency_id
        ), series AS (
            SELECT agency_id, next_sequence FROM number_series WHERE kind = 'invoice'
        )
        SELECT agency_id, s.next_sequence, coalesce(c.numbered, 0) AS numbered, c.first_wrong_sequence
        FROM series AS s FULL JOIN counted AS c USING (agency_id)
        WHERE c.first_wrong_sequence IS NOT NULL OR s.next_sequence IS DISTINCT FROM coalesce(c.numbered, 0) + 1
        """,
    ),
    Invariant(
        "one_document_per_number",
        "a printed number stands on one document of its agency, whoever gave it",
        """
        SELECT agency_id, number, count(*) AS documents FROM (
            SELECT agency_id, coalesce(number, external_number) AS number FROM invoices
            UNION ALL SELECT agency_id, number FROM credit_notes
        ) AS printed WHERE number IS NOT NULL GROUP BY agency_id, number HAVING count(*) > 1
        """,
    ),
    Invariant(
        "skipped_numbers_are_taken",
        "a number that our series stepped over stands on a document",
        """
        SELECT s.agency_id, s.kind, s.sequence, s.number FROM skipped_numbers AS s
        WHERE NOT EXISTS (SELECT 1 FROM invoices AS i WHERE i.agency_id = s.agency_id
                            AND s.number IN (i.number, i.external_number))
          AND NOT EXISTS (SELECT 1 FROM credit_notes AS n WHERE n.agency_id = s.agency_id AND n.number = s.number)
        """,
    ),
    # At least five digits; the prefix may itself end in a digit.
    Invariant(
        "numbers_end_in_their_sequence",
        "the number printed on an invoice ends in its sequence",
        """
        SELECT agency_id, invoice_id, number, sequence FROM invoices
        WHERE (number IS NULL) <> (sequence IS NULL)
          OR right(number, greatest(5, length(CAST(sequence AS text))))
             <> lpad(CAST(sequence AS text), greatest(5, length(CAST(sequence AS text))), '0')
        """,
    ),
)
