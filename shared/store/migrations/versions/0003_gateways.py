"""accounts with a provider: the name of their secret, and how far a provider has slowed them down"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gateway_accounts", sa.Column("secret", sa.Text(), nullable=True))
    op.add_column("gateway_accounts", sa.Column("test", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("gateway_accounts", sa.Column("slowdown", sa.Integer(), server_default="0", nullable=False))
    op.add_column("gateway_accounts", sa.Column("slowed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("slowed_at", "slowdown", "test", "secret"):
        op.drop_column("gateway_accounts", column)
