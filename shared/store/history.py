"""Everything that is known of one subscription: revisions, events, notices, documents and attempts. For operators; reads only.

No payment token and no recipient's address is read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.keys import subscription_subject
from shared.store.database import Transaction

Rows = list[dict[str, Any]]


class Named(NamedTuple):
    """Which subscription is meant, and which of its invoices (None: all of it)."""

    agency_id: str
    subscription_id: str
    invoice_id: str | None = None


class Known(NamedTuple):
    """The rows of one subscription, each kind in its own order; `as_of` is when they were read."""

    as_of: datetime
    agency: dict[str, Any]
    subscription: dict[str, Any]
    revisions: Rows
    prices: Rows
    methods: Rows
    schedules: Rows
    cycles: Rows
    invoices: Rows
    charges: Rows
    links: Rows
    events: Rows
    notices: Rows
    pauses: Rows
    rechecks: Rows
    jumps: Rows


def subscriptions_named(tx: Transaction, agency_id: str | None, subscription_id: str) -> list[Named]:
    """Subscriptions with an id: one at most of each agency."""
    rows = tx.rows(
        """
        SELECT agency_id, subscription_id FROM subscriptions
        WHERE subscription_id = :id AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id) ORDER BY agency_id
        """,
        id=subscription_id,
        agency_id=agency_id,
    )
    return [Named(*row) for row in rows]


def invoices_named(tx: Transaction, agency_id: str | None, name: str, sequences: Sequence[int]) -> list[Named]:
    """Invoices with a printed number, ours or given by upstream, or with an id. `sequences`: see `invoices.by_number`."""
    rows = tx.rows(
        """
        SELECT agency_id, subscription_id, invoice_id FROM invoices
        WHERE ((sequence = ANY(CAST(:sequences AS bigint[])) AND number = :name) OR external_number = :name
               OR invoice_id = :name) AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
        ORDER BY agency_id, invoice_id
        """,
        name=name,
        sequences=list(sequences),
        agency_id=agency_id,
    )
    return [Named(*row) for row in rows]


def known(tx: Transaction, named: Named) -> Known:
    """Read it all, in one transaction."""
    of = {"agency_id": named.agency_id, "subscription_id": named.subscription_id}
    found = {name: _rows(tx, sql, **of) for name, sql in _OF_SUBSCRIPTION.items()}
    (subscription,) = found.pop("subscription")
    (agency,) = _rows(tx, _AGENCY, agency_id=named.agency_id)
    return Known(
        as_of=tx.as_of,
        agency=agency,
        subscription=subscription,
        prices=_rows(tx, _PRICES, agency_id=named.agency_id, ids=_ids(found["revisions"], "service_id")),
        methods=_rows(tx, _METHODS, agency_id=named.agency_id, ids=_ids(found["revisions"], "client_id")),
        events=_rows(tx, _EVENTS, agency_id=named.agency_id, subject=subscription_subject(named.subscription_id)),
        pauses=_rows(tx, _PAUSES, agency_id=named.agency_id),
        rechecks=_rows(tx, _RECHECKS, **of, client_id=subscription["client_id"], service_id=subscription["service_id"]),
        jumps=_rows(tx, _JUMPS),
        **found,
    )


def _ids(rows: Rows, column: str) -> list[str]:
    return sorted({row[column] for row in rows})


def _rows(tx: Transaction, sql: str, **params: Any) -> Rows:
    return tx.mappings(sql, **params)


_WHOSE = "agency_id = :agency_id AND subscription_id = :subscription_id"
_OF_SUBSCRIPTION = {
    "subscription": f"""
        SELECT subscription_id, client_id, service_id, checkout, starts_on, status, quantity, collection, cancel_on,
               known_since, ended_at, ended_reason FROM subscriptions WHERE {_WHOSE}""",  # noqa: S608
    "revisions": f"""
        SELECT revision, effective_at, client_id, service_id, status, cancel_on, quantity, collection
        FROM subscription_revisions WHERE {_WHOSE} ORDER BY revision""",  # noqa: S608
    "schedules": f"""
        SELECT stream, unit, every, next_at, next_index, stopped_reason, stopped_at, failures, retry_at
        FROM schedules WHERE {_WHOSE} ORDER BY stream""",  # noqa: S608
    "cycles": f"""
        SELECT stream, starts_on, ends_on, periods, due_at, state, reason, detail, settled_at, wake_at, blocking_invoice_id,
               blocking_starts_on FROM cycles WHERE {_WHOSE} ORDER BY starts_on, stream""",  # noqa: S608
    "invoices": f"""
        SELECT invoice_id, coalesce(number, external_number) AS number, client_id, cycle_starts_on, cycle_ends_on,
               issued_on, due_on, status, collection, currency, total_minor, failing_since, failing_code, exhausted_at,
               (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payments AS p
                WHERE p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id)
               - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payment_reversals AS r
                  WHERE r.agency_id = i.agency_id AND r.invoice_id = i.invoice_id) AS collected_minor
        FROM invoices AS i WHERE {_WHOSE} ORDER BY issued_at, sequence, invoice_id""",  # noqa: S608
    "charges": f"""
        SELECT invoice_id, attempt, state, code, provider, planned_at, sent_at, settled_at, doubtful_since FROM charges
        WHERE agency_id = :agency_id AND invoice_id IN (SELECT invoice_id FROM invoices WHERE {_WHOSE})
        ORDER BY invoice_id, attempt""",  # noqa: S608
    "links": f"""
        SELECT invoice_id, link_seq, state, provider, doubtful_since, settled_at FROM pay_links
        WHERE agency_id = :agency_id AND invoice_id IN (SELECT invoice_id FROM invoices WHERE {_WHOSE})
        ORDER BY invoice_id, link_seq""",  # noqa: S608
    "notices": f"""
        SELECT occasion, audience, invoice_id, state, created_at, sent_at, reason FROM notices
        WHERE {_WHOSE} ORDER BY created_at, key""",  # noqa: S608
}
_AGENCY = "SELECT agency_id, timezone, gateway FROM agencies WHERE agency_id = :agency_id"
_PRICES = """
SELECT service_id, revision, effective_at, name, price_minor, currency, unit, every FROM service_revisions
WHERE agency_id = :agency_id AND service_id = ANY(CAST(:ids AS text[])) ORDER BY service_id, revision"""
_METHODS = """
SELECT client_id, payment_method_id, provider, is_default, received_at, instructed_at, removed_at FROM payment_methods
WHERE agency_id = :agency_id AND client_id = ANY(CAST(:ids AS text[])) ORDER BY received_at, payment_method_id"""
_EVENTS = """
SELECT at, type, data FROM events WHERE agency_id = :agency_id AND subject = :subject ORDER BY subject_seq"""
_PAUSES = (
    "SELECT agency_id, pool, paused_at, reason FROM pauses WHERE agency_id IN (:agency_id, '') ORDER BY pool, agency_id"
)
# Changed facts that touch the subscription and could not be processed.
_RECHECKS = """
SELECT kind, ref, effective_at, failures, retry_at FROM rechecks
WHERE agency_id = :agency_id AND retry_at IS NOT NULL
  AND CASE kind WHEN 'agency' THEN true WHEN 'service' THEN ref = :service_id WHEN 'subscription' THEN ref = :subscription_id
                ELSE ref = :client_id END
ORDER BY recheck_id"""
_JUMPS = "SELECT expected_at, seen_at FROM clock_jumps WHERE ended_at IS NULL ORDER BY jump_id LIMIT 1"
