"""Rows for the scheduler's tests, written directly: what a pool would find, without the story behind it."""

from shared.store.database import Store

# So many rows need new sessions: one that was used by other tests checks their owners by plans for tables that were empty.
MANY = 1000


def due_cycles(store: Store, agency_id: str, count: int, *, stream: str = "invoice", tries: int = 0) -> None:
    """An agency with `count` subscriptions, each with one due cycle of `stream` that wakes now."""
    if count >= MANY:
        store.engine.dispose()
    with store.transaction() as tx:
        tx.run("SET LOCAL statement_timeout = 0")  # a busy machine takes its time
        tx.run(
            """
            INSERT INTO agencies (agency_id, revision, effective_at, name, timezone, currency, email, locale, invoice_prefix,
                                  payment_terms_days, issue_time, gateway, retry_days, on_exhausted, backlog, hold_on, digest)
            VALUES (:agency, 1, :at, 'A', 'Europe/Berlin', 'EUR', 'a@a.example', 'en', '', 14, '00:00', 'sandbox', '[1]',
                    'leave_open', 'all', 'failure', 'x')
            """,
            agency=agency_id,
            at=tx.as_of,
        )
        tx.run(
            """
            INSERT INTO subscriptions (agency_id, subscription_id, revision, effective_at, known_since, client_id, service_id,
                                       checkout, starts_on, status, quantity, collection, digest)
            SELECT :agency, 's' || lpad(n::text, 6, '0'), 1, :at, :at, 'c', 'v', 'self_checkout', '2026-06-01', 'active', 1,
                   'automatic', 'x'
            FROM generate_series(1, :count) AS n
            """,
            agency=agency_id,
            at=tx.as_of,
            count=count,
        )
        tx.run(
            """
            INSERT INTO cycles (agency_id, subscription_id, stream, starts_on, ends_on, cycle_index, due_at, state, wake_at,
                                tries)
            SELECT agency_id, subscription_id, :stream, '2026-06-01', '2026-07-01', 0, :at, 'due', :at, :tries
            FROM subscriptions WHERE agency_id = :agency
            """,
            agency=agency_id,
            stream=stream,
            at=tx.as_of,
            tries=tries,
        )


def schedule(store: Store, agency_id: str, subscription_id: str, *, next_at: str, unit: str = "month") -> None:
    """A schedule of the order stream of a subscription, anchored on 1 June 2026, due at `next_at`."""
    with store.transaction() as tx:
        tx.run(
            """
            INSERT INTO schedules (agency_id, subscription_id, stream, anchor_on, unit, every, next_at, planned_until)
            VALUES (:agency, :id, 'order', '2026-06-01', :unit, 1, CAST(:next_at AS timestamptz), '2026-06-01')
            """,
            agency=agency_id,
            id=subscription_id,
            unit=unit,
            next_at=next_at,
        )
