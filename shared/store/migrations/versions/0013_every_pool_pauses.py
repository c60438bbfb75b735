"""every pool can be paused; intake for all agencies at once, for their messages lie in one queue"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_pauses_pool_known"), "pauses")
    op.create_check_constraint(
        op.f("ck_pauses_pool_known"), "pauses", "pool IN ('orders', 'invoices', 'charges', 'notices', 'intake')"
    )
    op.create_check_constraint(op.f("ck_pauses_intake_for_all"), "pauses", "pool <> 'intake' OR agency_id = ''")


def downgrade() -> None:
    op.execute("DELETE FROM pauses WHERE pool IN ('orders', 'intake')")
    op.drop_constraint(op.f("ck_pauses_intake_for_all"), "pauses")
    op.drop_constraint(op.f("ck_pauses_pool_known"), "pauses")
    op.create_check_constraint(op.f("ck_pauses_pool_known"), "pauses", "pool IN ('charges', 'invoices', 'notices')")
