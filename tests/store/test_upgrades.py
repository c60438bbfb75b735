"""A database in use gets a newer schema: nobody waits long for it, half of it can be done again, old programs go on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from alembic.config import Config
from sqlalchemy import Engine, text

from ops.cluster.waiting import until
from shared.store import migrate
from shared.store.migrations import steps

Migration = Callable[..., None]
READS = "SELECT count(*) FROM heartbeats"
WRITES = "INSERT INTO heartbeats (name, at) VALUES ('written', now())"


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Migration]:
    """Adds a migration that a later version of the program has: its number, and the lines of its `upgrade`."""
    plain = migrate._config
    before = migrate.expected_revision()

    def with_more(url: str) -> Config:
        config = plain(url)
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", f"{migrate._FOLDER / 'versions'}:{tmp_path}")
        return config

    def add(number: str, *lines: str, works_with: str | None = None) -> None:
        nonlocal before
        head = "from alembic import op\nfrom shared.store.migrations import steps\n"
        head += f"revision, down_revision = {number!r}, {before!r}\n"
        declared = f"works_with = {works_with!r}\n" if works_with else ""
        body = "".join(f"    {line}\n" for line in lines)
        (tmp_path / f"{number}_newer.py").write_text(f"{head}{declared}\n\ndef upgrade():\n{body}")
        before = number
        monkeypatch.setattr(migrate, "_config", with_more)

    yield add
    monkeypatch.setattr(migrate, "_config", plain)


def address(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_a_long_reader_delays_the_migration_and_nobody_else(
    engine: Engine, newer: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a report holds the table, the migration gives way to writers, says who holds it, and is done once it ends."""
    monkeypatch.setattr(steps, "LOCK_TIMEOUT", "100ms")
    before = migrate.expected_revision()
    newer("9001", 'op.execute("ALTER TABLE heartbeats ADD COLUMN more text")')
    told: list[str] = []
    with engine.connect() as reader, engine.connect() as writer:
        reader.execute(text("SET application_name = 'a long report'"))
        reader.execute(text(READS))
        migrating = Thread(target=migrate.upgrade, args=(address(engine), 60, told.append))
        migrating.start()
        until(lambda: told)
        writer.execute(text(WRITES))
        writer.commit()
        assert migrate.current_revision(address(engine)) == before
        assert migrating.is_alive()
        assert "a table that has to change is in use" in told[0]
        assert "a long report (pid" in told[0]
        reader.rollback()
        migrating.join(30)
    assert migrate.current_revision(address(engine)) == "9001"


def test_who_may_not_wait_longer_is_told_who_holds_the_table(
    engine: Engine, newer: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was applied before stays; the next run goes on from there."""
    monkeypatch.setattr(steps, "LOCK_TIMEOUT", "50ms")
    newer("9001", 'op.execute("ALTER TABLE pauses ADD COLUMN more text")')
    newer("9002", 'op.execute("ALTER TABLE heartbeats ADD COLUMN more text")')
    with engine.connect() as reader:
        reader.execute(text(READS))
        with pytest.raises(
            migrate.HeldUpError, match=r"duecycle \(pid \d+\).*run this again later: what was done stays"
        ):
            migrate.upgrade(address(engine), 0)
    assert migrate.current_revision(address(engine)) == "9001"
    migrate.upgrade(address(engine), 0)
    assert migrate.current_revision(address(engine)) == "9002"


def test_an_index_waits_for_an_old_transaction_no_longer_than_the_migration_may(
    engine: Engine, newer: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody queues behind it, but whoever migrates is told which forgotten session holds it up. Then it is rebuilt."""
    monkeypatch.setattr(steps, "_BRIEF", 0.0)
    newer("9001", 'steps.add_index("ix_heartbeats_at", "heartbeats", "at")', 'steps.drop_index("ix_heartbeats_no")')
    with engine.connect() as forgotten:
        forgotten.execute(text("SET application_name = 'a forgotten session'"))
        forgotten.execute(text(WRITES))
        with pytest.raises(migrate.HeldUpError, match=r"a forgotten session \(pid"):
            migrate.upgrade(address(engine), 1)
        forgotten.rollback()
    migrate.upgrade(address(engine), 5)
    assert migrate.current_revision(address(engine)) == "9001"
    with engine.connect() as connection:
        assert connection.execute(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_heartbeats_at')")
        ).scalar()


def test_a_deadlock_with_those_who_work_is_tried_again(engine: Engine, newer: Migration) -> None:
    """A writer holds one table and wants the next, the migration the other way round: PostgreSQL ends one of them."""
    newer(
        "9001",
        'op.execute("SET LOCAL deadlock_timeout = 100")',
        'op.execute("ALTER TABLE pauses ADD COLUMN more text")',
        'op.execute("ALTER TABLE heartbeats ADD COLUMN more text")',
    )
    told: list[str] = []
    with engine.connect() as writer:
        writer.execute(text("SET deadlock_timeout = '1min'"))
        writer.execute(text(WRITES))
        migrating = Thread(target=migrate.upgrade, args=(address(engine), 60, told.append))
        migrating.start()
        held = "SELECT 1 FROM pg_locks WHERE relation = 'pauses'::regclass AND mode = 'AccessExclusiveLock' AND granted"
        with engine.connect() as watching:
            until(lambda: watching.exec_driver_sql(held).scalar())
        writer.execute(text("SELECT count(*) FROM pauses"))
        writer.commit()
        migrating.join(30)
    assert "a table that has to change is in use" in told[0]
    assert migrate.current_revision(address(engine)) == "9001"


def test_rows_that_are_written_in_the_old_way_all_the_time_end_a_migration_with_words(
    engine: Engine, newer: Migration
) -> None:
    """Words of a condition may have a colon in them."""
    newer("9001", """steps.in_batches("heartbeats", "at = at + interval '1 s'", "name <> ':at'")""")
    with engine.begin() as connection:
        connection.execute(text(WRITES))
    with pytest.raises(migrate.HeldUpError, match="after 20 rounds heartbeats still has rows where name <> ':at'"):
        migrate.upgrade(address(engine), 0)


def test_two_migrations_at_once_wait_for_each_other(engine: Engine, newer: Migration) -> None:
    newer("9001", 'op.execute("ALTER TABLE pauses ADD COLUMN more text")')
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(hashtextextended('duecycle migrate', 0))"))
        with pytest.raises(migrate.HeldUpError, match="another migration has been running"):
            migrate.upgrade(address(engine), 0)
        other.execute(text("SELECT pg_advisory_unlock_all()"))
    migrate.upgrade(address(engine), 0)


def test_long_steps_hold_no_table_and_can_be_done_again_after_half_of_them(
    engine: Engine, newer: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column is filled block by block, checked and required, and an index is built, while somebody has written and waits.

    The first try fails in the middle; the index that an earlier one left half-built is rebuilt.
    """
    monkeypatch.setattr(steps, "_BLOCKS", 1)
    newer("9001", 'op.execute("ALTER TABLE heartbeats ADD COLUMN more text")', works_with="0011")
    newer(
        "9002",
        """steps.in_batches("heartbeats", "more = name || ':'", "more IS NULL")""",
        'steps.require("heartbeats", "more")',
        """steps.add_check("ck_heartbeats_more", "heartbeats", "more <> ''")""",
        'steps.add_index("ix_heartbeats_more", "heartbeats", "more", unique=True)',
        works_with="9001",
    )
    add = "INSERT INTO heartbeats (name, at) SELECT 'beat ' || n, now() FROM generate_series(1, 400) AS n"
    with engine.begin() as connection:
        connection.execute(text(add))
        connection.execute(text("INSERT INTO heartbeats (name, at) VALUES ('', now())"))
        connection.execute(text("ALTER TABLE heartbeats ADD COLUMN broken int DEFAULT 1"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(Exception, match="could not create unique index"):
            connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY ix_heartbeats_more ON heartbeats (broken)"))
        connection.execute(text("UPDATE heartbeats SET broken = NULL"))

    batches = steps.in_batches
    monkeypatch.setattr(steps, "in_batches", lambda *words: (batches(*words), 1 // 0))
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(address(engine), 0)
    monkeypatch.setattr(steps, "in_batches", batches)
    migrate.upgrade(address(engine), 0)

    with engine.connect() as connection:
        filled = connection.execute(
            text("SELECT count(*), count(*) FILTER (WHERE more = name || E'\\:') FROM heartbeats")
        )
        assert filled.fetchone() == (401, 401)
        index = "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
        defined, valid = connection.execute(text(index), {"name": "ix_heartbeats_more"}).one()
        assert defined.startswith("CREATE UNIQUE INDEX ix_heartbeats_more ON public.heartbeats USING btree (more)")
        assert valid
        checks = "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'heartbeats'\\:\\:regclass AND contype = 'c'"
        assert [tuple(row) for row in connection.execute(text(checks))] == [("ck_heartbeats_more", True)]
        assert connection.execute(text("SHOW lock_timeout")).scalar() != "0"


def test_a_newer_schema_leaves_programs_ready_that_it_names(
    engine: Engine, newer: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no others: those say that they are too old. What a program asks is what /readyz tells."""
    plain, ours = migrate._config, migrate.expected_revision()
    newer("9001", 'op.execute("ALTER TABLE pauses ADD COLUMN more text")', works_with=ours)
    migrate.upgrade(address(engine), 0)
    later = migrate._config
    assert migrate.mismatch(engine) is None
    monkeypatch.setattr(migrate, "_config", plain)
    assert migrate.mismatch(engine) is None

    monkeypatch.setattr(migrate, "_config", later)
    newer("9002", 'op.execute("ALTER TABLE pauses DROP COLUMN more")')
    migrate.upgrade(address(engine), 0)
    monkeypatch.setattr(migrate, "_config", plain)
    assert migrate.mismatch(engine) == (
        f"the database has schema 9002, newer than this program knows ({ours}); run the newer program"
    )
