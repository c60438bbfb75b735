"""The processes of a cluster on one machine: started, counted, killed, started again when they end, stopped together."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ops.servers.rabbitmq import free_ports
from shared.messages.work import POOLS

KINDS = ("scheduler", *POOLS, "webhooks")
RESTART_SECONDS = 1.0  # a process that dies at once must not be started in a tight loop
STOP_SECONDS = 30
WATCHDOG = 'read -r _; kill -TERM "$1" 2>/dev/null'


class Member:
    """One process: `duecycle scheduler` or `duecycle worker POOL`, with its own port for probes and its own log file."""

    def __init__(self, kind: str, number: int, environ: Mapping[str, str], logs: Path, words: Sequence[str]) -> None:
        self.kind, self.number = kind, number
        self.port = free_ports(1)[0]
        self.log = logs / f"{kind}-{number}.log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                words,
                env={**environ, "DUECYCLE_HTTP": f"127.0.0.1:{self.port}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the terminal reaches the one who stops them, in order
            )
        # Ends the process once standard input closes, which happens when the program that started it is gone.
        self._watchdog = subprocess.Popen(  # noqa: S603 - the script is a constant
            ["/bin/sh", "-c", WATCHDOG, "sh", str(self.process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.began = time.monotonic()

    def ended(self) -> int:
        """Wait for the end and stop the watchdog, as the process number may be reused soon. Returns the exit code.

        Raises subprocess.TimeoutExpired after STOP_SECONDS.
        """
        code = self.process.wait(STOP_SECONDS)
        self._watchdog.kill()
        self._watchdog.communicate()
        return code

    @property
    def running(self) -> bool:
        return self.process.poll() is None


class Members:
    """The processes of a cluster. `environ` is theirs: the addresses of the database, the broker and the mail server.

    `own`: what those of one kind have beside it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        logs: Path,
        words: Mapping[str, Sequence[str]] | None = None,
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._environ = dict(environ)
        self._own = dict(own or {})
        self._logs = logs
        self._words = dict(words or {})
        self._wanted: dict[str, int] = {}
        self._members: dict[str, list[Member]] = {kind: [] for kind in KINDS}
        self._numbers = dict.fromkeys(KINDS, 0)
        logs.mkdir(parents=True, exist_ok=True)

    def __iter__(self) -> Iterator[Member]:
        return (member for members in self._members.values() for member in members)

    def of(self, kind: str) -> list[Member]:
        """The processes of one kind that run."""
        return [member for member in self._members[kind] if member.running]

    def scale(self, kind: str, count: int) -> None:
        """Let `count` processes of a kind run. Those too many are asked to end, youngest first, and waited for."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no part of a cluster; choose one of {', '.join(KINDS)}")
        self._wanted[kind] = count
        members = self._members[kind]
        while len(members) < count:
            members.append(self._start(kind))
        too_many = members[count:]
        del members[count:]
        _end(too_many)

    def look_after(self) -> list[Member]:
        """Restart processes that ended on their own. Returns them."""
        ended = [member for member in self if not member.running]
        for member in ended:
            if time.monotonic() - member.began >= RESTART_SECONDS:
                member.ended()
                members = self._members[member.kind]
                members[members.index(member)] = self._start(member.kind)
        return ended

    def kill(self, member: Member) -> None:
        """SIGKILL, and wait for the end."""
        member.process.send_signal(signal.SIGKILL)
        member.ended()

    def restart(self, kind: str) -> list[int]:
        """End and start again each process of a kind, one after another. Returns their exit codes."""
        codes = []
        for place, member in enumerate(list(self._members[kind])):
            codes += _end([member])
            self._members[kind][place] = self._start(kind)
        return codes

    def stop(self) -> list[int]:
        """Ask all to end, the scheduler first, and wait. Returns their exit codes."""
        codes = []
        for kind in KINDS:
            codes += _end(self._members[kind])
            self._members[kind] = []
            self._wanted[kind] = 0
        return codes

    def _start(self, kind: str) -> Member:
        self._numbers[kind] += 1
        environ = {**self._environ, **self._own.get(kind, {})}
        return Member(kind, self._numbers[kind], environ, self._logs, self._words.get(kind) or words_of(kind))


def words_of(kind: str) -> list[str]:
    """The command of a process."""
    words = ["scheduler"] if kind == "scheduler" else ["worker", kind]
    return [sys.executable, "-m", "ops", *words]


def _end(members: Sequence[Member]) -> list[int]:
    """SIGTERM to all, then wait for each; SIGKILL for those that take too long."""
    for member in members:
        if member.running:
            member.process.terminate()
    codes = []
    for member in members:
        try:
            codes.append(member.ended())
        except subprocess.TimeoutExpired:
            member.process.kill()
            codes.append(member.ended())
    return codes
