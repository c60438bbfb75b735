"""payments per invoice, an inbox that compares what it drops, printed numbers given once, money without an invoice"""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GIVEN_TWICE = "from this schema on a printed number stands on one invoice only, but some were given twice:"
GIVE_ANOTHER = (
    "nothing was changed; give all but one of each another number, by UPDATE invoices SET external_number = ..."
    " WHERE agency_id = ... AND invoice_id = ..., and migrate again"
)


def upgrade() -> None:
    _refuse_numbers_given_twice()
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


def _refuse_numbers_given_twice() -> None:
    """Numbers given by upstream were not compared before. Which of two invoices keeps one is for people to say."""
    rows = op.get_bind().execute(
        sa.text(
            """
            SELECT agency_id, external_number, string_agg(invoice_id, ', ' ORDER BY issued_at, invoice_id)
            FROM invoices WHERE external_number IS NOT NULL
            GROUP BY agency_id, external_number HAVING count(*) > 1 ORDER BY 1, 2
            """
        )
    )
    found = [f"  agency {row[0]}, number {row[1]}: invoices {row[2]}" for row in rows]
    if found:
        raise CommandError("\n".join([GIVEN_TWICE, *found, GIVE_ANOTHER]))


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


def downgrade() -> None:
    """Fails where rows are there that the older schema can't hold, such as one transfer that pays two invoices."""
    op.drop_table("skipped_numbers")
    op.drop_index("uq_invoices_external_number", table_name="invoices")
    op.create_index(
        "ix_invoices_external_number",
        "invoices",
        ["agency_id", "external_number"],
        postgresql_where=sa.text("external_number IS NOT NULL"),
    )
    op.drop_constraint("uq_invoices_cycle", "invoices", type_="unique")
    op.drop_column("invoices", "replaced")
    op.create_unique_constraint("uq_invoices_cycle", "invoices", ["agency_id", "subscription_id", "cycle_starts_on"])
    _inbox_before()
    _payments_before()


def _inbox_before() -> None:
    op.drop_index("ix_inbox_message", table_name="inbox")
    op.drop_index("uq_inbox_message", table_name="inbox")
    op.create_unique_constraint("uq_inbox_message", "inbox", ["source", "id"])
    op.execute("UPDATE inbox SET state = 'applied' WHERE state = 'repeated'")
    op.drop_constraint("state_known", "inbox", type_="check")
    op.create_check_constraint("state_known", "inbox", "state IN ('applied', 'stale', 'waiting', 'rejected')")


def _payments_before() -> None:
    op.drop_table("unapplied_payments")
    op.drop_column("refunds", "outside_reference")
    op.drop_column("refunds", "outside_source")
    op.drop_constraint("fk_refunds_payments", "refunds", type_="foreignkey")
    op.drop_constraint("pk_payments", "payments", type_="primary")
    op.create_primary_key("pk_payments", "payments", ["agency_id", "source", "reference"])
    op.create_foreign_key(
        "fk_refunds_payments",
        "refunds",
        "payments",
        ["agency_id", "source", "payment_reference"],
        ["agency_id", "source", "reference"],
    )
