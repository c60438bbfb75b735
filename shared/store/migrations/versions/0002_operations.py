"""pauses, the pacing of gateway accounts, and what the figures of the cluster are counted by"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("pool IN ('charges', 'invoices', 'notices')", name=op.f("ck_pauses_pool_known")),
        sa.PrimaryKeyConstraint("agency_id", "pool", name=op.f("pk_pauses")),
    )
    op.create_table(
        "gateway_accounts",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("rate_per_second", sa.Integer(), nullable=True),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("rate_per_second > 0", name=op.f("ck_gateway_accounts_rate_positive")),
        sa.PrimaryKeyConstraint("agency_id", "provider", name=op.f("pk_gateway_accounts")),
    )
    op.create_index("ix_inbox_rejected", "inbox", ["inbox_id"], postgresql_where=sa.text("state = 'rejected'"))
    op.create_index("ix_notices_failed", "notices", ["created_at"], postgresql_where=sa.text("state = 'failed'"))
    op.create_index(
        "ix_events_alarms",
        "events",
        ["type"],
        postgresql_where=sa.text("type IN ('cycle.released_late', 'cycle.repeated')"),
    )


def downgrade() -> None:
    op.drop_index("ix_notices_failed", table_name="notices")
    op.drop_index("ix_events_alarms", table_name="events")
    op.drop_index("ix_inbox_rejected", table_name="inbox")
    op.drop_table("gateway_accounts")
    op.drop_table("pauses")
