"""Settings and database for every command, with errors that say what to fix."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from shared.settings import Settings, SettingsError, load
from shared.store import migrate
from shared.store.clock_watch import ClockStoppedError, ClockWatch
from shared.store.database import Store, machine_now, make_engine
from shared.store.errors import in_words


def settings_for(*needs: str) -> Settings:
    """The settings of the environment. Raises click.UsageError (exit code 2) that names every variable that is wrong."""
    try:
        return load(needs=needs)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def open_store(settings: Settings | None = None, *, writes: bool = False) -> Iterator[Store]:
    """The store that DUECYCLE_DATABASE_URL names, with the schema this code was written for.

    `writes`: for a command that depends on the current time, so that the database's clock must be right. Raises
    click.ClickException (exit code 1): the database can't be reached, its schema does not match, its clock can't be trusted,
    or its role may not do what the command does.
    """
    found = settings or settings_for("DATABASE_URL")
    engine = make_engine(found.database_url, statement_timeout_ms=30_000)
    try:
        try:
            wrong = migrate.mismatch(engine)
        except Exception as error:
            if (words := in_words(error)) is None:
                raise
            raise click.ClickException(words) from None
        if wrong:
            raise click.ClickException(wrong)
        watch = ClockWatch("a command", machine_now, found.clock_jump) if writes else None
        yield Store(engine, watch=watch)
    except ClockStoppedError as stopped:
        raise click.ClickException(str(stopped)) from None
    except Exception as error:  # the server went away in the middle, or the role may not do what this command does
        if (words := in_words(error)) is None:
            raise
        raise click.ClickException(words) from None
    finally:
        engine.dispose()
