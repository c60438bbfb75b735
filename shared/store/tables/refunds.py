"""Money that goes back, and money that a client brings himself: refunds with their credit notes, and links to pay by."""

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
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)

from shared.store.tables.base import document, instant, key, minor, one_of, table, text

OPEN_LINK_STATES = ("opening", "open", "paying")

# Money of one payment going back to the client. A failed one moved nothing.
refunds = table(
    "refunds",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        Column("refund_seq", SmallInteger, primary_key=True),
        text("subscription_id"),
        text("client_id"),
        text("source"),
        text("payment_reference"),
        minor("amount_minor"),
        text("currency"),
        text("reason", null=True),
        text("origin"),
        instant("requested_at"),
        text("key"),
        text("state"),
        text("reference", null=True),
        # Of money given back elsewhere: who reported it, and under which reference.
        text("outside_source", null=True),
        text("outside_reference", null=True),
        text("code", null=True),
        instant("wake_at", null=True),
        instant("lease_until", null=True),
        Column("fence", Integer, nullable=False, server_default="0"),
        instant("sent_at", null=True),
        instant("settled_at", null=True),
        instant("doubtful_since", null=True),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
    ],
    rules=[
        UniqueConstraint("agency_id", "key", name="uq_refunds_key"),
        ForeignKeyConstraint(
            ["agency_id", "source", "payment_reference", "invoice_id"],
            ["payments.agency_id", "payments.source", "payments.reference", "payments.invoice_id"],
            name="fk_refunds_payments",
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        one_of("origin", ("requested", "provider", "outside")),
        one_of("state", ("due", "sending", "unknown", "pending", "succeeded", "failed")),
    ],
)
Index(
    "uq_refunds_reference",
    refunds.c.agency_id,
    refunds.c.source,
    refunds.c.reference,
    unique=True,
    postgresql_where=sql("reference IS NOT NULL"),
)
Index("ix_refunds_wake", refunds.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))

# What a refund takes back of its invoice; a surplus that goes back takes back nothing and has none.
credit_notes = table(
    "credit_notes",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        Column("refund_seq", SmallInteger, primary_key=True),
        Column("sequence", BigInteger, nullable=False),
        text("number"),
        Column("issued_on", Date, nullable=False),
        instant("issued_at"),
        text("currency"),
        minor("subtotal_minor"),
        minor("tax_minor"),
        minor("total_minor"),
        document("taxes"),
    ],
    rules=[
        UniqueConstraint("agency_id", "sequence", name="uq_credit_notes_sequence"),
        ForeignKeyConstraint(
            ["agency_id", "invoice_id", "refund_seq"],
            ["refunds.agency_id", "refunds.invoice_id", "refunds.refund_seq"],
            name="fk_credit_notes_refunds",
        ),
        CheckConstraint("total_minor = subtotal_minor + tax_minor", name="total_is_subtotal_and_tax"),
        CheckConstraint("total_minor > 0", name="total_positive"),
    ],
)

# A payment link: a page at a provider where the client can pay an invoice himself; at most one of them is open.
pay_links = table(
    "pay_links",
    columns=[
        key("agency_id"),
        key("invoice_id"),
        Column("link_seq", SmallInteger, primary_key=True),
        text("subscription_id"),
        text("provider"),
        text("key"),
        minor("amount_minor"),
        text("currency"),
        text("state"),
        text("reference", null=True),
        text("url", null=True),
        instant("opened_at"),
        instant("expires_at"),
        instant("wake_at", null=True),
        instant("settled_at", null=True),
        # What the provider said and could not be written.
        text("unrecorded", null=True),
        # Since when money may have moved there: a payment was accepted that settles later, or an answer was lost.
        instant("doubtful_since", null=True),
        # The client wants what he pays by to be kept for his other invoices.
        Column("keeps_method", Boolean, nullable=False, server_default="false"),
        # Another payment page is to follow: this one is closed, unless somebody has paid there.
        Column("closing", Boolean, nullable=False, server_default="false"),
        # The client has agreed to pay there, and the provider refused us the money so far.
        Column("agreed", Boolean, nullable=False, server_default="false"),
        # The provider has said that a payment is under way.
        Column("accepted", Boolean, nullable=False, server_default="false"),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "invoice_id"], ["invoices.agency_id", "invoices.invoice_id"], name="fk_pay_links_invoices"
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        one_of("state", (*OPEN_LINK_STATES, "paid", "ended")),
    ],
)
Index(
    "uq_pay_links_one_open",
    pay_links.c.agency_id,
    pay_links.c.invoice_id,
    unique=True,
    postgresql_where=pay_links.c.state.in_(OPEN_LINK_STATES),
)
Index("ix_pay_links_wake", pay_links.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))
