"""A PostgreSQL primary with a synchronous standby, on this machine: what a drill of a failover needs."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from ops.servers.postgres import EmbeddedPostgres
from ops.servers.postgres_programs import PORT, environment, find_binaries, server_account

NAME = "standby"


class Pair:
    """A primary whose every commit waits for its standby. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.primary = EmbeddedPostgres(folder / "primary")
        self.standby = EmbeddedPostgres(folder / "standby")

    @property
    def url(self) -> str:
        """Both servers in one address: a new connection goes to the one that takes writes."""
        hosts = ",".join(str(server.sockets) for server in (self.primary, self.standby))
        several = f"host={hosts}&port={PORT},{PORT}&target_session_attrs=read-write"
        return f"postgresql+psycopg://postgres@/postgres?{several}"

    def __enter__(self) -> Self:
        try:
            self.primary.start()
            _copy(self.primary, self.standby)
            self.standby.start()
            with self.primary.session() as session:
                session.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                session.execute("SELECT pg_reload_conf()")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End both servers."""
        self.standby.stop()
        self.primary.stop()

    def lose_primary(self) -> None:
        """SIGKILL to every process of the primary, as when its machine is gone."""
        first = self.primary.pid
        if first is None:
            raise RuntimeError("the primary is not running")
        for pid in [first, *_children(first)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        """Make the standby the primary, and return when it takes writes; it waits for no standby of its own."""
        with self.standby.session() as session:
            session.execute("SELECT pg_promote(wait => true)")
            session.execute("ALTER SYSTEM RESET synchronous_standby_names")
            session.execute("SELECT pg_reload_conf()")


def _copy(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """The primary's data as a standby's, which follows it from the first start on."""
    data = standby.folder / "data"
    data.parent.mkdir(parents=True, exist_ok=True)
    command = [find_binaries() / "pg_basebackup", "-h", str(primary.sockets), "-p", str(PORT), "-U", "postgres"]
    command += ["-D", str(data), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]
    subprocess.run(list(map(str, command)), env=environment(), check=True, capture_output=True, timeout=120)  # noqa: S603 - our own words, no shell
    account = server_account(primary.folder / "data")
    if account is not None:
        _give(data, account)


def _give(folder: Path, account: pwd.struct_passwd) -> None:
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):  # noqa: PTH118 - thousands of paths
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    shutil.chown(folder, account.pw_uid, account.pw_gid)


def _children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in tasks.read_text().split()]
    return found
