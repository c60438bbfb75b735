"""What is made of a cycle: orders, invoices and their lines, payments, charges, notices, and the number series.

Documents hold no foreign keys to agencies, clients or services: the frozen snapshot is the record, and a hot parent row
would be locked by every document. Keys run along subscription → cycle → invoice → lines.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)

from shared.store.tables.base import document, instant, key, minor, one_of, table, text

OPEN_CHARGE_STATES = ("due", "sending", "unknown", "pending", "action_required")
_CYCLE = ["cycles.agency_id", "cycles.subscription_id", "cycles.stream", "cycles.starts_on"]

orders = table(
    "orders",
    columns=[
        key("agency_id"),
        key("order_id"),
        text("subscription_id"),
        Column("stream", Text, nullable=False, server_default="order"),
        Column("cycle_starts_on", Date, nullable=False),
        Column("cycle_ends_on", Date, nullable=False),
        text("client_id"),
        text("service_id"),
        Column("quantity", BigInteger, nullable=False),
        text("origin"),
        instant("created_at"),
        # The period an order renewed in place is for now; its first one stays above.
        Column("renewed_starts_on", Date),
        Column("renewed_ends_on", Date),
        instant("renewed_at", null=True),
        document("snapshot"),
    ],
    rules=[
        UniqueConstraint("agency_id", "subscription_id", "cycle_starts_on", name="uq_orders_cycle"),
        ForeignKeyConstraint(["agency_id", "subscription_id", "stream", "cycle_starts_on"], _CYCLE),
        one_of("origin", ("manual", "automatic")),
        CheckConstraint("stream = 'order'", name="stream_of_orders"),
    ],
)

invoices = table(
    "invoices",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        text("subscription_id"),
        text("client_id"),
        Column("stream", Text, nullable=False, server_default="invoice"),
        # Null: recorded outside the series.
        Column("cycle_starts_on", Date),
        Column("cycle_ends_on", Date),
        Column("cycle_index", Integer),
        # Above 0: a void invoice whose cycle has a later one; 0 is the cycle's own.
        Column("replaced", SmallInteger, nullable=False, server_default="0"),
        Column("sequence", BigInteger),
        text("number", null=True),
        text("external_number", null=True),
        text("status"),
        text("collection"),
        text("origin"),
        Column("issued_on", Date, nullable=False),
        instant("issued_at"),
        Column("due_on", Date, nullable=False),
        text("currency"),
        minor("subtotal_minor"),
        minor("tax_minor"),
        minor("total_minor"),
        document("taxes"),
        instant("paid_at", null=True),
        instant("settled_at", null=True),
        instant("failing_since", null=True),
        text("failing_code", null=True),
        instant("ladder_started_at", null=True),
        Column("ladder", SmallInteger, nullable=False, server_default="0"),
        instant("exhausted_at", null=True),
        document("snapshot"),
    ],
    rules=[
        UniqueConstraint("agency_id", "subscription_id", "cycle_starts_on", "replaced", name="uq_invoices_cycle"),
        UniqueConstraint("agency_id", "sequence", name="uq_invoices_sequence"),
        ForeignKeyConstraint(["agency_id", "subscription_id", "stream", "cycle_starts_on"], _CYCLE),
        ForeignKeyConstraint(
            ["agency_id", "subscription_id"],
            ["subscriptions.agency_id", "subscriptions.subscription_id"],
            name="fk_invoices_subscriptions",
        ),
        one_of("status", ("open", "paid", "void", "uncollectible")),
        one_of("collection", ("automatic", "manual")),
        one_of("origin", ("manual", "automatic")),
        CheckConstraint("stream = 'invoice'", name="stream_of_invoices"),
        CheckConstraint("total_minor = subtotal_minor + tax_minor", name="total_is_subtotal_and_tax"),
        CheckConstraint("(number IS NULL) = (sequence IS NULL)", name="number_has_sequence"),
    ],
    postgresql_with={"fillfactor": "85"},
)
Index(
    "ix_invoices_failing",
    invoices.c.agency_id,
    invoices.c.client_id,
    invoices.c.subscription_id,
    postgresql_where=sql("failing_since IS NOT NULL"),
)
Index(
    "uq_invoices_external_number",
    invoices.c.agency_id,
    invoices.c.external_number,
    unique=True,
    postgresql_where=sql("external_number IS NOT NULL"),
)

invoice_lines = table(
    "invoice_lines",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        Column("line_no", SmallInteger, primary_key=True),
        text("description"),
        Column("quantity", BigInteger, nullable=False),
        minor("unit_price_minor"),
        minor("net_minor"),
        text("tax_name", null=True),
        text("tax_rate"),
    ],
    rules=[
        ForeignKeyConstraint(["agency_id", "invoice_id"], ["invoices.agency_id", "invoices.invoice_id"]),
    ],
)

payments = table(
    "payments",
    columns=[
        key("agency_id"),
        key("source"),
        key("reference"),
        key("invoice_id"),
        minor("amount_minor"),
        text("currency"),
        instant("received_at"),
        instant("recorded_at"),
    ],
    rules=[
        ForeignKeyConstraint(["agency_id", "invoice_id"], ["invoices.agency_id", "invoices.invoice_id"]),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    ],
)
Index("ix_payments_invoice", payments.c.agency_id, payments.c.invoice_id)

# Money taken at a checkout whose first invoice was never made; `invoice_id` once there is one after all.
unapplied_payments = table(
    "unapplied_payments",
    columns=[
        key("agency_id"),
        key("subscription_id"),
        key("source"),
        key("reference"),
        minor("amount_minor"),
        text("currency"),
        text("reason"),
        instant("received_at"),
        instant("recorded_at"),
        text("invoice_id", null=True),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "subscription_id"],
            ["subscriptions.agency_id", "subscriptions.subscription_id"],
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    ],
)

charges = table(
    "charges",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        Column("attempt", SmallInteger, primary_key=True),
        text("subscription_id"),
        text("client_id"),
        text("state"),
        # What the provider calls the idempotency key; made and frozen with the request before anything is sent.
        text("key", null=True),
        text("request", null=True),
        minor("amount_minor", null=True),
        text("currency"),
        text("provider", null=True),
        text("payment_method_id", null=True),
        Column("method_revision", BigInteger),
        # What the provider sees of the method: declines are counted by it.
        text("credential", null=True),
        # Asked for where nothing is collected automatically: made once, and nothing follows.
        Column("once", Boolean, nullable=False, server_default="false"),
        instant("planned_at"),
        instant("wake_at", null=True),
        instant("lease_until", null=True),
        Column("fence", Integer, nullable=False, server_default="0"),
        # The latest time it went out, from which the provider keeps its key; and the first, since when it may be found there.
        instant("sent_at", null=True),
        instant("first_sent_at", null=True),
        instant("settled_at", null=True),
        instant("doubtful_since", null=True),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
        text("code", null=True),
        text("decline_class", null=True),
        text("reference", null=True),
    ],
    rules=[
        UniqueConstraint("agency_id", "key", name="uq_charges_key"),
        ForeignKeyConstraint(["agency_id", "invoice_id"], ["invoices.agency_id", "invoices.invoice_id"]),
        one_of(
            "state", ("due", "sending", "succeeded", "declined", "action_required", "pending", "unknown", "not_sent")
        ),
        one_of("decline_class", ("retryable", "final", "customer")),
        CheckConstraint("state IN ('due', 'not_sent') OR key IS NOT NULL", name="sent_with_a_key"),
    ],
    postgresql_with={"fillfactor": "80"},
)
Index(
    "uq_charges_one_open",
    charges.c.agency_id,
    charges.c.invoice_id,
    unique=True,
    postgresql_where=charges.c.state.in_(OPEN_CHARGE_STATES),
)
Index("ix_charges_wake", charges.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))
Index(
    "ix_charges_declined",
    charges.c.agency_id,
    charges.c.credential,
    charges.c.settled_at,
    postgresql_where=sql("state = 'declined'"),
)

notices = table(
    "notices",
    columns=[
        key("agency_id"),
        key("key"),
        text("occasion"),
        text("audience"),
        text("recipient"),
        text("subscription_id", null=True),
        text("invoice_id", null=True),
        document("context"),
        text("state"),
        instant("created_at"),
        instant("wake_at", null=True),
        instant("lease_until", null=True),
        instant("sent_at", null=True),
        text("subject", null=True),
        text("message_id", null=True),
        text("reason", null=True),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
        # What became of the latest try, and when that was; none before the first.
        text("outcome", null=True),
        instant("tried_at", null=True),
        # Since when it is refused for its recipient's or its agency's sake.
        instant("refused_since", null=True),
        Column("doubts", SmallInteger, nullable=False, server_default="0"),
        instant("not_before", null=True),
    ],
    rules=[
        one_of("audience", ("client", "agency")),
        one_of("state", ("due", "sent", "failed", "skipped")),
        one_of("outcome", ("sent", "recipient", "agency", "account", "away", "in_doubt")),
    ],
)
Index("ix_notices_wake", notices.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))
Index("ix_notices_failed", notices.c.created_at, postgresql_where=sql("state = 'failed'"))

number_series = table(
    "number_series",
    columns=[
        key("agency_id"),
        key("kind"),
        Column("next_sequence", BigInteger, nullable=False, server_default="1"),
        Column("last_issued_on", Date),
    ],
)

# Numbers of our series that an invoice given by upstream carries already: the series steps over them.
skipped_numbers = table(
    "skipped_numbers",
    columns=[
        key("agency_id"),
        key("kind"),
        Column("sequence", BigInteger, primary_key=True),
        text("number"),
        instant("skipped_at"),
    ],
)
