"""Alembic's entry: one connection, a transaction for each migration, and no wait behind which others queue for long.

`shared/store/migrate.py` runs it again after a wait, and sees to it that there is one migrator at a time.
"""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, create_engine, text

from shared.store.migrations import steps
from shared.store.tables import metadata

# Schemas before the one with this column say nothing.
DECLARES = "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('deployment') AND attname = 'works_with'"


def declare(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:
    """With each migration the database says which programs still work: from the schema that it names as `works_with`."""
    del heads, run_args
    script: Any = step.up_revision  # the script of a migration, behind a general type
    if ctx.connection is None:
        raise RuntimeError("a migration is applied to a database, not written as SQL")
    if script is None or not step.is_upgrade or not ctx.connection.execute(text(DECLARES)).scalar():
        return
    works_with = getattr(script.module, "works_with", script.revision)
    ctx.connection.execute(text("UPDATE deployment SET works_with = :schema"), {"schema": works_with})


def migrate(connection: Connection) -> None:
    """Apply what is asked for."""
    for name, value in (("lock_timeout", steps.LOCK_TIMEOUT), ("statement_timeout", "0")):
        connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})
    connection.commit()
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True, on_version_apply=declare
    )
    with context.begin_transaction():
        context.run_migrations()


url = context.config.get_main_option("sqlalchemy.url") or ""
engine = create_engine(url, hide_parameters=True, connect_args={"application_name": "duecycle migrate"})
try:
    with engine.connect() as connection:
        migrate(connection)
finally:
    engine.dispose()
