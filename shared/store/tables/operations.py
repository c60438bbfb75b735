"""The operator's own rows: what is paused, and how each gateway account is paced. Dispatch reads both.

And what came in over the web and is not proven yet."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)

from shared.store.tables.base import document, instant, key, one_of, table, text

# A pool is paused for one agency; the empty agency_id means for all of them.
pauses = table(
    "pauses",
    columns=[
        key("agency_id"),
        key("pool"),
        instant("paused_at"),
        text("reason", null=True),
    ],
    rules=[
        one_of("pool", ("orders", "invoices", "charges", "notices", "intake")),
        # Upstream's messages lie in one queue, whoever they are about.
        CheckConstraint("pool <> 'intake' OR agency_id = ''", name="intake_for_all"),
    ],
)

# One account of an agency with a payment provider. No row: unpaced and never in trouble.
gateway_accounts = table(
    "gateway_accounts",
    columns=[
        key("agency_id"),
        key("provider"),
        # Attempts per second that the provider takes; null: no limit of ours.
        Column("rate_per_second", Integer),
        # Pacing: the attempts that were let through so far are paid off at this instant.
        instant("free_at", null=True),
        # Answers in a row that never came or never went out, and how often the account has rested since the last good one.
        Column("failures", Integer, nullable=False, server_default="0"),
        Column("pauses", Integer, nullable=False, server_default="0"),
        instant("paused_until", null=True),
        # The name of the secret that opens the account, and whether it is one of the provider's test accounts.
        text("secret", null=True),
        # The name of what proves that a webhook is the provider's: a signing secret, or the id of our webhook there.
        text("webhook_secret", null=True),
        Column("test", Boolean, nullable=False, server_default="false"),
        # Several agencies collect by this account on purpose.
        Column("shared", Boolean, nullable=False, server_default="false"),
        # How often the provider has halved its rate, and when it last did.
        Column("slowdown", Integer, nullable=False, server_default="0"),
        instant("slowed_at", null=True),
        # The provider refuses the account itself: since when, until when nobody asks, and its word for it.
        instant("refused_since", null=True),
        instant("refused_until", null=True),
        text("refused_code", null=True),
    ],
    rules=[
        CheckConstraint("rate_per_second > 0", name="rate_positive"),
    ],
)

# One row: which deployment this database is, and the oldest schema whose programs still work with the one it has.
deployment = table(
    "deployment",
    columns=[
        Column("one", Boolean, primary_key=True, server_default="true"),
        Column("deployment_id", Text, nullable=False),
        Column("works_with", Text),
    ],
    rules=[
        CheckConstraint("one", name="only_one"),
    ],
)

# The database's clock was seen to jump; no process trusts it until it is back, or an operator has accepted it.
clock_jumps = table(
    "clock_jumps",
    columns=[
        Column("jump_id", BigInteger, Identity(), primary_key=True),
        instant("expected_at"),
        instant("seen_at"),
        text("found_by"),
        instant("ended_at", null=True),
        text("accepted_by", null=True),
    ],
)

# A webhook whose provider has not said yet whether it sent it; gone once that is known.
unproven_webhooks = table(
    "unproven_webhooks",
    columns=[
        Column("unproven_id", BigInteger, Identity(), primary_key=True),
        text("agency_id"),
        text("provider"),
        # SHA-256 of all that is asked about: the same delivery again is the same row.
        Column("digest", LargeBinary, nullable=False),
        Column("raw", LargeBinary, nullable=False),
        document("headers"),
        instant("received_at"),
        # When the provider is asked next.
        instant("ask_at"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
        # Why it is still here: nobody could say whether it is the provider's; or `unreadable: …`, it is, and can't be applied.
        text("reason", null=True),
    ],
    rules=[
        UniqueConstraint("agency_id", "provider", "digest", name="uq_unproven_webhooks_delivery"),
    ],
)
Index(
    "ix_unproven_webhooks_ask",
    unproven_webhooks.c.agency_id,
    unproven_webhooks.c.provider,
    unproven_webhooks.c.ask_at,
)
