"""Money that a provider took back of a payment, and the questions by which we learn of it."""

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, SmallInteger
from sqlalchemy import text as sql

from shared.store.tables.base import instant, key, minor, one_of, table, text

# Append-only. A reversal is known by the provider's id of what took the money; a negative amount is money that came back
# (a dispute that was won in the end), and has a number of its own.
payment_reversals = table(
    "payment_reversals",
    columns=[
        key("agency_id"),
        key("source"),
        key("reference"),
        key("invoice_id"),
        Column("reversal_seq", SmallInteger, primary_key=True),
        text("payment_reference"),
        minor("amount_minor"),
        text("currency"),
        text("kind"),
        instant("recorded_at"),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "invoice_id"],
            ["invoices.agency_id", "invoices.invoice_id"],
            name="fk_payment_reversals_invoices",
        ),
        CheckConstraint("amount_minor <> 0", name="amount_moved"),
        one_of("kind", ("dispute", "reversal", "payment", "by_hand")),
    ],
)
Index("ix_payment_reversals_invoice", payment_reversals.c.agency_id, payment_reversals.c.invoice_id)

# What a webhook speaks of and the provider is still to be asked about. `amount_minor` is its last answer.
payment_inquiries = table(
    "payment_inquiries",
    columns=[
        key("agency_id"),
        key("provider"),
        key("reference"),
        text("kind"),
        text("payment_reference"),
        text("invoice_id"),
        text("subscription_id"),
        text("state"),
        minor("amount_minor", null=True),
        instant("asked_since"),
        instant("answered_at", null=True),
        text("code", null=True),
        instant("wake_at", null=True),
        Column("dispatches", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
    ],
    rules=[
        ForeignKeyConstraint(
            ["agency_id", "invoice_id"],
            ["invoices.agency_id", "invoices.invoice_id"],
            name="fk_payment_inquiries_invoices",
        ),
        one_of("kind", ("dispute", "reversal", "payment", "by_hand", "refund")),
        one_of("state", ("asking", "answered", "unanswered")),
    ],
)
Index(
    "ix_payment_inquiries_payment",
    payment_inquiries.c.agency_id,
    payment_inquiries.c.provider,
    payment_inquiries.c.payment_reference,
)
Index("ix_payment_inquiries_wake", payment_inquiries.c.wake_at, postgresql_where=sql("wake_at IS NOT NULL"))
