"""events that a queue refuses, and rechecks and schedules that fail, wait by themselves"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("waits", sa.Boolean(), server_default="false", nullable=False))
    op.drop_index("ix_events_unpublished", "events")
    op.create_index(
        "ix_events_unpublished", "events", ["event_id"], postgresql_where=sa.text("published_at IS NULL AND NOT waits")
    )
    op.create_index("ix_events_waiting", "events", ["agency_id", "subject"], postgresql_where=sa.text("waits"))
    op.create_table(
        "refused_events",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "subject", name=op.f("pk_refused_events")),
    )
    op.create_index("ix_refused_events_retry_at", "refused_events", ["retry_at"])
    for table in ("rechecks", "schedules"):
        op.add_column(table, sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
        op.add_column(table, sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    failing = sa.text("retry_at IS NOT NULL")
    op.create_index("ix_rechecks_failing", "rechecks", ["agency_id", "kind", "ref"], postgresql_where=failing)
    op.create_index("ix_schedules_failing", "schedules", ["retry_at"], postgresql_where=failing)


def downgrade() -> None:
    op.drop_index("ix_schedules_failing", "schedules")
    op.drop_index("ix_rechecks_failing", "rechecks")
    for table in ("schedules", "rechecks"):
        op.drop_column(table, "retry_at")
        op.drop_column(table, "failures")
    op.drop_table("refused_events")
    op.drop_index("ix_events_waiting", "events")
    op.drop_index("ix_events_unpublished", "events")
    op.create_index("ix_events_unpublished", "events", ["event_id"], postgresql_where=sa.text("published_at IS NULL"))
    op.drop_column("events", "waits")
