"""only legal moves can be written; deployments and accounts that are shared; cycles of several periods"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOVES = Path(__file__).with_name("0007_moves.sql")
GUARDED = ("cycles", "invoices", "charges", "refunds", "pay_links", "notices", "inbox", "payment_inquiries")


def upgrade() -> None:
    op.get_bind().exec_driver_sql(MOVES.read_text(encoding="utf-8"))
    op.create_table(
        "deployment",
        sa.Column("one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_deployment_only_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_deployment")),
    )
    op.execute("INSERT INTO deployment (deployment_id) VALUES (left(replace(gen_random_uuid() || '', '-', ''), 16))")
    op.add_column("gateway_accounts", sa.Column("shared", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("cycles", sa.Column("periods", sa.Integer(), server_default="1", nullable=False))
    op.add_column("cycles", sa.Column("rhythm", sa.Text(), nullable=True))
    for name, rule in (
        ("ck_cycles_periods_positive", "periods >= 1"),
        ("ck_cycles_span_is_skipped", "periods = 1 OR state = 'skipped'"),
        ("ck_cycles_span_has_rhythm", "(periods = 1) = (rhythm IS NULL)"),
    ):
        op.create_check_constraint(op.f(name), "cycles", rule)


def downgrade() -> None:
    op.drop_column("cycles", "rhythm")
    op.drop_column("cycles", "periods")
    op.drop_column("gateway_accounts", "shared")
    op.drop_table("deployment")
    for table in GUARDED:
        op.execute(f"DROP TRIGGER legal_moves ON {table}")
    op.execute("DROP FUNCTION refuse_move()")
