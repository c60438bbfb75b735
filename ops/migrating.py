"""`duecycle migrate`: bring the database to the schema of this program."""

import time

import click
from alembic.util import CommandError

from ops.connect import settings_for
from shared.store import migrate
from shared.store.errors import is_connection_error, unreachable


@click.command("migrate")
@click.option(
    "--wait", type=click.IntRange(0, 3600), default=60, show_default=True, help="Seconds to wait for the server."
)
@click.option(
    "--app-role",
    help="Let this role read and write rows, with the password in DUECYCLE_APP_PASSWORD(_FILE); made if missing.",
)
def migrate_command(wait: int, app_role: str | None) -> None:
    """Apply the migrations that the database lacks. Running it again changes nothing; two at once wait for each other."""
    settings = settings_for("DATABASE_URL")
    url = settings.database_url
    if app_role and not settings.app_password:
        raise click.UsageError("--app-role needs its password in DUECYCLE_APP_PASSWORD or DUECYCLE_APP_PASSWORD_FILE")
    _migrate(url, wait)
    if app_role:
        migrate.admit(url, app_role, settings.app_password)
        click.echo(f"{app_role} may read and write rows")


def _migrate(url: str, wait: int) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            before = migrate.current_revision(url)
            break
        except Exception as error:
            if not is_connection_error(error):
                raise
            if time.monotonic() > until:
                raise click.ClickException(f"the database can't be reached: {unreachable(error)}") from None
            time.sleep(1)
    wanted = migrate.expected_revision()
    if before is not None and not migrate.knows(before):
        raise click.ClickException(f"the database has schema {before}, newer than this program knows ({wanted})")
    if before == wanted:
        click.echo(f"the schema is {wanted} already")
        return
    try:
        migrate.upgrade(url)
    except CommandError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"the schema went from {before or 'nothing'} to {wanted}")
