"""accounts with a provider, refunds with their credit notes, and links by which clients pay"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gateway_accounts", sa.Column("secret", sa.Text(), nullable=True))
    op.add_column("gateway_accounts", sa.Column("test", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("gateway_accounts", sa.Column("slowdown", sa.Integer(), server_default="0", nullable=False))
    op.add_column("gateway_accounts", sa.Column("slowed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("gateway_accounts", sa.Column("webhook_secret", sa.Text(), nullable=True))
    op.add_column("charges", sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE charges SET first_sent_at = sent_at WHERE sent_at IS NOT NULL")
    _refunds()
    _credit_notes()
    _pay_links()


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("doubtful_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("origin IN ('requested', 'provider', 'outside')", name="origin_known"),
        sa.CheckConstraint(
            "state IN ('due', 'sending', 'unknown', 'pending', 'succeeded', 'failed')", name="state_known"
        ),
        sa.ForeignKeyConstraint(
            ["agency_id", "source", "payment_reference"],
            ["payments.agency_id", "payments.source", "payments.reference"],
            name="fk_refunds_payments",
        ),
        sa.PrimaryKeyConstraint("agency_id", "invoice_id", "turn", name="pk_refunds"),
        sa.UniqueConstraint("agency_id", "key", name="uq_refunds_key"),
    )
    op.create_index(
        "uq_refunds_reference",
        "refunds",
        ["agency_id", "source", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index("ix_refunds_wake", "refunds", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL"))


def _credit_notes() -> None:
    op.create_table(
        "credit_notes",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("taxes", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("total_minor = subtotal_minor + tax_minor", name="total_is_subtotal_and_tax"),
        sa.CheckConstraint("total_minor > 0", name="total_positive"),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_id", "turn"],
            ["refunds.agency_id", "refunds.invoice_id", "refunds.turn"],
            name="fk_credit_notes_refunds",
        ),
        sa.PrimaryKeyConstraint("agency_id", "invoice_id", "turn", name="pk_credit_notes"),
        sa.UniqueConstraint("agency_id", "sequence", name="uq_credit_notes_sequence"),
    )


def _pay_links() -> None:
    op.create_table(
        "pay_links",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("state IN ('opening', 'open', 'paying', 'paid', 'ended')", name="state_known"),
        sa.ForeignKeyConstraint(
            ["agency_id", "invoice_id"],
            ["invoices.agency_id", "invoices.invoice_id"],
            name="fk_pay_links_invoices",
        ),
        sa.PrimaryKeyConstraint("agency_id", "invoice_id", "turn", name="pk_pay_links"),
    )
    op.create_index(
        "uq_pay_links_one_open",
        "pay_links",
        ["agency_id", "invoice_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('opening', 'open', 'paying')"),
    )
    op.create_index("ix_pay_links_wake", "pay_links", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL"))


def downgrade() -> None:
    for table in ("pay_links", "credit_notes", "refunds"):
        op.drop_table(table)
    op.drop_column("charges", "first_sent_at")
    for column in ("webhook_secret", "slowed_at", "slowdown", "test", "secret"):
        op.drop_column("gateway_accounts", column)
