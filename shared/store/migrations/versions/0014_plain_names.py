"""columns are called what they are: dispatches, pauses, and the number of a refund, a payment link and a reversal"""

import sqlalchemy as sa
from alembic import op

from shared.store.migrations import steps

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

DISPATCHED = ("cycles", "charges", "notices", "refunds", "pay_links", "payment_inquiries")
RENAMED = (
    *((table, "rings", "dispatches") for table in DISPATCHED),
    ("gateway_accounts", "rests", "pauses"),
    ("refunds", "turn", "refund_seq"),
    ("credit_notes", "turn", "refund_seq"),
    ("pay_links", "turn", "link_seq"),
    ("payment_reversals", "turn", "reversal_seq"),
)
# Notices that may still be sent: what they say has the same names.
FIELDS = (("rest_minor", "outstanding_minor"), ("refund_turn", "refund_seq"))


def upgrade() -> None:
    # Batches commit as they go and may be run again; the columns then change together with the revision.
    for old, new in FIELDS:
        _rename_field(old, new)
    for table, old, new in RENAMED:
        _rename_column(table, old, new)


def downgrade() -> None:
    for old, new in FIELDS:
        _rename_field(new, old)
    for table, old, new in RENAMED:
        _rename_column(table, new, old)


def _rename_column(table: str, old: str, new: str) -> None:
    op.alter_column(table, old, new_column_name=new)
    # From PostgreSQL 18 on NOT NULL is a constraint, named after the column as it was called first.
    name = f"{table}_{old}_not_null"
    found = op.get_bind().execute(
        sa.text("SELECT 1 FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :name"),
        {"table": table, "name": name},
    )
    if found.first() is not None:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {table}_{new}_not_null")


def _rename_field(old: str, new: str) -> None:
    steps.in_batches(
        "notices",
        f"context = (context - '{old}') || jsonb_build_object('{new}', context -> '{old}')",
        f"state IN ('due', 'failed') AND jsonb_exists(context, '{old}')",
    )
