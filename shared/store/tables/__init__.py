"""Every table of Duecycle, with each promise that the database itself keeps as a named constraint.

`facts`: what upstream told us. `ledger`: schedules and cycles. `documents`: orders, invoices, payments, charges and
notices. `streams`: inbox, events, rechecks and the heartbeat. `operations`: pauses and the pacing of gateway accounts.
"""

from shared.store.tables.base import metadata
from shared.store.tables.documents import charges, invoice_lines, invoices, notices, number_series, orders, payments
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
from shared.store.tables.operations import gateway_accounts, pauses
from shared.store.tables.streams import events, heartbeats, inbox, rechecks, sandbox_ledger

__all__ = [
    "agencies",
    "charges",
    "clients",
    "cycles",
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
    "payment_methods",
    "payments",
    "rechecks",
    "sandbox_ledger",
    "schedules",
    "service_revisions",
    "services",
    "subscription_revisions",
    "subscriptions",
]
