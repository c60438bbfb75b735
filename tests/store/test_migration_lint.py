"""Migrations after the first release change a database in use: what would lock others out of a table is refused."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.store import migrate
from tests.store.migration_lint import BASELINE, complaints

HEAD = (
    'from alembic import op\nfrom shared.store.migrations import steps\nimport sqlalchemy as sa\nworks_with = "0011"\n'
)


def migration(folder: Path, body: str, head: str = HEAD) -> Path:
    path = folder / "0012_some.py"
    path.write_text(f"{head}\ndef upgrade():\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    return path


def test_every_migration_since_the_first_release_can_be_applied_while_others_work() -> None:
    scripts = ScriptDirectory.from_config(migrate._config("")).walk_revisions()
    later = [Path(script.path) for script in scripts if script.revision > BASELINE]
    assert {path.name: complaints(path) for path in later} == {path.name: [] for path in later}


def test_what_works_with_a_schema_never_gets_older() -> None:
    """A later migration can't bring back programs that an earlier one has ended."""
    scripts = ScriptDirectory.from_config(migrate._config("")).walk_revisions("base", "heads")
    declared = [(script.revision, getattr(script.module, "works_with", script.revision)) for script in scripts]
    declared.sort()
    assert all(oldest <= revision for revision, oldest in declared)
    assert [oldest for _, oldest in declared] == sorted(oldest for _, oldest in declared)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('op.create_index("ix_a", "cycles", ["state"])', "without CONCURRENTLY"),
        ('op.execute("CREATE INDEX ix_a ON cycles (state)")', "without CONCURRENTLY"),
        ('op.create_check_constraint("ck_a", "cycles", "tries > 0")', "without NOT VALID"),
        ('op.execute("ALTER TABLE cycles ADD CONSTRAINT ck_a CHECK (tries > 0)")', "without NOT VALID"),
        ('op.create_foreign_key("fk_a", "cycles", "schedules", ["a"], ["b"])', "without NOT VALID"),
        ('op.alter_column("cycles", "tries", type_=sa.BigInteger())', "rewrites the table"),
        ('op.execute("ALTER TABLE cycles ALTER COLUMN tries TYPE bigint")', "rewrites the table"),
        ('op.alter_column("cycles", "reason", nullable=False)', "steps.require"),
        ('op.execute("ALTER TABLE cycles ALTER COLUMN reason SET NOT NULL")', "steps.require"),
        ('op.execute("UPDATE cycles SET tries = 0")', "steps.in_batches"),
        ('op.execute("DELETE FROM events")', "steps.in_batches"),
        ('op.execute("SET lock_timeout = 0")', "for all"),
        ('op.add_column("cycles", sa.Column("x", sa.Text(), nullable=False))', "have no value"),
        ('op.add_column("cycles", sa.Column("x", sa.Text(), server_default=sa.func.now()))', "computed rewrites"),
        ("op.execute(words)", "can't be read here"),
        ('op.drop_column("cycles", "x")\nsteps.require("cycles", "reason")', "op and steps in one migration"),
    ],
)
def test_what_would_lock_others_out_is_refused_with_what_to_write(tmp_path: Path, body: str, words: str) -> None:
    (said,) = complaints(migration(tmp_path, body))
    assert words in said


def test_a_migration_says_which_programs_still_work(tmp_path: Path) -> None:
    (said,) = complaints(migration(tmp_path, "pass", HEAD.replace('works_with = "0011"', "")))
    assert "works_with" in said


@pytest.mark.parametrize(
    "body",
    [
        'op.create_table("news", sa.Column("a", sa.Text()))\nop.create_index("ix_news_a", "news", ["a"])',
        'op.add_column("cycles", sa.Column("x", sa.Text(), nullable=True))',
        'op.add_column("cycles", sa.Column("x", sa.Integer(), server_default="0", nullable=False))',
        'op.execute("ALTER TABLE cycles ADD CONSTRAINT ck_a CHECK (tries > 0) NOT VALID")',
        "op.execute(\"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'\")",
        'steps.add_index("ix_a", "cycles", "state")\nsteps.in_batches("cycles", "tries = 0", "tries IS NULL")',
    ],
)
def test_what_takes_a_moment_may_be_done(tmp_path: Path, body: str) -> None:
    assert complaints(migration(tmp_path, body)) == []
