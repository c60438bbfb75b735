"""What every operator's command begins with: the settings of the environment, and a store that says what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from shared.settings import Settings, SettingsError, load
from shared.store import migrate
from shared.store.errors import is_connection_error, unreachable
from shared.store.transaction import Store, make_engine


def settings_for(*needs: str) -> Settings:
    """The settings of the environment. Raises click.UsageError (exit code 2) that names every variable that is wrong."""
    try:
        return load(needs=needs)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def open_store(settings: Settings | None = None) -> Iterator[Store]:
    """The store that DUECYCLE_DATABASE_URL names, with the schema this code was written for.

    Raises click.ClickException (exit code 1): the database can't be reached, or its schema is another one.
    """
    found = settings or settings_for("DATABASE_URL")
    engine = make_engine(found.database_url, statement_timeout_ms=30_000)
    try:
        try:
            wrong = migrate.mismatch(engine)
        except Exception as error:
            if not is_connection_error(error):
                raise
            raise click.ClickException(f"the database can't be reached: {unreachable(error)}") from None
        if wrong:
            raise click.ClickException(wrong)
        yield Store(engine)
    finally:
        engine.dispose()
