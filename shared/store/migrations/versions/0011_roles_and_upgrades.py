"""a right to lock a subscription that gives no fact away; the oldest schema whose programs still work with this one"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("lock_only", sa.Boolean(), nullable=True))
    op.add_column("deployment", sa.Column("works_with", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("deployment", "works_with")
    op.drop_column("subscriptions", "lock_only")
