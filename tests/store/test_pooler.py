"""Behind a real PgBouncer every program says what to set: a session there is not ours, and what it sets would be lost."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from ops.cli import commands
from ops.cluster.waiting import until
from ops.servers.postgres import EmbeddedPostgres, PostgresServer
from ops.servers.rabbitmq import free_ports
from shared.store import migrate
from shared.store.database import make_engine

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
FIX = "let DUECYCLE_DATABASE_URL name PostgreSQL itself"
Bounce = Callable[..., str]


@pytest.fixture
def bounce(postgres: PostgresServer, database_url: str, open_folder: Path) -> Iterator[Bounce]:
    """Starts a PgBouncer in front of the test's database, and returns its address. It runs as the server's own account."""
    if PROGRAM is None or not isinstance(postgres, EmbeddedPostgres):
        pytest.skip("needs PgBouncer (make servers) and a PostgreSQL of our own")
    data = postgres.folder / "data"
    account = pwd.getpwuid(data.stat().st_uid)
    with (data / "pg_ident.conf").open("a") as names:
        names.write(f'starter "{account.pw_name}" postgres\n')
    with postgres.session() as session:
        session.execute("SELECT pg_reload_conf()")
    running: list[subprocess.Popen[bytes]] = []

    def start(mode: str, *, ignore: str = "") -> str:
        (port,) = free_ports(1)
        url = make_url(database_url)
        where = f"host={url.query['host']} port={url.query['port']} dbname={url.database} user=postgres"
        lines = [
            "[databases]",
            f"duecycle = {where}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
        ]
        lines += [
            "unix_socket_dir =",
            "auth_type = any",
            f"pool_mode = {mode}",
            f"ignore_startup_parameters = {ignore}",
        ]
        if os.geteuid() == 0:
            lines.append(f"user = {account.pw_name}")
        file = open_folder / f"{port}.ini"
        file.write_text("\n".join(lines) + "\n")
        running.append(
            subprocess.Popen([PROGRAM, "-q", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        address = f"postgresql://any@127.0.0.1:{port}/duecycle"

        def listens() -> bool:
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError:
                return False
            return True

        until(listens)
        return address

    yield start
    for each in running:
        each.kill()
        each.wait()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_that_drops_our_settings_without_a_word_is_seen(bounce: Bounce, mode: str) -> None:
    """Told to ignore what we ask for at the start, it lets us in without timeouts; what we listen for would never arrive."""
    url = bounce(mode, ignore="extra_float_digits, options")
    engine = make_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        said = migrate.mismatch(engine) or ""
    finally:
        engine.dispose()
    assert "leads through a pooler such as PgBouncer" in said
    assert FIX in said
    for words in (["status"], ["migrate"]):
        answer = CliRunner().invoke(commands, words, env={"DUECYCLE_DATABASE_URL": url})
        assert answer.exit_code == 1
        assert FIX in answer.output


def test_a_pooler_that_refuses_our_settings_is_told_with_what_to_set(bounce: Bounce) -> None:
    url = bounce("transaction")
    answer = CliRunner().invoke(commands, ["status"], env={"DUECYCLE_DATABASE_URL": url})
    assert answer.exit_code == 1
    assert (
        f"a pooler such as PgBouncer answers there; it drops what a session sets (timeouts, LISTEN, locks), so {FIX}"
        in (answer.output)
    )
