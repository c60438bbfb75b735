"""Bring a database to the schema this code expects, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

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
    engine = create_engine(url)
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
