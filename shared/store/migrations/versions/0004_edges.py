"""payments per invoice, an inbox that compares what it drops, printed numbers given once, money without an invoice"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _payments()
    _inbox()
    _invoices()
    op.create_table(
        "skipped_numbers",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "kind", "sequence", name="pk_skipped_numbers"),
    )


def _payments() -> None:
    op.drop_constraint("fk_refunds_payments", "refunds", type_="foreignkey")
    op.drop_constraint("pk_payments", "payments", type_="primary")
    op.create_primary_key("pk_payments", "payments", ["agency_id", "source", "reference", "invoice_id"])
    op.create_foreign_key(
        "fk_refunds_payments",
        "refunds",
        "payments",
        ["agency_id", "source", "payment_reference", "invoice_id"],
        ["agency_id", "source", "reference", "invoice_id"],
    )
    op.add_column("refunds", sa.Column("outside_source", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("outside_reference", sa.Text(), nullable=True))
    op.create_table(
        "unapplied_payments",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.ForeignKeyConstraint(
            ["agency_id", "subscription_id"],
            ["subscriptions.agency_id", "subscriptions.subscription_id"],
            name="fk_unapplied_payments_subscriptions",
        ),
        sa.PrimaryKeyConstraint("agency_id", "subscription_id", "source", "reference", name="pk_unapplied_payments"),
    )


def _inbox() -> None:
    op.drop_constraint("uq_inbox_message", "inbox", type_="unique")
    op.create_index(
        "uq_inbox_message",
        "inbox",
        ["agency_id", "source", "id"],
        unique=True,
        postgresql_where=sa.text("state <> 'rejected'"),
    )
    op.create_index(
        "ix_inbox_message", "inbox", ["agency_id", "source", "id"], postgresql_where=sa.text("state = 'rejected'")
    )
    op.drop_constraint("state_known", "inbox", type_="check")
    op.create_check_constraint(
        "state_known", "inbox", "state IN ('applied', 'repeated', 'stale', 'waiting', 'rejected')"
    )


def _invoices() -> None:
    op.drop_constraint("uq_invoices_cycle", "invoices", type_="unique")
    op.add_column("invoices", sa.Column("replaced", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_unique_constraint(
        "uq_invoices_cycle", "invoices", ["agency_id", "subscription_id", "cycle_starts_on", "replaced"]
    )
    op.drop_index("ix_invoices_external_number", table_name="invoices")
    op.create_index(
        "uq_invoices_external_number",
        "invoices",
        ["agency_id", "external_number"],
        unique=True,
        postgresql_where=sa.text("external_number IS NOT NULL"),
    )
