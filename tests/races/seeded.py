"""Many subscriptions at once, written as rows: races need numbers, not thousands of messages."""

from collections.abc import Sequence

from shared.store.database import Store

AGENCY = """
INSERT INTO agencies (agency_id, revision, effective_at, name, timezone, currency, email, locale, invoice_prefix,
                      payment_terms_days, issue_time, gateway, retry_days, on_exhausted, backlog, hold_on, digest)
VALUES (:agency, 1, :at, :agency, 'UTC', 'EUR', 'office@agency.example', 'en', 'NL-', 14, '00:00', 'sandbox',
        '[1, 3, 5]', 'leave_open', 'all', 'failure', '')"""
CLIENT = """
INSERT INTO clients (agency_id, client_id, revision, effective_at, name, email, digest)
VALUES (:agency, 'law', 1, :at, 'Kanzlei Brandt', 'law@client.example', '')"""
SERVICE = """
INSERT INTO {table} (agency_id, service_id, revision, effective_at, name, price_minor, currency, tax_name, tax_rate,
                     tax_inclusive, unit, every, order_unit, order_every, renewal, digest)
VALUES (:agency, 'seo', 1, :at, 'SEO care', 10000, 'EUR', 'VAT', '19', false, 'month', 1, 'month', 1, 'new_order', '')"""
SUBSCRIPTIONS = """
INSERT INTO subscriptions (agency_id, subscription_id, revision, effective_at, known_since, client_id, service_id,
                           checkout, starts_on, status, quantity, collection, initial_payment, digest)
SELECT :agency, id, 1, :at, :at, 'law', 'seo', 'self_checkout', '2026-06-01', 'active', 1, 'automatic',
       jsonb_build_object('provider', 'sandbox', 'reference', 'checkout-' || id, 'amount_minor', 11900,
                          'currency', 'EUR', 'paid_at', '2026-05-20T10:00:00+00:00'), ''
FROM unnest(CAST(:ids AS text[])) AS id"""
REVISIONS = """
INSERT INTO subscription_revisions (agency_id, subscription_id, revision, effective_at, client_id, service_id, status,
                                    quantity, collection, digest)
SELECT agency_id, subscription_id, revision, effective_at, client_id, service_id, status, quantity, collection, ''
FROM subscriptions WHERE agency_id = :agency AND subscription_id = ANY(CAST(:ids AS text[]))"""
SCHEDULES = """
INSERT INTO schedules (agency_id, subscription_id, stream, anchor_on, unit, every, next_at, planned_until)
SELECT :agency, id, stream, '2026-06-01', 'month', 1, '2026-06-01T00:00:00Z', '2026-06-01'
FROM unnest(CAST(:ids AS text[])) AS id, unnest(ARRAY['order', 'invoice']) AS stream"""
KNOWN_SINCE = "2026-05-20T00:00:00Z"


def seed_agency(store: Store, agency: str) -> None:
    """An agency in UTC with a client `law` and a monthly service `seo` of 100.00 EUR + 19 % VAT."""
    with store.transaction() as tx:
        for sql in (AGENCY, CLIENT, SERVICE.format(table="services"), SERVICE.format(table="service_revisions")):
            tx.run(sql, agency=agency, at=KNOWN_SINCE)


def seed_subscriptions(store: Store, agency: str, ids: Sequence[str]) -> None:
    """Self-checkout subscriptions from 1 June on; the checkout took the first payment of 119.00 EUR already."""
    with store.transaction() as tx:
        tx.run(SUBSCRIPTIONS, agency=agency, ids=list(ids), at=KNOWN_SINCE)
        tx.run(REVISIONS, agency=agency, ids=list(ids))
        tx.run(SCHEDULES, agency=agency, ids=list(ids))
