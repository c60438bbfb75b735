"""What upstream sent: the newest revision of each fact, and every accepted one where its history prices a cycle."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Index, Integer, Time

from shared.store.tables.base import document, instant, key, minor, one_of, table, text

agencies = table(
    "agencies",
    columns=[
        key("agency_id"),
        Column("revision", BigInteger, nullable=False),
        instant("effective_at"),
        text("name"),
        text("timezone"),
        text("currency"),
        text("email"),
        text("locale"),
        text("invoice_prefix"),
        Column("payment_terms_days", Integer, nullable=False),
        Column("issue_time", Time, nullable=False),
        text("gateway"),
        document("address", null=True),
        text("tax_id", null=True),
        document("retry_days"),
        text("on_exhausted"),
        text("backlog"),
        text("hold_on"),
        text("digest"),
    ],
    rules=[
        one_of("on_exhausted", ("leave_open", "mark_uncollectible", "cancel")),
        one_of("backlog", ("all", "latest")),
        one_of("hold_on", ("failure", "overdue")),
    ],
)

clients = table(
    "clients",
    columns=[
        key("agency_id"),
        key("client_id"),
        Column("revision", BigInteger, nullable=False),
        instant("effective_at"),
        text("name"),
        text("email"),
        text("locale", null=True),
        document("address", null=True),
        text("tax_id", null=True),
        text("digest"),
    ],
)


def _service_columns() -> list[Column[Any]]:
    columns: list[Column[Any]] = [
        text("name"),
        minor("price_minor", null=True),
        text("currency"),
        text("tax_name", null=True),
        text("tax_rate"),
        Column("tax_inclusive", Boolean, nullable=False),
        text("unit"),
        Column("every", Integer, nullable=False),
        text("order_unit"),
        Column("order_every", Integer, nullable=False),
        text("renewal"),
        text("digest"),
    ]
    return columns


services = table(
    "services",
    columns=[
        key("agency_id"),
        key("service_id"),
        Column("revision", BigInteger, nullable=False),
        instant("effective_at"),
        *_service_columns(),
    ],
    rules=[
        one_of("unit", ("day", "week", "month", "year")),
        one_of("order_unit", ("day", "week", "month", "year")),
        one_of("renewal", ("new_order", "update_order", "keep_order")),
    ],
)

service_revisions = table(
    "service_revisions",
    columns=[
        key("agency_id"),
        key("service_id"),
        Column("revision", BigInteger, primary_key=True),
        instant("effective_at"),
        *_service_columns(),
    ],
)

payment_methods = table(
    "payment_methods",
    columns=[
        key("agency_id"),
        key("client_id"),
        key("payment_method_id"),
        Column("revision", BigInteger, nullable=False),
        instant("effective_at"),
        instant("received_at"),
        text("provider"),
        text("token"),
        text("customer", null=True),
        Column("is_default", Boolean, nullable=False),
        instant("removed_at", null=True),
        text("digest"),
        # What the provider sees of it, and the newest message that asked for it to be used: a repeat of what is known does not.
        text("credential"),
        instant("instructed_at"),
    ],
)

subscriptions = table(
    "subscriptions",
    columns=[
        key("agency_id"),
        key("subscription_id"),
        Column("revision", BigInteger, nullable=False),
        instant("effective_at"),
        instant("known_since"),
        text("client_id"),
        text("service_id"),
        text("checkout"),
        Column("starts_on", Date, nullable=False),
        text("status"),
        Column("cancel_on", Date),
        Column("quantity", BigInteger, nullable=False),
        text("collection"),
        text("order_id", null=True),
        Column("bill_from", Date),
        document("initial_payment", null=True),
        instant("ended_at", null=True),
        text("ended_reason", null=True),
        text("digest"),
        # Never written: the right to update it is the right to lock the row, and nothing else (shared/store/grants.py).
        Column("lock_only", Boolean),
    ],
    rules=[
        one_of("checkout", ("self_checkout", "manual")),
        one_of("status", ("active", "paused", "cancelled")),
        one_of("collection", ("automatic", "manual")),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    ],
)

subscription_revisions = table(
    "subscription_revisions",
    columns=[
        key("agency_id"),
        key("subscription_id"),
        Column("revision", BigInteger, primary_key=True),
        instant("effective_at"),
        text("client_id"),
        text("service_id"),
        text("status"),
        Column("cancel_on", Date),
        Column("quantity", BigInteger, nullable=False),
        text("collection"),
        text("digest"),
    ],
)

# A fact of a service or of a client changes: these find the subscriptions that depend on it.
Index(
    "ix_subscriptions_service", subscriptions.c.agency_id, subscriptions.c.service_id, subscriptions.c.subscription_id
)
Index("ix_subscriptions_client", subscriptions.c.agency_id, subscriptions.c.client_id, subscriptions.c.subscription_id)
