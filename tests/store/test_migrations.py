"""Migrations make the schema that the code believes in, from nothing, and leave one that is there alone."""

import os
from collections.abc import Iterator
from types import ModuleType

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text

from ops.servers.postgres import PostgresServer
from shared.store import migrate
from shared.store.database import Store
from shared.store.migrations import steps
from shared.store.tables import metadata

# Everything that a comparison of tables and columns alone does not see: checks, predicates, orders, storage.
CATALOG = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
                  FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
                      WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "storage": """SELECT relname::text, reloptions FROM pg_class
                  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'""",
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"duecycle_empty_{os.getpid()}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def catalog(engine: Engine, what: str) -> list[tuple[object, ...]]:
    """The schema as PostgreSQL itself tells it, without the table in which the migrations keep their own place."""
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(CATALOG[what].replace("::", r"\:\:")))]
    return sorted((row for row in rows if row[0] != "alembic_version"), key=str)


def test_the_migrated_schema_has_the_tables_of_the_code(engine: Engine) -> None:
    """Generating another migration would find nothing to do."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("what", CATALOG)
def test_the_migrated_schema_is_the_same_to_the_letter(engine: Engine, empty_url: str, what: str) -> None:
    """Migrating and creating the tables from the code come to the same, as the database's own catalog says."""
    created = create_engine(empty_url)
    try:
        metadata.create_all(created)
        expected = catalog(created, what)
    finally:
        created.dispose()
    assert len(expected) >= {"triggers": 7, "functions": 1}.get(what, 15)
    assert catalog(engine, what) == expected


def test_migrations_apply_to_an_empty_database(empty_url: str) -> None:
    assert migrate.current_revision(empty_url) is None
    migrate.upgrade(empty_url)
    assert migrate.current_revision(empty_url) == migrate.expected_revision()


WAITING = """
INSERT INTO agencies (agency_id, revision, effective_at, name, timezone, currency, email, locale, invoice_prefix,
                      payment_terms_days, issue_time, gateway, retry_days, on_exhausted, backlog, hold_on, digest)
VALUES ('ag', 1, now(), 'ag', 'UTC', 'EUR', 'o@ag.example', 'en', 'NL-', 14, '00:00', 'sandbox', '[1]', 'leave_open', 'all',
        'failure', '');
INSERT INTO notices (agency_id, key, occasion, audience, recipient, context, state, created_at, wake_at)
VALUES ('ag', 'k', 'refund_in_doubt', 'agency', 'o@ag.example', '{"rest_minor": 100, "refund_turn": 2, "number": "1"}',
        'due', now(), now())"""


def test_a_mail_that_was_written_before_an_upgrade_can_be_sent_after_it(empty_url: str) -> None:
    """The fields of its context get their new names."""
    command.upgrade(migrate._config(empty_url), "0013")
    engine = create_engine(empty_url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(WAITING)
        migrate.upgrade(empty_url)
        with engine.begin() as connection:
            context = connection.exec_driver_sql("SELECT context FROM notices").scalar_one()
    finally:
        engine.dispose()
    assert context == {"outstanding_minor": 100, "refund_seq": 2, "number": "1"}


@pytest.mark.parametrize(("owner", "step"), [(steps, "in_batches"), (op, "alter_column")], ids=["batches", "columns"])
def test_an_upgrade_that_stops_halfway_can_be_run_again(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, owner: ModuleType, step: str
) -> None:
    """Whether it stops between two batches, which are committed, or between two columns, which are not."""
    command.upgrade(migrate._config(empty_url), "0013")
    calls, real = [], getattr(owner, step)

    def stopping(*args: str, **options: str) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("stopped")
        real(*args, **options)

    engine = create_engine(empty_url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(WAITING)
        with monkeypatch.context() as stopped:
            stopped.setattr(owner, step, stopping)
            with pytest.raises(RuntimeError, match="stopped"):
                migrate.upgrade(empty_url)
        migrate.upgrade(empty_url)
        with engine.begin() as connection:
            context = connection.exec_driver_sql("SELECT context FROM notices").scalar_one()
    finally:
        engine.dispose()
    assert context == {"outstanding_minor": 100, "refund_seq": 2, "number": "1"}
    assert migrate.current_revision(empty_url) == migrate.expected_revision()


def test_migrating_twice_is_harmless(ledger: Store) -> None:
    """What is in the database stays, and so does its schema."""
    url = ledger.engine.url.render_as_string(hide_password=False)
    count = "SELECT (SELECT count(*) FROM cycles), (SELECT count(*) FROM events), (SELECT count(*) FROM inbox)"
    before = [catalog(ledger.engine, what) for what in CATALOG]
    with ledger.transaction() as tx:
        rows = tx.rows(count)
    assert rows[0][0] == 27
    migrate.upgrade(url)
    migrate.upgrade(url)
    with ledger.transaction() as tx:
        assert tx.rows(count) == rows
    assert [catalog(ledger.engine, what) for what in CATALOG] == before
