"""Every table of Duecycle, with each promise that the database itself keeps as a named constraint.

`facts`: what upstream told us. `ledger`: schedules and cycles. `documents`: orders, invoices, payments, charges and
notices. `refunds`: money that goes back, and links to pay by. `reversals`: money that was taken back.
`streams`: inbox, events, rechecks and the heartbeat. `operations`: pauses, the pacing of gateway accounts, jumps of the clock,
and webhooks that are not proven yet.
"""

from shared.store.moves import guard
from shared.store.tables.base import metadata
from shared.store.tables.documents import (
    charges,
    invoice_lines,
    invoices,
    notices,
    number_series,
    orders,
    payments,
    skipped_numbers,
    unapplied_payments,
)
from shared.store.tables.facts import (
    agencies,
    clients,
    payment_methods,
    service_revisions,
    services,
    subscription_revisions,
    subscriptions,
)
from shared.store.tables.ledger import cycles, schedules
from shared.store.tables.messages import events, heartbeats, inbox, rechecks, refused_events, sandbox_ledger
from shared.store.tables.operations import clock_jumps, deployment, gateway_accounts, pauses, unproven_webhooks
from shared.store.tables.refunds import credit_notes, pay_links, refunds
from shared.store.tables.reversals import payment_inquiries, payment_reversals

guard(metadata)

__all__ = [
    "agencies",
    "charges",
    "clients",
    "clock_jumps",
    "credit_notes",
    "cycles",
    "deployment",
    "events",
    "gateway_accounts",
    "heartbeats",
    "inbox",
    "invoice_lines",
    "invoices",
    "metadata",
    "notices",
    "number_series",
    "orders",
    "pauses",
    "pay_links",
    "payment_inquiries",
    "payment_methods",
    "payment_reversals",
    "payments",
    "rechecks",
    "refunds",
    "refused_events",
    "sandbox_ledger",
    "schedules",
    "service_revisions",
    "services",
    "skipped_numbers",
    "subscription_revisions",
    "subscriptions",
    "unapplied_payments",
    "unproven_webhooks",
]
