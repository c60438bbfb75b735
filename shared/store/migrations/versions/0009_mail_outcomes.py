"""what became of each mail, and a person's word on those that were given up"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOVES, MOVES_BEFORE = (Path(__file__).with_name(f"{each}_moves.sql") for each in ("0009", "0007"))
OUTCOMES = "'sent', 'recipient', 'agency', 'account', 'away', 'in_doubt'"


def upgrade() -> None:
    op.add_column("notices", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("notices", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notices", sa.Column("refused_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notices", sa.Column("doubts", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("notices", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_notices_outcome_known"), "notices", f"outcome IN ({OUTCOMES})")
    _states("'due', 'sent', 'failed', 'skipped'")
    op.get_bind().exec_driver_sql(MOVES.read_text(encoding="utf-8"))
    op.execute("UPDATE notices SET outcome = 'sent', tried_at = sent_at WHERE state = 'sent'")
    # Waits for a retry were kept as leases.
    op.execute("UPDATE notices SET not_before = lease_until, lease_until = NULL WHERE state = 'due' AND reason <> ''")


def _states(known: str) -> None:
    op.drop_constraint(op.f("ck_notices_state_known"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_state_known"), "notices", f"state IN ({known})")


def downgrade() -> None:
    op.execute("DROP TRIGGER legal_moves ON notices")
    op.execute("UPDATE notices SET state = 'failed' WHERE state = 'skipped'")
    op.execute("UPDATE notices SET lease_until = not_before WHERE not_before IS NOT NULL")
    _states("'due', 'sent', 'failed'")
    op.get_bind().exec_driver_sql(MOVES_BEFORE.read_text(encoding="utf-8"))
    op.drop_constraint(op.f("ck_notices_outcome_known"), "notices", type_="check")
    for column in ("not_before", "doubts", "refused_since", "tried_at", "outcome"):
        op.drop_column("notices", column)
