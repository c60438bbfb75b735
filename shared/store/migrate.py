"""Bring a database to the schema this code expects, with Alembic."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Engine, create_engine, make_url

_FOLDER = Path(__file__).parent / "migrations"


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Apply every migration the database lacks; harmless when there is none."""
    command.upgrade(_config(url), "head")


def expected_revision() -> str:
    """The revision this code was written for."""
    head = ScriptDirectory.from_config(_config("")).get_current_head()
    if head is None:
        raise RuntimeError("no migration is shipped")
    return head


def current_revision(url: str) -> str | None:
    """The revision a database stands at; None for an empty one."""
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def knows(revision: str) -> bool:
    """Whether this program has a migration of that name; if not, the database is newer."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config("")).walk_revisions()}


def mismatch(engine: Engine) -> str | None:
    """What is wrong with the schema of a database, in words that say what to do; None if it is the one for this code."""
    wanted = expected_revision()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found == wanted:
        return None
    if found is not None and not knows(found):
        return f"the database has schema {found}, newer than this program knows ({wanted}); run the newer program"
    stands = "has no schema yet" if found is None else f"has schema {found}"
    return f"the database {stands}, this program needs {wanted}; run: duecycle migrate"


def admit(url: str, role: str, password: str) -> None:
    """Let a role read and write rows of every table, now and later, and nothing else. It is made if there is none.

    The processes work as such a role: who may change rows need not be able to change tables. Raises psycopg.Error.
    """
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    name = sql.Identifier(role)
    with psycopg.connect(address, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        make = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(make.format(name, sql.Literal(password)))
        for grant in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
            "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {}",
        ):
            connection.execute(sql.SQL(grant).format(name))
