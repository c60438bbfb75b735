"""Promises about money: nobody is charged twice, and what an invoice says of itself is what was received for it."""

from shared.store.invariants.invariant import Invariant

INVARIANTS = (
    Invariant(
        "paid_means_payments_reach_the_total",
        "an invoice is paid exactly when its payments, less what was taken back, reach its total; a void one is neither",
        """
        SELECT i.agency_id, i.invoice_id, i.status, i.total_minor, coalesce(p.received_minor, 0) AS received_minor
        FROM invoices AS i
        LEFT JOIN (SELECT agency_id, invoice_id, currency, sum(amount_minor) AS received_minor
                   FROM (SELECT agency_id, invoice_id, currency, amount_minor FROM payments
                         UNION ALL SELECT agency_id, invoice_id, currency, -amount_minor FROM payment_reversals) AS moved
                   GROUP BY agency_id, invoice_id, currency) AS p
          ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id AND p.currency = i.currency
        WHERE i.status <> 'void' AND (i.status = 'paid') <> (coalesce(p.received_minor, 0) >= i.total_minor)
        """,
    ),
    # Money from elsewhere may make a surplus, charges alone never. An earlier attempt that first failed (it has a decline
    # class) and succeeded only after this one went out is the provider's change of mind, recorded as it happened. What was
    # taken back of a charge, be it for a time, was to be collected again.
    Invariant(
        "nobody_is_charged_twice",
        "an invoice is charged only for what its earlier successful charges left of its total",
        """
        WITH succeeded AS (
            SELECT c.agency_id, c.invoice_id, c.attempt, c.amount_minor - coalesce(v.reversed_minor, 0) AS amount_minor,
                   c.sent_at, c.settled_at, c.decline_class, i.total_minor,
                   sum(c.amount_minor - coalesce(v.reversed_minor, 0))
                     OVER (PARTITION BY c.agency_id, c.invoice_id) AS charged_minor
            FROM charges AS c JOIN invoices AS i ON i.agency_id = c.agency_id AND i.invoice_id = c.invoice_id
            LEFT JOIN (SELECT agency_id, source, payment_reference, invoice_id, sum(amount_minor) AS reversed_minor
                       FROM payment_reversals WHERE amount_minor > 0 GROUP BY 1, 2, 3, 4) AS v
              ON v.agency_id = c.agency_id AND v.source = c.provider AND v.payment_reference = c.reference
              AND v.invoice_id = c.invoice_id
            WHERE c.state = 'succeeded'
        ), suspect AS (
            SELECT * FROM succeeded WHERE charged_minor > total_minor
        )
        SELECT c.agency_id, c.invoice_id, c.attempt, c.amount_minor, coalesce(sum(e.amount_minor), 0) AS earlier_minor,
               c.total_minor
        FROM suspect AS c
        LEFT JOIN suspect AS e ON e.agency_id = c.agency_id AND e.invoice_id = c.invoice_id AND e.attempt < c.attempt
          AND NOT (e.decline_class IS NOT NULL AND e.settled_at > c.sent_at)
        GROUP BY c.agency_id, c.invoice_id, c.attempt, c.amount_minor, c.total_minor
        HAVING c.amount_minor + coalesce(sum(e.amount_minor), 0) > c.total_minor
        """,
    ),
    Invariant(
        "every_success_is_a_payment",
        "a charge that succeeded is recorded as a payment of that invoice and amount",
        """
        SELECT c.agency_id, c.invoice_id, c.attempt, c.provider, c.reference, c.amount_minor FROM charges AS c
        WHERE c.state = 'succeeded' AND NOT EXISTS (
            SELECT 1 FROM payments AS p
            WHERE p.agency_id = c.agency_id AND p.source = c.provider AND p.reference = c.reference
              AND p.invoice_id = c.invoice_id AND p.amount_minor = c.amount_minor AND p.currency = c.currency)
        """,
    ),
    # A message that came before its invoice may say that it is void or paid: it is looked at before anybody is asked to pay.
    Invariant(
        "open_invoices_are_collected",
        "an open invoice that is collected automatically has an attempt under way, or is failing, or its collection has ended",
        """
        SELECT i.agency_id, i.invoice_id, i.total_minor, coalesce(p.received_minor, 0) AS received_minor
        FROM invoices AS i
        LEFT JOIN (SELECT agency_id, invoice_id, sum(amount_minor) AS received_minor
                   FROM (SELECT agency_id, invoice_id, amount_minor FROM payments
                         UNION ALL SELECT agency_id, invoice_id, -amount_minor FROM payment_reversals) AS moved
                   GROUP BY agency_id, invoice_id) AS p ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id
        WHERE i.status = 'open' AND i.collection = 'automatic' AND i.total_minor > coalesce(p.received_minor, 0)
          AND i.failing_since IS NULL AND i.exhausted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM charges AS c WHERE c.agency_id = i.agency_id AND c.invoice_id = i.invoice_id
                            AND c.state IN ('due', 'sending', 'unknown', 'pending', 'action_required'))
          AND NOT EXISTS (SELECT 1 FROM inbox AS m WHERE m.agency_id = i.agency_id AND m.state = 'waiting'
                            AND (m.waits_for LIKE 'invoice%' OR m.waits_for LIKE 'settlement/%'))
        """,
    ),
    # Of an attempt in doubt, upstream's word settles the attempt: the payment is the provider's. Before sources were told apart
    # they were all called `upstream`.
    Invariant(
        "told_payments_are_recorded",
        "every payment that upstream told of, in a message that was applied, is recorded",
        """
        SELECT m.agency_id, m.source, m.id, m.said ->> 'reference' AS reference
        FROM (SELECT agency_id, source, id, CAST(ltrim(convert_from(raw, 'UTF8'), chr(65279)) AS jsonb) -> 'data' AS said
              FROM inbox WHERE type = 'duecycle.invoice.paid.v1' AND state = 'applied') AS m
        WHERE NOT EXISTS (
            SELECT 1 FROM payments AS p WHERE p.agency_id = m.agency_id
              AND (p.source, p.reference) IN (
                ('upstream:' || m.source, coalesce(m.said ->> 'reference',
                                                   m.source || '/' || replace(replace(m.id, '%', '%25'), '/', '%2F'))),
                ('upstream', coalesce(m.said ->> 'reference', m.source || '/' || m.id))))
          AND NOT EXISTS (
            SELECT 1 FROM events AS e WHERE e.agency_id = m.agency_id AND e.type = 'charge.resolved'
              AND e.data ->> 'by' = m.source)
        """,
    ),
    # Nothing is decided yet while the first cycle is still to come or under way.
    Invariant(
        "initial_payments_are_recorded",
        "what a checkout took pays the first invoice, or is kept as money without one, once that is decided",
        """
        SELECT s.agency_id, s.subscription_id, s.initial_payment ->> 'reference' AS reference, c.state
        FROM subscriptions AS s
        JOIN cycles AS c ON c.agency_id = s.agency_id AND c.subscription_id = s.subscription_id AND c.stream = 'invoice'
          AND c.cycle_index = 0 AND c.state IN ('done', 'skipped', 'cancelled')
        WHERE s.initial_payment IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM payments AS p JOIN invoices AS i ON i.agency_id = p.agency_id AND i.invoice_id = p.invoice_id
            WHERE p.agency_id = s.agency_id AND i.subscription_id = s.subscription_id
              AND p.source = s.initial_payment ->> 'provider' AND p.reference = s.initial_payment ->> 'reference')
          AND NOT EXISTS (
            SELECT 1 FROM unapplied_payments AS u WHERE u.agency_id = s.agency_id AND u.subscription_id = s.subscription_id
              AND u.source = s.initial_payment ->> 'provider' AND u.reference = s.initial_payment ->> 'reference')
        """,
    ),
    # An attempt in flight is settled first, whatever became of the invoice meanwhile.
    Invariant(
        "nothing_is_collected_after_the_end",
        "no attempt is planned, or waits for the customer, for an invoice that is not open any more",
        """
        SELECT c.agency_id, c.invoice_id, c.attempt, c.state, i.status
        FROM charges AS c JOIN invoices AS i ON i.agency_id = c.agency_id AND i.invoice_id = c.invoice_id
        WHERE c.state IN ('due', 'action_required') AND i.status <> 'open'
        """,
    ),
    Invariant(
        "resolved_invoices_do_not_fail",
        "an invoice that is paid or void is not failing",
        """
        SELECT agency_id, invoice_id, status, failing_since FROM invoices
        WHERE failing_since IS NOT NULL AND status IN ('paid', 'void')
        """,
    ),
)
