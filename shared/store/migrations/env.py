"""Alembic's entry: one connection, one transaction for all migrations, one migrator at a time."""

from alembic import context
from sqlalchemy import create_engine, text

from shared.store.tables import metadata

url = context.config.get_main_option("sqlalchemy.url") or ""
engine = create_engine(url, hide_parameters=True)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('duecycle migrate', 0))"))
        context.run_migrations()
engine.dispose()
