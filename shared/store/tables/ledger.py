"""The ledger of cycles: what recurs, and every occurrence that should exist."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
)
from sqlalchemy import (
    text as sql,
)

from shared.store.tables.base import instant, key, one_of, table, text

schedules = table(
    "schedules",
    columns=[
        key("agency_id"),
        key("subscription_id"),
        key("stream"),
        Column("anchor_on", Date),
        # The index in the series of the anchor itself: 0, or a later one after a change of unit or every.
        Column("anchor_index", Integer, nullable=False, server_default="0"),
        text("unit"),
        Column("every", Integer, nullable=False),
        Column("epoch", Integer, nullable=False, server_default="0"),
        Column("next_index", Integer, nullable=False, server_default="0"),
        instant("next_at", null=True),
        Column("planned_until", Date),
        text("stopped_reason", null=True),
        instant("stopped_at", null=True),
        # Invoices of earlier indexes no longer stop the series.
        Column("resumed_index", Integer, nullable=False, server_default="0"),
        # How often it could not be planned, and when that is tried again.
        Column("failures", Integer, nullable=False, server_default="0"),
        instant("retry_at", null=True),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "subscription_id"], ["subscriptions.agency_id", "subscriptions.subscription_id"]
        ),
        one_of("stream", ("order", "invoice")),
        one_of("unit", ("day", "week", "month", "year")),
        CheckConstraint("every >= 1", name="every_positive"),
        CheckConstraint("next_at IS NULL OR anchor_on IS NOT NULL", name="planned_from_an_anchor"),
    ],
    postgresql_with={"fillfactor": "70"},
)
Index("ix_schedules_next", schedules.c.next_at, postgresql_where=sql("next_at IS NOT NULL"))
Index("ix_schedules_failing", schedules.c.retry_at, postgresql_where=sql("retry_at IS NOT NULL"))

cycles = table(
    "cycles",
    columns=[
        key("agency_id"),
        key("subscription_id"),
        key("stream"),
        Column("starts_on", Date, primary_key=True),
        Column("ends_on", Date, nullable=False),
        Column("cycle_index", Integer, nullable=False),
        # More than one where only the end of a span matters: skipped periods, of which this is the first.
        Column("periods", Integer, nullable=False, server_default="1"),
        # How these follow each other, so that they can be split again: unit/every/anchor/its index.
        text("rhythm", null=True),
        instant("due_at"),
        text("state"),
        text("reason", null=True),
        text("detail", null=True),
        Column("blocking_starts_on", Date),
        text("blocking_invoice_id", null=True),
        text("order_id", null=True),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
        instant("wake_at", null=True),
        instant("held_at", null=True),
        instant("blocked_at", null=True),
        instant("settled_at", null=True),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "subscription_id"], ["subscriptions.agency_id", "subscriptions.subscription_id"]
        ),
        one_of("stream", ("order", "invoice")),
        one_of("state", ("due", "waiting", "held", "blocked", "done", "skipped", "cancelled")),
        CheckConstraint("starts_on < ends_on", name="period_not_empty"),
        CheckConstraint("periods >= 1", name="periods_positive"),
        CheckConstraint("periods = 1 OR state = 'skipped'", name="span_is_skipped"),
        CheckConstraint("(periods = 1) = (rhythm IS NULL)", name="span_has_rhythm"),
    ],
    postgresql_with={"fillfactor": "70"},
)
Index(
    "ix_cycles_wake",
    cycles.c.stream,
    cycles.c.wake_at,
    postgresql_where=sql("wake_at IS NOT NULL"),
)
# What a payment, a void or a change of facts may release.
Index(
    "ix_cycles_stuck",
    cycles.c.agency_id,
    cycles.c.subscription_id,
    postgresql_where=sql("state IN ('waiting', 'held', 'blocked')"),
)
