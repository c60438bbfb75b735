"""What flows in and out: the inbox, the events (audit trail and outbox), and the scheduler's own small rows."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)

from shared.store.tables.base import document, instant, key, minor, one_of, table, text

inbox = table(
    "inbox",
    columns=[
        Column("inbox_id", BigInteger, Identity(), primary_key=True),
        text("source"),
        text("id"),
        text("agency_id"),
        text("type"),
        instant("time", null=True),
        instant("received_at"),
        Column("raw", LargeBinary, nullable=False),
        text("state"),
        text("field", null=True),
        text("reason", null=True),
        text("waits_for", null=True),
        instant("wake_at", null=True),
        instant("told_waiting_at", null=True),
        instant("settled_at", null=True),
    ],
    rules=[
        one_of("state", ("applied", "repeated", "stale", "waiting", "rejected")),
    ],
)
# A message that was rejected may be sent again, mended, under its id.
Index(
    "uq_inbox_message",
    inbox.c.agency_id,
    inbox.c.source,
    inbox.c.id,
    unique=True,
    postgresql_where=sql("state <> 'rejected'"),
)
Index("ix_inbox_message", inbox.c.agency_id, inbox.c.source, inbox.c.id, postgresql_where=sql("state = 'rejected'"))
Index("ix_inbox_waiting", inbox.c.agency_id, inbox.c.waits_for, postgresql_where=sql("state = 'waiting'"))
Index("ix_inbox_rejected", inbox.c.inbox_id, postgresql_where=sql("state = 'rejected'"))
Index("ix_inbox_wake", inbox.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))

events = table(
    "events",
    columns=[
        Column("agency_id", text("agency_id").type, nullable=False),
        Column("event_id", BigInteger, Identity(), nullable=False),
        text("type"),
        text("subject"),
        Column("subject_seq", BigInteger, nullable=False),
        instant("at"),
        document("data"),
        instant("published_at", null=True),
        # It was refused, or is behind one of its subject that was.
        Column("waits", Boolean, nullable=False, server_default="false"),
    ],
    rules=[
        PrimaryKeyConstraint("agency_id", "event_id"),
        UniqueConstraint("agency_id", "subject", "subject_seq", name="uq_events_subject_seq"),
    ],
)
Index("ix_events_unpublished", events.c.event_id, postgresql_where=sql("published_at IS NULL AND NOT waits"))
Index("ix_events_waiting", events.c.agency_id, events.c.subject, postgresql_where=sql("waits"))
# Alarms, which must stay 0: counted every few seconds, so never by reading the whole table.
Index(
    "ix_events_alarms",
    events.c.type,
    postgresql_where=sql("type IN ('cycle.released_late', 'cycle.repeated')"),
)

# The oldest event of a subject that the exchange did not take: tried again at `retry_at`, with all later ones behind it.
refused_events = table(
    "refused_events",
    columns=[
        key("agency_id"),
        key("subject"),
        Column("event_id", BigInteger, nullable=False),
        Column("refusals", Integer, nullable=False),
        instant("refused_at"),
        instant("retry_at"),
    ],
)
Index("ix_refused_events_retry_at", refused_events.c.retry_at)

rechecks = table(
    "rechecks",
    columns=[
        Column("recheck_id", BigInteger, Identity(), primary_key=True),
        text("agency_id"),
        text("kind"),
        text("ref"),
        instant("effective_at"),
        # How far it has come: the last subscription it looked at.
        text("after_id", null=True),
        # Of a payment method that worked: what the provider sees of it.
        text("credential", null=True),
        # How often it could not be processed, and when it is tried again.
        Column("failures", Integer, nullable=False, server_default="0"),
        instant("retry_at", null=True),
    ],
    rules=[
        one_of("kind", ("agency", "service", "subscription", "payment_method", "method_worked")),
    ],
)
Index(
    "ix_rechecks_failing",
    rechecks.c.agency_id,
    rechecks.c.kind,
    rechecks.c.ref,
    postgresql_where=sql("retry_at IS NOT NULL"),
)

heartbeats = table(
    "heartbeats",
    columns=[
        key("name"),
        instant("at"),
    ],
)

sandbox_ledger = table(
    "sandbox_ledger",
    columns=[
        key("agency_id"),
        key("key"),
        minor("amount_minor"),
        text("currency"),
        text("token"),
        text("outcome"),
        text("code", null=True),
        text("reference"),
        Column("settles_on", Date),
        instant("created_at"),
    ],
)
