"""What the role of monitoring may read, column by column: states, times, amounts and ids; no words of people, no keys.

What is not listed is not read, so a new column stays unseen until somebody decides that dashboards need it.
"""

from collections.abc import Mapping
from typing import Final

_LEASE: Final = "wake_at, lease_until, fence, sent_at, settled_at, doubtful_since, dispatches, tries"
_REVISION: Final = "agency_id, revision, effective_at"
_PRICE: Final = "price_minor, currency, tax_rate, tax_inclusive, unit, every, order_unit, order_every, renewal"
_TOTALS: Final = "currency, subtotal_minor, tax_minor, total_minor"

SEEN: Final[Mapping[str, str]] = {
    "agencies": f"{_REVISION}, timezone, currency, locale, payment_terms_days, issue_time, gateway, on_exhausted, backlog",
    "charges": "agency_id, invoice_id, attempt, subscription_id, client_id, state, amount_minor, currency, provider, once,"
    f" planned_at, first_sent_at, code, decline_class, {_LEASE}",
    "clients": "agency_id, client_id, revision, effective_at, locale",
    "clock_jumps": "jump_id, expected_at, seen_at, ended_at",
    "credit_notes": f"agency_id, invoice_id, refund_seq, sequence, number, issued_on, issued_at, {_TOTALS}",
    "cycles": "agency_id, subscription_id, stream, starts_on, ends_on, cycle_index, periods, due_at, state, reason,"
    " blocking_starts_on, blocking_invoice_id, order_id, dispatches, tries, wake_at, held_at, blocked_at, settled_at",
    "deployment": "one, deployment_id, works_with",
    "events": "agency_id, event_id, type, subject_seq, at, published_at, waits",
    "gateway_accounts": "agency_id, provider, rate_per_second, free_at, failures, pauses, paused_until, test, shared, slowdown,"
    " slowed_at, refused_since, refused_until, refused_code",
    "heartbeats": "name, at",
    "inbox": "inbox_id, agency_id, type, time, received_at, state, wake_at, told_waiting_at, settled_at",
    "invoice_lines": "agency_id, invoice_id, line_no, quantity, unit_price_minor, net_minor, tax_rate",
    "invoices": "agency_id, invoice_id, subscription_id, client_id, stream, cycle_starts_on, cycle_ends_on, cycle_index,"
    f" replaced, sequence, number, status, collection, origin, issued_on, issued_at, due_on, {_TOTALS}, paid_at, settled_at,"
    " failing_since, failing_code, ladder_started_at, exhausted_at",
    "notices": "agency_id, occasion, audience, subscription_id, invoice_id, state, created_at, wake_at, lease_until, sent_at,"
    " dispatches, tries, outcome, tried_at, refused_since, doubts, not_before",
    "number_series": "agency_id, kind, next_sequence, last_issued_on",
    "orders": "agency_id, order_id, subscription_id, stream, cycle_starts_on, cycle_ends_on, client_id, service_id, quantity,"
    " origin, created_at, renewed_starts_on, renewed_ends_on, renewed_at",
    "pauses": "agency_id, pool, paused_at",
    "pay_links": "agency_id, invoice_id, link_seq, subscription_id, provider, amount_minor, currency, state, opened_at,"
    " expires_at, wake_at, settled_at, unrecorded, doubtful_since, keeps_method, closing, agreed, accepted, dispatches, tries",
    "payment_inquiries": "agency_id, provider, kind, invoice_id, subscription_id, state, amount_minor, asked_since,"
    " answered_at, code, wake_at, dispatches, tries",
    "payment_methods": "agency_id, client_id, revision, effective_at, received_at, provider, is_default, removed_at,"
    " instructed_at",
    "payment_reversals": "agency_id, source, invoice_id, reversal_seq, amount_minor, currency, kind, recorded_at",
    "payments": "agency_id, source, invoice_id, amount_minor, currency, received_at, recorded_at",
    "rechecks": "recheck_id, agency_id, kind, ref, effective_at, after_id, failures, retry_at",
    "refunds": "agency_id, invoice_id, refund_seq, subscription_id, client_id, source, amount_minor, currency, origin,"
    f" requested_at, state, outside_source, code, {_LEASE}",
    "refused_events": "agency_id, event_id, refusals, refused_at, retry_at",
    "sandbox_ledger": "agency_id, amount_minor, currency, outcome, code, settles_on, created_at",
    "schedules": "agency_id, subscription_id, stream, anchor_on, anchor_index, unit, every, epoch, next_index, next_at,"
    " planned_until, stopped_at, resumed_index, failures, retry_at",
    "service_revisions": f"{_REVISION}, service_id, {_PRICE}",
    "services": f"{_REVISION}, service_id, {_PRICE}",
    "skipped_numbers": "agency_id, kind, sequence, number, skipped_at",
    "subscription_revisions": f"{_REVISION}, subscription_id, client_id, service_id, status, cancel_on, quantity, collection",
    "subscriptions": f"{_REVISION}, subscription_id, known_since, client_id, service_id, checkout, starts_on, status,"
    " cancel_on, quantity, collection, order_id, bill_from, ended_at",
    "unapplied_payments": "agency_id, subscription_id, source, amount_minor, currency, received_at, recorded_at, invoice_id",
    # Its reason is the program's own; `status` counts those that begin with "unreadable:".
    "unproven_webhooks": "unproven_id, agency_id, provider, received_at, ask_at, tries, reason",
}
