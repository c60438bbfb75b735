"""webhooks that are kept until their provider has said whether it sent them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unproven_webhooks",
        sa.Column("unproven_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("unproven_id", name=op.f("pk_unproven_webhooks")),
        sa.UniqueConstraint("agency_id", "provider", "digest", name="uq_unproven_webhooks_delivery"),
    )
    op.create_index("ix_unproven_webhooks_ask", "unproven_webhooks", ["agency_id", "provider", "ask_at"])


def downgrade() -> None:
    op.drop_table("unproven_webhooks")
