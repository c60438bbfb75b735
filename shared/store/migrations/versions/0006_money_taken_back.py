"""money that providers take back, questions about it, and what places to pay remember"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pay_links", sa.Column("doubtful_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pay_links", sa.Column("keeps_method", sa.Boolean(), server_default="false", nullable=False))
    for flag in ("closing", "agreed", "accepted"):
        op.add_column("pay_links", sa.Column(flag, sa.Boolean(), server_default="false", nullable=False))
    _reversals()
    _inquiries()


def _reversals() -> None:
    op.create_table(
        "payment_reversals",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name="amount_moved"),
        sa.CheckConstraint("kind IN ('dispute', 'reversal', 'payment', 'by_hand')", name="kind_known"),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_id"],
            ["invoices.agency_id", "invoices.invoice_id"],
            name="fk_payment_reversals_invoices",
        ),
        sa.PrimaryKeyConstraint("agency_id", "source", "reference", "invoice_id", "turn", name="pk_payment_reversals"),
    )
    op.create_index("ix_payment_reversals_invoice", "payment_reversals", ["agency_id", "invoice_id"])


def _inquiries() -> None:
    op.create_table(
        "payment_inquiries",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("asked_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('dispute', 'reversal', 'payment', 'by_hand', 'refund')", name="kind_known"),
        sa.CheckConstraint("state IN ('asking', 'answered', 'unanswered')", name="state_known"),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_id"],
            ["invoices.agency_id", "invoices.invoice_id"],
            name="fk_payment_inquiries_invoices",
        ),
        sa.PrimaryKeyConstraint("agency_id", "provider", "reference", name="pk_payment_inquiries"),
    )
    op.create_index("ix_payment_inquiries_payment", "payment_inquiries", ["agency_id", "provider", "payment_reference"])
    op.create_index(
        "ix_payment_inquiries_wake",
        "payment_inquiries",
        ["wake_at"],
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("payment_inquiries", "payment_reversals"):
        op.drop_table(table)
    for column in ("accepted", "agreed", "closing", "keeps_method", "doubtful_since"):
        op.drop_column("pay_links", column)
