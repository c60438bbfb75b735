"""The private PostgreSQL: it starts anywhere, keeps its data, ends with its starter, and says what is wrong."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.servers.postgres import EmbeddedPostgres, EmbeddedPostgresError, PostgresServer
from ops.servers.postgres_programs import find_binaries

STARTER = """
import os, signal, sys
from pathlib import Path
from ops.servers.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print(server.url(), flush=True)
    {end}
"""


def do(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


def ask(url: str, question: str) -> object:
    """The first column of the first row that the database at `url` answers."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def socket_folder(url: str) -> Path:
    return Path(url.partition("host=")[2].partition("&")[0].replace("%2F", "/"))


def await_end(lock_file: Path) -> None:
    """Return once the server has removed its lock file, the last thing it does; fail if it never does."""
    deadline = time.monotonic() + 60
    while lock_file.exists():
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.02)


def test_the_settings_are_those_of_a_throw_away_server_on_two_cores(postgres: PostgresServer) -> None:
    """The suite's server: UTC, bytewise UTF-8, no JIT."""
    url = postgres.url()
    assert ask(url, "SHOW timezone") == "UTC"
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SELECT datcollate FROM pg_database WHERE datname = 'template1'") == "C"
    assert ask(url, "SHOW jit") == "off"


def test_durable_decides_about_fsync(tmp_path: Path) -> None:
    """A durable server flushes its commits; one for throw-away data does not."""
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert [ask(server.url(), f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["off", "off"]
    with EmbeddedPostgres(tmp_path, durable=True) as server:
        assert [ask(server.url(), f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]


def test_data_survives_a_stop(tmp_path: Path) -> None:
    """What is committed before a stop is there after the next start."""
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        url = server.create_database("ledger")
        do(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert ask(server.url("ledger"), "SELECT answer FROM kept") == 42


def test_a_database_copied_from_a_template_is_its_own(postgres: PostgresServer) -> None:
    """The copy has the template's tables, is independent of it, and is gone once dropped."""
    original = postgres.create_database("copied_from")
    do(original, "CREATE TABLE note AS SELECT 'template' AS text")
    copy = postgres.create_database("copied_to", "copied_from")
    do(copy, "UPDATE note SET text = 'copy'")
    assert (ask(original, "SELECT text FROM note"), ask(copy, "SELECT text FROM note")) == ("template", "copy")
    postgres.drop_database("copied_to")
    postgres.drop_database("copied_from")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        ask(copy, "SELECT 1")


def test_a_folder_deeper_than_a_socket_path_works(tmp_path: Path) -> None:
    """The limit of about 107 bytes on socket paths does not limit the folder."""
    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    with EmbeddedPostgres(folder, durable=False) as server:
        assert ask(server.url(), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that the server's user may not enter")
def test_root_can_use_a_folder_that_only_root_may_enter(tmp_path: Path) -> None:
    """Below a folder of mode 0700 the server works, and the folder's mode stays as it was."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "run", durable=False) as server:
        assert ask(server.url(), "SELECT 1") == 1
        assert (private / "run" / "data").stat().st_uid != 0
    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_nobody_but_its_starter_may_connect(tmp_path: Path) -> None:
    """The operating system user the server itself runs as is refused: it is not the one who started it."""
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        address = server.url().replace("+psycopg", "")
        child = os.fork()
        if child == 0:
            os.setuid((tmp_path / "data").stat().st_uid)
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError as error:
                os._exit(7 if "Peer authentication failed" in str(error) else 1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "terminated"),
        (
            "signal.signal(signal.SIGINT, signal.default_int_handler); os.kill(os.getpid(), signal.SIGINT)",
            "interrupted by Ctrl-C",
        ),
        ("raise SystemExit(3)", "exiting inside the block"),
    ],
)
def test_the_server_ends_with_its_starter(tmp_path: Path, end: str, how: str) -> None:
    """However the starting program ends, its server ends too and leaves no socket folder."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(end="sys.stdin.readline(); " + end), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert starter.stdout
    url = starter.stdout.readline().strip()
    assert (tmp_path / "data" / "postmaster.pid").exists()
    starter.communicate("now\n", timeout=120)
    assert starter.returncode != 0, how
    await_end(tmp_path / "data" / "postmaster.pid")
    assert not (socket_folder(url) / ".s.PGSQL.5432").exists()


def test_a_forked_child_that_exits_leaves_the_server_alone(tmp_path: Path) -> None:
    """Only the process that started the server ends it."""
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        os.waitpid(child, 0)
        assert ask(server.url(), "SELECT 1") == 1


def test_a_folder_in_use_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A second server on the same folder is an error that says so; the first one goes on."""
    with EmbeddedPostgres(tmp_path, durable=False) as first:
        with pytest.raises(EmbeddedPostgresError, match=r"another program uses this folder"):
            EmbeddedPostgres(tmp_path, durable=False).start()
        assert ask(first.url(), "SELECT 1") == 1


def test_data_of_another_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Data that another PostgreSQL version wrote is named as the cause."""
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedPostgresError, match="another PostgreSQL version wrote this folder"):
        EmbeddedPostgres(tmp_path).start()


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    """A half-made data folder from a killed first start is no obstacle."""
    (tmp_path / "data.partial").mkdir()
    (tmp_path / "data.partial" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert ask(server.url(), "SELECT 1") == 1


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A file where the folder should be: an error that names it, and no server left behind."""
    (tmp_path / "file").write_text("")
    server = EmbeddedPostgres(tmp_path / "file" / "run")
    with pytest.raises(EmbeddedPostgresError, match=r"file[\s\S]*Fix: choose a folder"):
        server.start()
    with pytest.raises(EmbeddedPostgresError, match="is not running"):
        server.url()


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DUECYCLE_PG_BIN without PostgreSQL in it is refused, not ignored."""
    monkeypatch.setenv("DUECYCLE_PG_BIN", str(tmp_path))
    with pytest.raises(EmbeddedPostgresError, match=r"no PostgreSQL programs[\s\S]*DUECYCLE_PG_BIN"):
        find_binaries()


def test_simulate_without_the_extra_says_what_to_install_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image of the cluster has no embedded PostgreSQL."""
    monkeypatch.delenv("DUECYCLE_PG_BIN", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    (tmp_path / "in.jsonl").write_text("")
    kept = tmp_path / "out" / "orders.jsonl"
    kept.parent.mkdir()
    kept.write_text("of the last run")

    line = ["simulate", str(tmp_path / "in.jsonl"), "--until", "2026-06-01", "--out", str(kept.parent), "--force"]
    done = CliRunner().invoke(commands, line)

    assert isinstance(done.exception, EmbeddedPostgresError)
    assert "pip install 'duecycle[embedded]'" in done.exception.fix
    assert "DUECYCLE_PG_BIN" in done.exception.fix
    assert kept.read_text() == "of the last run"


def test_the_environment_does_not_steer_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGPORT, PGDATA and PGHOST of the user's shell change nothing."""
    for name, value in {
        "PGPORT": "7777",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "TZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert ask(server.url(), "SHOW timezone") == "UTC"
