"""Fill a migrated database with schedules that are due, or are not: a few set-based statements, then ANALYZE."""

from collections.abc import Sequence

import psycopg

from shared.store.connection_args import parameters

AGENCIES = 16
ZONE = "Europe/Berlin"

_AGENCIES = """
INSERT INTO agencies (agency_id, revision, effective_at, name, timezone, currency, email, locale, invoice_prefix,
                      payment_terms_days, issue_time, gateway, retry_days, on_exhausted, backlog, hold_on, digest)
SELECT 'agency-' || lpad(a::text, 3, '0'), 1, now() - interval '1 year', 'Agency ' || a, %(zone)s, 'EUR',
       'billing@agency-' || a || '.example', 'de', 'A' || a || '-', 14, '00:00', 'sandbox', '[1, 3, 5, 7, 10, 14]',
       'leave_open', 'all', 'failure', ''
FROM generate_series(1, %(agencies)s::int) AS a"""

_SERVICE_COLUMNS = """agency_id, service_id, revision, effective_at, name, price_minor, currency, tax_name, tax_rate,
  tax_inclusive, unit, every, order_unit, order_every, renewal, digest"""
_SERVICES = f"""
INSERT INTO {{table}} ({_SERVICE_COLUMNS})
SELECT agency_id, 'care', 1, effective_at, 'Website care', 4900, 'EUR', 'USt', '19', false, 'month', 1, 'month', 1,
       'new_order', ''
FROM agencies"""  # noqa: S608

# Sign-ups of all agencies arrive mixed, so neighbours in the tables belong to different agencies.
_MEMBERS = """
CREATE TEMPORARY TABLE member ON COMMIT PRESERVE ROWS AS
SELECT 'agency-' || lpad((g %% %(agencies)s + 1)::text, 3, '0') AS agency_id, lpad(g::text, 8, '0') AS no,
       now() - interval '60 days' AS since,
       ((now() AT TIME ZONE %(zone)s)::date + %(days)s::int - make_interval(months => %(months)s))::date AS starts_on
FROM generate_series(%(first)s::int, %(last)s::int) AS g"""
_CLIENTS = """
INSERT INTO clients (agency_id, client_id, revision, effective_at, name, email, address, digest)
SELECT agency_id, 'client-' || no, 1, since, 'Client ' || no, 'client-' || no || '@mail.example',
       jsonb_build_object('line1', 'Hauptstraße ' || no, 'postcode', '10115', 'city', 'Berlin', 'country', 'DE'), ''
FROM member"""
_METHODS = """
INSERT INTO payment_methods (agency_id, client_id, payment_method_id, revision, effective_at, received_at, provider, token,
                             is_default, digest, instructed_at, credential)
SELECT agency_id, 'client-' || no, 'card', 1, since, since, 'sandbox', 'ok', true, '', since, 'card of ' || no FROM member"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions (agency_id, subscription_id, revision, effective_at, known_since, client_id, service_id, checkout,
                           starts_on, status, quantity, collection, digest)
SELECT agency_id, 'sub-' || no, 1, since, since, 'client-' || no, 'care', 'self_checkout', starts_on, 'active', 1,
       'automatic', ''
FROM member"""
_REVISIONS = """
INSERT INTO subscription_revisions (agency_id, subscription_id, revision, effective_at, client_id, service_id, status,
                                    quantity, collection, digest)
SELECT agency_id, 'sub-' || no, 1, since, 'client-' || no, 'care', 'active', 1, 'automatic', '' FROM member"""
_SCHEDULES = """
INSERT INTO schedules (agency_id, subscription_id, stream, anchor_on, unit, every, next_at, planned_until)
SELECT m.agency_id, 'sub-' || no, stream, starts_on, 'month', 1,
       (starts_on + a.issue_time) AT TIME ZONE a.timezone, starts_on
FROM member AS m JOIN agencies AS a USING (agency_id) CROSS JOIN unnest(%(streams)s::text[]) AS stream"""
_DISPATCHED = """
INSERT INTO cycles (agency_id, subscription_id, stream, starts_on, ends_on, cycle_index, due_at, state, dispatches, wake_at)
SELECT agency_id, 'sub-' || no, 'invoice', starts_on - 1, starts_on, 0, now() - interval '1 minute', 'due', 1,
       now() + interval '1 day'
FROM member"""


def connect(url: str) -> psycopg.Connection:
    """A plain session on a database given by its SQLAlchemy URL; every statement is committed automatically."""
    return psycopg.connect(**parameters(url, "duecycle seed"), autocommit=True)


def seed(
    url: str,
    subscriptions: int,
    *,
    agencies: int = AGENCIES,
    months: int = 0,
    streams: Sequence[str] = ("invoice",),
) -> None:
    """Subscriptions of self-checkout, each with an invoice schedule whose first cycle started yesterday and is due.

    `months` puts the start that many months earlier, which makes as many more cycles due. Automatic collection, one
    service with tax per agency.
    """
    with connect(url) as session:
        session.execute(_AGENCIES, {"zone": ZONE, "agencies": agencies})
        for table in ("services", "service_revisions"):
            session.execute(_SERVICES.format(table=table))
        of = {"agencies": agencies, "zone": ZONE, "days": -1, "months": months}
        session.execute(_MEMBERS, {**of, "first": 1, "last": subscriptions})
        for statement in (_CLIENTS, _METHODS, _SUBSCRIPTIONS, _REVISIONS):
            session.execute(statement)
        session.execute(_SCHEDULES, {"streams": list(streams)})
        session.execute("VACUUM (ANALYZE)")


def seed_idle(url: str, schedules: int, dispatched: int) -> None:
    """Nothing due: `schedules` that begin in ten days, and `dispatched` cycles that are leased."""
    with connect(url) as session:
        session.execute(_AGENCIES, {"zone": ZONE, "agencies": AGENCIES})
        of = {"agencies": AGENCIES, "zone": ZONE, "days": 10, "months": 0}
        session.execute(_MEMBERS, {**of, "first": 1, "last": schedules})
        session.execute(_SUBSCRIPTIONS)
        session.execute(_SCHEDULES, {"streams": ["invoice"]})
        session.execute("DROP TABLE member")
        session.execute(_MEMBERS, {**of, "first": schedules + 1, "last": schedules + dispatched})
        session.execute(_SUBSCRIPTIONS)
        session.execute(_DISPATCHED)
        session.execute("VACUUM (ANALYZE)")


def tidy(url: str) -> None:
    """What the relay and autovacuum would have done by now: the seeded invoices' events count as published."""
    with connect(url) as session:
        session.execute("UPDATE events SET published_at = now()")
        session.execute("VACUUM (ANALYZE)")


def seed_moments(url: str, moments: int, seconds: float) -> None:
    """One agency and one self-checkout subscription per moment, each falling due at its own instant from now on.

    The agencies' time of issue is what places the instants: `moments` of them, spread evenly over `seconds`.
    """
    with connect(url) as session:
        session.execute(_AGENCIES, {"zone": "UTC", "agencies": moments})
        session.execute(
            """
            UPDATE agencies SET
              issue_time = ((now() + make_interval(secs => 1 + %(step)s * right(agency_id, 3)::int)) AT TIME ZONE 'UTC')::time
            """,
            {"step": seconds / moments},
        )
        for table in ("services", "service_revisions"):
            session.execute(_SERVICES.format(table=table))
        session.execute(
            _MEMBERS, {"agencies": moments, "zone": "UTC", "first": 1, "last": moments, "days": 0, "months": 0}
        )
        # An instant past midnight lies on the next day.
        session.execute(
            """
            UPDATE member AS m SET starts_on = starts_on + 1 FROM agencies AS a
            WHERE a.agency_id = m.agency_id AND a.issue_time < (now() AT TIME ZONE 'UTC')::time
            """
        )
        for statement in (_CLIENTS, _METHODS, _SUBSCRIPTIONS, _REVISIONS):
            session.execute(statement)
        session.execute(_SCHEDULES, {"streams": ["invoice", "order"]})
        session.execute("VACUUM (ANALYZE)")
