"""`duecycle migrate`: bring the database schema up to date while other processes work."""

import time
from pathlib import Path

import click
from alembic.util import CommandError

from ops.connect import settings_for
from shared.store import migrate, roles
from shared.store.errors import in_words, is_connection_error
from shared.store.grants import KINDS


@click.command("migrate")
@click.option(
    "--wait",
    type=click.IntRange(0, 3600),
    default=60,
    show_default=True,
    help="Seconds to wait for the database server.",
)
@click.option(
    "--lock-wait",
    type=click.IntRange(0, 86_400),
    default=600,
    show_default=True,
    help="Seconds to keep trying while others hold a table.",
)
@click.option(
    "--roles",
    "with_roles",
    is_flag=True,
    help="Also create the processes' database roles, each with the rights it needs.",
)
@click.option(
    "--passwords",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="With --roles: a folder with a password file database_<kind> for each role.",
)
def migrate_command(wait: int, lock_wait: int, *, with_roles: bool, passwords: Path | None) -> None:
    """Apply missing schema migrations while others work.

    Running it again changes nothing, and two at once wait for each other. A change that can't get a table within two seconds
    gives way, reports who holds the table, and is tried again.
    """
    url = settings_for("DATABASE_URL").database_url
    given = _passwords(passwords) if passwords else {}
    if passwords and not with_roles:
        raise click.UsageError("--passwords needs --roles; add it")
    _migrate(url, wait, lock_wait)
    if with_roles:
        try:
            roles.apply(url, given)
        except roles.MayNotError as error:
            raise click.ClickException(str(error)) from None
        except Exception as error:
            if (words := in_words(error)) is None:
                raise
            raise click.ClickException(f"the roles were not changed: {words}") from None
        click.echo(f"created or updated the roles of {len(KINDS)} kinds of processes")


def _passwords(folder: Path) -> dict[str, str]:
    """By kind. Raises click.UsageError that names the files that are missing or empty."""
    found = {kind: _text(folder / f"database_{kind}") for kind in KINDS}
    if lacking := [f"database_{kind}" for kind, password in found.items() if not password]:
        raise click.UsageError(f"--passwords {folder} has no {', '.join(lacking)}; make env writes them")
    return found


def _text(path: Path) -> str:
    return path.read_text("utf-8").strip() if path.is_file() else ""


def _migrate(url: str, wait: int, lock_wait: int) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            before = migrate.current_revision(url)
            break
        except migrate.PooledError as error:
            raise click.ClickException(str(error)) from None
        except Exception as error:
            if (words := in_words(error)) is None:
                raise
            if not is_connection_error(error) or time.monotonic() > until:
                raise click.ClickException(words) from None
            time.sleep(1)
    wanted = migrate.expected_revision()
    if before is not None and not migrate.knows(before):
        raise click.ClickException(f"the database has schema {before}, newer than this program knows ({wanted})")
    if before == wanted:
        click.echo(f"the schema is already {wanted}")
        return
    try:
        migrate.upgrade(url, lock_wait, lambda words: click.echo(words, err=True))
    except (CommandError, migrate.HeldUpError) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if (words := in_words(error)) is None:
            raise
        raise click.ClickException(f"{words}; completed steps are kept: run this again") from None
    click.echo(f"the schema went from {before or 'nothing'} to {wanted}")
