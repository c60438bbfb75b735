"""Each kind of process may do in the database what its statements need, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Engine, MetaData, Table, Text, make_url, text
from sqlalchemy.exc import ProgrammingError

from ops.cli import commands
from shared.process import Process
from shared.settings import Settings
from shared.store import migrate, pauses, roles, tables
from shared.store.database import Store, make_engine
from shared.store.grants import GUARDED, KINDS, MONITORING, WRITES, reads, role_of
from shared.store.roles import parsed
from shared.store.seen import SEEN
from shared.store.tables import metadata
from tests.roles import RoleStore, kind_of_caller
from tests.store import reach

PROCESSES = [kind for kind in KINDS if kind != MONITORING]
INSERT_ONLY = ("events", "payments", "credit_notes")


def granted(kind: str) -> dict[tuple[str, str], set[str]]:
    """(table, privilege) → columns; "*" for all of them."""
    return {
        (table, privilege): set(columns.split(", ")) if columns else {"*"}
        for table, words in WRITES[kind].items()
        for privilege, columns in parsed(words).items()
    }


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_role_may_write_what_the_code_of_its_kind_can_reach_and_nothing_else(kind: str) -> None:
    """Read from the source: also a path that no test walks works under the role. Columns count where a grant names them."""
    needs = reach.writes(kind)
    may = granted(kind)
    if may.get(("subscriptions", "UPDATE")) == {"lock_only"}:
        assert "subscriptions" in reach.locks(kind)
        del may["subscriptions", "UPDATE"]

    assert set(may) == set(needs)
    for what, columns in may.items():
        assert columns in ({"*"}, needs[what]), (kind, what, needs[what])
    locked = reach.locks(kind) & set(metadata.tables)
    assert all((table, "UPDATE") in granted(kind) for table in locked), (
        "a row lock needs the right to update some column"
    )


@pytest.mark.parametrize("kind", PROCESSES)
def test_raw_input_and_payment_methods_are_read_by_those_who_work_with_them(kind: str) -> None:
    named = reach.reads(kind)
    assert {table for table, readers in GUARDED.items() if kind in readers} == set(GUARDED) & named


def test_a_private_call_of_a_pool_is_seen_as_the_pools() -> None:
    """What a stage's test runs, it runs under the pool's role; what a test does itself is nobody's."""
    assert kind_of_caller() is None
    namespace = {"__name__": "workers.orders.create_orders", "ask": kind_of_caller}
    exec("def here(): return ask()", namespace)  # noqa: S102 - our own words, in the name of a pool
    assert namespace["here"]() == "orders"  # type: ignore[operator]


@contextmanager
def acting_as(engine: Engine, kind: str) -> Iterator[Store]:
    """A store whose sessions log in as the role of a kind."""
    made = make_engine(make_url(str(engine.url)).set(username=role_of(kind)).render_as_string(hide_password=False))
    try:
        yield Store(made)
    finally:
        made.dispose()


def refused(engine: Engine, kind: str, statement: str) -> bool:
    """Whether PostgreSQL says that the role may not do this."""
    with engine.connect() as connection:
        connection.execute(text(f"SET ROLE {role_of(kind)}"))
        try:
            connection.execute(text(statement))
        except ProgrammingError as error:
            return getattr(error.orig, "sqlstate", None) == "42501"
        finally:
            connection.rollback()
            connection.execute(text("RESET ROLE"))
            connection.rollback()
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_can_be_added_to_and_never_changed(engine: Engine, kind: str) -> None:
    """Neither what was recorded, nor money received, nor credit given; nor a table, nor which schema it is."""
    for statement in (
        "UPDATE events SET data = '{}'",
        "UPDATE events SET subject_seq = 1",
        *(f"DELETE FROM {table}" for table in INSERT_ONLY),  # noqa: S608
        *(f"TRUNCATE {table}" for table in INSERT_ONLY),
        "UPDATE payments SET amount_minor = 1",
        "UPDATE credit_notes SET total_minor = 1",
        "DELETE FROM invoices",
        "UPDATE alembic_version SET version_num = 'x'",
        "UPDATE deployment SET deployment_id = 'x'",
        "CREATE TABLE mine (x int)",
        "DROP TABLE payments",
        "ALTER TABLE invoices DISABLE TRIGGER ALL",
    ):
        assert refused(engine, kind, statement), f"{kind} may: {statement}"
    if kind != "scheduler":
        assert refused(engine, kind, "UPDATE events SET published_at = now()")


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("webhooks", "UPDATE gateway_accounts SET secret = 'x'"),
        ("webhooks", "UPDATE gateway_accounts SET rate_per_second = NULL"),
        ("webhooks", "INSERT INTO gateway_accounts (agency_id, provider, secret) VALUES ('a', 'stripe', 'x')"),
        ("webhooks", "UPDATE subscriptions SET status = 'cancelled'"),
        ("webhooks", "INSERT INTO payments SELECT * FROM payments"),
        ("webhooks", "UPDATE invoices SET status = 'paid'"),
        ("charges", "UPDATE gateway_accounts SET webhook_secret = 'x'"),
        ("charges", "UPDATE subscriptions SET bill_from = '2020-01-01'"),
        ("scheduler", "UPDATE gateway_accounts SET paused_until = NULL"),
        ("scheduler", "INSERT INTO invoices SELECT * FROM invoices"),
        ("orders", "UPDATE charges SET state = 'due'"),
        ("orders", "SELECT token FROM payment_methods"),
        ("notices", "SELECT raw FROM inbox"),
        ("notices", "INSERT INTO payments SELECT * FROM payments"),
        ("intake", "SELECT raw FROM unproven_webhooks"),
        ("intake", "UPDATE gateway_accounts SET failures = 0"),
        ("ops", "UPDATE heartbeats SET name = 'x'"),
        ("monitoring", "SELECT token FROM payment_methods"),
        ("monitoring", "SELECT raw FROM inbox"),
        ("monitoring", "SELECT email FROM clients"),
        ("monitoring", "SELECT reason FROM pauses"),
        ("monitoring", "SELECT reason FROM refunds"),
        ("monitoring", "SELECT reason FROM inbox"),
        ("monitoring", "SELECT reason FROM notices"),
        ("monitoring", "SELECT stopped_reason FROM schedules"),
        ("monitoring", "SELECT accepted_by FROM clock_jumps"),
        ("monitoring", "SELECT 1 FROM cycles FOR UPDATE"),
        ("monitoring", "INSERT INTO pauses (agency_id, pool, paused_at) VALUES ('', 'charges', now())"),
    ],
)
def test_what_is_none_of_a_roles_business_is_refused(engine: Engine, kind: str, statement: str) -> None:
    assert refused(engine, kind, statement)


def test_monitoring_sees_what_status_shows(store: RoleStore, database_url: str) -> None:
    """And changes nothing. What an operator gave as a reason is not shown to it."""
    with store.transaction() as tx:
        pauses.add(tx, "charges", "", "Ms Miller asked")
    url = make_url(database_url).set(username=role_of(MONITORING)).render_as_string(hide_password=False)
    for line in (["status"], ["status", "--json"]):
        answer = CliRunner().invoke(commands, line, env={"DUECYCLE_DATABASE_URL": url})
        assert answer.exit_code == 0, answer.output
        assert "charges" in answer.output
        assert "Miller" not in answer.output
    owner = CliRunner().invoke(commands, ["status"], env={"DUECYCLE_DATABASE_URL": database_url})
    assert "Miller" in owner.output


def test_a_new_column_is_not_read_by_monitoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a new table, until somebody lists it. What is listed is there."""
    before = reads(MONITORING)
    grown = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(grown).append_column(Column("more", Text))
    Table("another", grown, Column("more", Text))
    monkeypatch.setattr(tables, "metadata", grown)

    assert reads(MONITORING) == before
    for name, columns in SEEN.items():
        assert set(columns.split(", ")) <= set(metadata.tables[name].columns.keys()), name


def test_a_process_says_what_its_role_lacks(engine: Engine) -> None:
    """With the command that mends it; and nothing once it has what it needs, or is the owner itself."""
    for kind in PROCESSES:
        with acting_as(engine, kind) as store:
            assert roles.missing(store.engine, kind) is None
    with acting_as(engine, "orders") as store:
        said = roles.missing(store.engine, "charges") or ""
    assert said.startswith(
        "the database role duecycle_orders may not do what charges does (it lacks SELECT on payment_methods"
    )
    assert said.endswith("let the owner of the tables run: duecycle migrate --roles, and connect as duecycle_charges")
    assert roles.missing(engine, "charges") is None


def test_a_role_that_may_nothing_is_told_so_by_processes_and_commands(engine: Engine, database_url: str) -> None:
    """It may not even see which schema it is."""
    with engine.begin() as connection:
        connection.execute(text("REVOKE SELECT ON alembic_version FROM duecycle_monitoring"))
    url = make_url(database_url).set(username=role_of(MONITORING)).render_as_string(hide_password=False)
    process = Process("charges", Settings(database_url=url, http=None), 1)
    try:
        with pytest.raises(
            RuntimeError, match=r"permission denied for table alembic_version.*duecycle migrate --roles"
        ):
            process.wait_for_surroundings(None)
        assert process._clock() is None
        for line in ("status", "migrate"):
            answer = CliRunner().invoke(commands, [line], env={"DUECYCLE_DATABASE_URL": url})
            assert answer.exit_code == 1
            assert "duecycle migrate --roles" in answer.output
    finally:
        process.close()
        with engine.begin() as connection:
            connection.execute(text("GRANT SELECT ON alembic_version TO duecycle_monitoring"))


def test_a_command_that_its_role_may_not_run_says_so(store: RoleStore, database_url: str) -> None:
    """Also where the schema may be read: the command fails at its own statement."""
    url = make_url(database_url).set(username=role_of(MONITORING)).render_as_string(hide_password=False)
    answer = CliRunner().invoke(commands, ["pause", "charges", "--reason", "x"], env={"DUECYCLE_DATABASE_URL": url})
    assert answer.exit_code == 1
    assert "the database says: " in answer.output
    assert "duecycle migrate --roles" in answer.output


def test_roles_are_made_on_the_one_of_several_hosts_that_answers(engine: Engine) -> None:
    """As an address with several hosts means it everywhere else."""
    url = engine.url
    where = url.query.get("host", url.host)
    port = url.query.get("port", url.port)
    query = {**url.query, "host": ("127.0.0.1:1", f"{where}:{port}")}
    query.pop("port", None)
    several = url.set(host=None, port=None, query=query).render_as_string(hide_password=False)
    answer = CliRunner().invoke(commands, ["migrate", "--roles"], env={"DUECYCLE_DATABASE_URL": several})
    assert answer.exit_code == 0, answer.output


def test_why_roles_were_not_made_is_told_in_words(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = engine.url.render_as_string(hide_password=False)

    def away(_address: str, _name: str) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": 1}

    monkeypatch.setattr(roles, "parameters", away)
    answer = CliRunner().invoke(commands, ["migrate", "--roles"], env={"DUECYCLE_DATABASE_URL": url})
    assert answer.exit_code == 1
    assert (
        "the roles were not changed: the database can't be reached: 127.0.0.1:1: nobody listens there" in answer.output
    )


def test_a_process_does_not_begin_under_a_role_that_lacks_something(store: RoleStore, database_url: str) -> None:
    """It says so and looks again, as for a schema that is missing, before it asks the broker for anything."""
    url = make_url(database_url).set(username=role_of("orders")).render_as_string(hide_password=False)
    process = Process("charges", Settings(database_url=url, http=None), 1)
    try:
        with pytest.raises(
            RuntimeError, match="database: the database role duecycle_orders may not do what charges does"
        ):
            process.wait_for_surroundings(None)
    finally:
        process.close()


def test_roles_are_made_by_the_command_and_made_again_without_harm(engine: Engine, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Each password from its own file, and hashed before the server, or its log, sees it."""
    url = engine.url.render_as_string(hide_password=False)
    words = ["migrate", "--roles", "--passwords", str(tmp_path)]
    answer = CliRunner().invoke(commands, words, env={"DUECYCLE_DATABASE_URL": url})
    assert answer.exit_code == 2
    assert "has no database_scheduler, database_orders" in answer.output

    for kind in KINDS:
        (tmp_path / f"database_{kind}").write_text(f"secret of {kind}\n")
    for _ in range(2):
        answer = CliRunner().invoke(commands, words, env={"DUECYCLE_DATABASE_URL": url})
        assert answer.exit_code == 0, answer.output
        assert answer.output.endswith("created or updated the roles of 9 kinds of processes\n")
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'duecycle\\_%'")
        ).fetchall()
    assert len(found) == len(KINDS)
    assert all(row[0].startswith("SCRAM-SHA-256$") for row in found)
    assert migrate.mismatch(engine) is None
