"""What each kind of process may do in the database: one role for each, and no more than its statements need.

What stands here is derived: tests/store/test_grants.py reads which statements the code of each kind can reach, and fails when
a role may do less, or more. Rows are removed by few, tables changed by none: that is the owner's, who migrates.
"""

from collections.abc import Mapping
from typing import Final

from shared.store import tables
from shared.store.seen import SEEN

PREFIX: Final = "duecycle_"
MONITORING: Final = "monitoring"
# Whoever decides about a subscription locks its row (locks.py). PostgreSQL lets those lock who may update some column: this
# one holds nothing, so it gives the lock and no fact away.
_LOCK: Final = "UPDATE (lock_only)"
_INSERT, _UPDATE, _WRITE, _ALL = "INSERT", "UPDATE", "INSERT, UPDATE", "INSERT, UPDATE, DELETE"
# How an account's answers go. Its secret, its mode and its rate are an operator's.
_HEALTH: Final = "failures, pauses, paused_until, slowdown, slowed_at, refused_since, refused_until, refused_code"
_ANSWERS: Final = f"INSERT (agency_id, provider, {_HEALTH}), UPDATE ({_HEALTH})"
_MONEY: Final = {"payments": _INSERT, "unapplied_payments": _WRITE}
_NUMBERS: Final = {"number_series": _WRITE, "skipped_numbers": _INSERT}
# Every process watches the database's clock, and records a jump for the others.
_WATCH: Final = {"clock_jumps": "INSERT, UPDATE (ended_at)"}
_TOLD: Final = {**_WATCH, "events": _INSERT, "notices": _INSERT}
_INTAKE: Final = {
    **_TOLD,
    **_MONEY,
    **_NUMBERS,
    **dict.fromkeys(("agencies", "clients", "services", "payment_methods", "subscriptions"), _WRITE),
    **dict.fromkeys(("service_revisions", "subscription_revisions"), _WRITE),
    "charges": _WRITE,
    "credit_notes": _INSERT,
    "cycles": _ALL,
    "inbox": _WRITE,
    "invoice_lines": _INSERT,
    "invoices": _WRITE,
    "notices": "INSERT, UPDATE (wake_at, not_before)",  # a corrected address wakes its mails
    "pay_links": _UPDATE,
    "payment_inquiries": _UPDATE,
    "rechecks": _INSERT,
    "refunds": _WRITE,
    "schedules": _ALL,
}

WRITES: Final[Mapping[str, Mapping[str, str]]] = {
    "scheduler": {
        **_TOLD,
        **_MONEY,
        "charges": _WRITE,
        "cycles": _WRITE,
        "events": "INSERT, UPDATE (published_at, waits)",  # what became of it on its way out; never what it says
        "gateway_accounts": "UPDATE (free_at)",
        "heartbeats": _WRITE,
        "inbox": "UPDATE (wake_at)",
        "invoices": _UPDATE,
        "notices": "INSERT, UPDATE (wake_at, dispatches)",
        "pay_links": _UPDATE,
        "payment_inquiries": "UPDATE (wake_at, dispatches)",
        "rechecks": "UPDATE, DELETE",
        "refunds": "UPDATE (wake_at, dispatches)",
        "refused_events": _ALL,
        "schedules": _UPDATE,
        "subscriptions": _LOCK,
    },
    "orders": {**_TOLD, "cycles": _UPDATE, "orders": _WRITE, "subscriptions": _LOCK},
    "invoices": {
        **_TOLD,
        **_MONEY,
        **_NUMBERS,
        "charges": _WRITE,
        "cycles": _WRITE,
        "inbox": "UPDATE (wake_at)",
        "invoice_lines": _INSERT,
        "invoices": _WRITE,
        "pay_links": "UPDATE (wake_at)",
        "schedules": _UPDATE,
        "subscriptions": _LOCK,
    },
    "charges": {
        **_TOLD,
        **_NUMBERS,
        "charges": _WRITE,
        "credit_notes": _INSERT,
        "cycles": _WRITE,
        "gateway_accounts": _ANSWERS,
        "inbox": "UPDATE (wake_at)",
        "invoices": _UPDATE,
        "pay_links": _UPDATE,
        "payment_inquiries": _UPDATE,
        "payment_methods": _INSERT,
        "payment_reversals": _INSERT,
        "payments": _INSERT,
        "rechecks": _INSERT,
        "refunds": _UPDATE,
        "sandbox_ledger": _INSERT,
        "schedules": _UPDATE,
        "subscriptions": "UPDATE (ended_at, ended_reason)",
    },
    "notices": {**_WATCH, "events": _INSERT, "notices": _WRITE},
    "intake": _INTAKE,
    "webhooks": {
        **_TOLD,
        "charges": _UPDATE,
        "gateway_accounts": _ANSWERS,
        "inbox": _WRITE,
        "pay_links": _WRITE,
        "payment_inquiries": _WRITE,
        "refunds": _WRITE,
        "subscriptions": _LOCK,
        "unproven_webhooks": _ALL,
    },
    # An operator's commands do what the pools do, and decide what no pool may.
    "ops": {
        **_INTAKE,
        "clock_jumps": "INSERT, UPDATE (ended_at, accepted_by)",
        "gateway_accounts": _WRITE,
        "heartbeats": "UPDATE (at)",
        "inbox": _UPDATE,
        "notices": _WRITE,
        "pauses": "INSERT, DELETE",
        "payment_inquiries": _WRITE,
        "payment_reversals": _INSERT,
        "sandbox_ledger": _INSERT,
    },
    MONITORING: {},
}
KINDS: Final = tuple(WRITES)

# Raw input and what pays: read by those who work with it. Everything else is read by every process.
GUARDED: Final[Mapping[str, frozenset[str]]] = {
    "inbox": frozenset({"scheduler", "invoices", "charges", "intake", "webhooks", "ops"}),
    "payment_methods": frozenset({"scheduler", "charges", "intake", "webhooks", "ops"}),
    "pay_links": frozenset({"scheduler", "invoices", "charges", "intake", "webhooks", "ops"}),
    "unproven_webhooks": frozenset({"scheduler", "webhooks", "ops"}),
}


def reads(kind: str) -> dict[str, str]:
    """What a kind of process may read, by table; monitoring reads the columns that are listed for it alone."""
    found = {"alembic_version": "SELECT"}
    for name, table in tables.metadata.tables.items():
        if kind == MONITORING:
            if columns := [column for column in SEEN.get(name, "").split(", ") if column in table.columns]:
                found[name] = f"SELECT ({', '.join(columns)})"
        elif kind in GUARDED.get(name, KINDS):
            found[name] = "SELECT"
    return found


def role_of(kind: str) -> str:
    """The role of a kind of process."""
    return PREFIX + kind
