"""Promises about cycles, schedules and events: nothing is missing, nothing is silent, nothing is forgotten."""

from shared.store.invariants.invariant import Invariant

INVARIANTS = (
    Invariant(
        "periods_do_not_overlap",
        "the periods of a stream follow each other without overlapping",
        """
        SELECT agency_id, subscription_id, stream, starts_on, ends_on, previous_ends_on
        FROM (SELECT agency_id, subscription_id, stream, starts_on, ends_on,
                     lag(ends_on) OVER (PARTITION BY agency_id, subscription_id, stream ORDER BY starts_on)
                       AS previous_ends_on
              FROM cycles) AS followed
        WHERE previous_ends_on > starts_on OR ends_on <= starts_on
        """,
    ),
    # Counted in the order of dates: a gap, a repeated index and a late cycle with an early index all show.
    Invariant(
        "no_missing_cycle",
        "every index of a stream from 0 up to the schedule's next one has its cycle",
        """
        WITH placed AS (
            SELECT agency_id, subscription_id, stream, cycle_index,
                   sum(periods) OVER (PARTITION BY agency_id, subscription_id, stream ORDER BY starts_on) - periods AS place,
                   periods
            FROM cycles
        ), counted AS (
            SELECT agency_id, subscription_id, stream, sum(periods) AS cycles,
                   min(place) FILTER (WHERE cycle_index <> place) AS first_wrong_index
            FROM placed GROUP BY agency_id, subscription_id, stream
        )
        SELECT agency_id, subscription_id, stream, s.next_index, coalesce(c.cycles, 0) AS cycles, c.first_wrong_index
        FROM schedules AS s FULL JOIN counted AS c USING (agency_id, subscription_id, stream)
        WHERE c.first_wrong_index IS NOT NULL OR s.next_index IS DISTINCT FROM coalesce(c.cycles, 0)
        """,
    ),
    Invariant(
        "due_rows_wake",
        "whatever is still to be done wakes somebody",
        """
        SELECT 'cycle' AS kind, agency_id, concat_ws(' ', subscription_id, stream, starts_on) AS id, state
        FROM cycles WHERE wake_at IS NULL AND state IN ('due', 'waiting', 'held', 'blocked')
        UNION ALL
        SELECT 'charge', agency_id, concat_ws(' ', invoice_id, attempt), state
        FROM charges WHERE wake_at IS NULL AND state IN ('due', 'sending', 'unknown', 'pending', 'action_required')
        UNION ALL
        SELECT 'refund', agency_id, concat_ws(' ', invoice_id, refund_seq), state
        FROM refunds WHERE wake_at IS NULL AND state IN ('due', 'sending', 'unknown', 'pending')
        UNION ALL
        SELECT 'link', agency_id, concat_ws(' ', invoice_id, link_seq), state
        FROM pay_links WHERE wake_at IS NULL AND state IN ('opening', 'open', 'paying')
        UNION ALL
        SELECT 'inquiry', agency_id, concat_ws(' ', provider, reference), state
        FROM payment_inquiries WHERE wake_at IS NULL AND state = 'asking'
        UNION ALL
        SELECT 'notice', agency_id, key, state FROM notices WHERE wake_at IS NULL AND state = 'due'
        """,
    ),
    # An ended attempt of which somebody says that money moved all the same is asked about once more.
    Invariant(
        "ended_rows_sleep",
        "whatever has come to its end wakes nobody",
        """
        SELECT 'cycle' AS kind, agency_id, concat_ws(' ', subscription_id, stream, starts_on) AS id, state
        FROM cycles WHERE wake_at IS NOT NULL AND state IN ('done', 'skipped', 'cancelled')
        UNION ALL
        SELECT 'charge', agency_id, concat_ws(' ', invoice_id, attempt), state
        FROM charges WHERE wake_at IS NOT NULL AND state IN ('succeeded', 'declined', 'not_sent')
          AND NOT (state IN ('declined', 'not_sent') AND doubtful_since IS NOT NULL)
        UNION ALL
        SELECT 'refund', agency_id, concat_ws(' ', invoice_id, refund_seq), state
        FROM refunds WHERE wake_at IS NOT NULL AND state IN ('succeeded', 'failed')
        UNION ALL
        SELECT 'link', agency_id, concat_ws(' ', invoice_id, link_seq), state
        FROM pay_links WHERE wake_at IS NOT NULL AND state IN ('paid', 'ended')
        UNION ALL
        SELECT 'inquiry', agency_id, concat_ws(' ', provider, reference), state
        FROM payment_inquiries WHERE wake_at IS NOT NULL AND state <> 'asking'
        UNION ALL
        SELECT 'notice', agency_id, key, state FROM notices WHERE wake_at IS NOT NULL AND state <> 'due'
        UNION ALL
        SELECT 'message', agency_id, concat_ws(' ', source, id), state
        FROM inbox WHERE wake_at IS NOT NULL AND state <> 'waiting'
        """,
    ),
    Invariant(
        "ends_say_why",
        "every cycle that is skipped, cancelled, blocked, held or waiting says why",
        """
        SELECT agency_id, subscription_id, stream, starts_on, state FROM cycles
        WHERE state IN ('skipped', 'cancelled', 'blocked', 'held', 'waiting') AND coalesce(reason, '') = ''
        """,
    ),
    Invariant(
        "unsent_notices_say_why",
        "every notice that failed or was skipped says why",
        """
        SELECT agency_id, key, state FROM notices WHERE state IN ('failed', 'skipped') AND coalesce(reason, '') = ''
        """,
    ),
    # In the series the invoice's cycle is named; outside of it only the invoice itself can be.
    Invariant(
        "held_by_an_unresolved_invoice",
        "every held cycle names the invoice that holds it, and that one is open or uncollectible",
        """
        SELECT agency_id, subscription_id, stream, starts_on, reason, blocking_starts_on, blocking_invoice_id
        FROM cycles AS c
        WHERE state = 'held' AND NOT EXISTS (
            SELECT 1 FROM invoices AS i
            WHERE i.agency_id = c.agency_id AND i.subscription_id = c.subscription_id
              AND i.status IN ('open', 'uncollectible')
              AND (c.blocking_starts_on IS NOT NULL OR c.blocking_invoice_id IS NOT NULL)
              AND (c.blocking_invoice_id IS NULL OR i.invoice_id = c.blocking_invoice_id)
              AND (c.blocking_starts_on IS NULL AND i.cycle_starts_on IS NULL
                   OR i.cycle_starts_on = c.blocking_starts_on)
        )
        """,
    ),
    Invariant(
        "paid_periods_are_delivered",
        "no order waits for a payment that has come",
        """
        SELECT c.agency_id, c.subscription_id, c.starts_on, c.reason, i.invoice_id
        FROM cycles AS c
        JOIN subscriptions AS s ON s.agency_id = c.agency_id AND s.subscription_id = c.subscription_id
          AND s.checkout = 'self_checkout'
        JOIN cycles AS p ON p.agency_id = c.agency_id AND p.subscription_id = c.subscription_id AND p.stream = 'invoice'
          AND p.starts_on <= c.starts_on AND p.ends_on > c.starts_on
        JOIN invoices AS i ON i.agency_id = p.agency_id AND i.subscription_id = p.subscription_id
          AND i.cycle_starts_on = p.starts_on AND i.replaced = 0 AND i.status = 'paid'
        WHERE c.stream = 'order' AND c.state = 'waiting'
        """,
    ),
    Invariant(
        "facts_are_not_of_the_future",
        "no fact counts from a moment more than five minutes ahead of the clock",
        """
        SELECT fact, agency_id, id, effective_at FROM (
            SELECT 'agency' AS fact, agency_id, agency_id AS id, effective_at FROM agencies
            UNION ALL SELECT 'client', agency_id, client_id, effective_at FROM clients
            UNION ALL SELECT 'service', agency_id, service_id, effective_at FROM service_revisions
            UNION ALL SELECT 'payment method', agency_id, payment_method_id, effective_at FROM payment_methods
            UNION ALL SELECT 'subscription', agency_id, subscription_id, effective_at FROM subscription_revisions
        ) AS facts WHERE effective_at > CAST(:as_of AS timestamptz) + interval '5 minutes'
        """,
    ),
    Invariant(
        "no_late_release",
        "whoever resolves an invoice releases what it held; the safety net finds nothing left to release",
        "SELECT agency_id, subject, subject_seq, at, data FROM events WHERE type = 'cycle.released_late'",
    ),
    Invariant(
        "events_without_gap",
        "the events of a subject are numbered 1, 2, 3 and so on without a gap",
        """
        SELECT agency_id, subject, min(place) AS first_wrong_seq, count(*) AS events_after_it
        FROM (SELECT agency_id, subject, subject_seq,
                     row_number() OVER (PARTITION BY agency_id, subject ORDER BY subject_seq) AS place
              FROM events) AS placed
        WHERE subject_seq <> place GROUP BY agency_id, subject
        """,
    ),
    Invariant(
        "waiting_events_go_out",
        "an event waits for a refused one of its subject that is tried again, and for nothing else",
        """
        SELECT e.agency_id, e.subject, e.subject_seq FROM events AS e
        LEFT JOIN refused_events AS r ON r.agency_id = e.agency_id AND r.subject = e.subject AND r.event_id <= e.event_id
        WHERE e.waits AND (e.published_at IS NOT NULL OR r.event_id IS NULL)
        UNION ALL
        SELECT r.agency_id, r.subject, e.subject_seq FROM refused_events AS r
        LEFT JOIN events AS e ON e.agency_id = r.agency_id AND e.event_id = r.event_id
        WHERE e.waits IS NOT TRUE
        """,
    ),
)
