"""A private RabbitMQ node in a folder: for the test suite, the bench and the cluster on one machine. Not for production.

It listens on loopback only, on ports of its own, keeps its data in the folder, and ends with the program that started it.
The node runs Debian's `rabbitmq-server` (or the one that DUECYCLE_RABBITMQ_BIN names), in a process namespace of its own
where the machine allows that, so that ending one process ends Erlang's helpers too.
"""

import atexit
import base64
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

START_SECONDS = 120
USER, PASSWORD = "duecycle", "duecycle"
# Ends the node once standard input closes, which happens when the program that started it is gone, however it ended.
WATCHDOG = 'read -r _; kill -KILL "-$1" 2>/dev/null'
PLACES = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/rabbitmq/sbin")


class PrivateRabbitmqError(Exception):
    """The node could not be started; the message says why and what to do."""


def programs() -> Path:
    """The folder with `rabbitmq-server` and `rabbitmqctl`. Raises PrivateRabbitmqError if there is none."""
    named = os.environ.get("DUECYCLE_RABBITMQ_BIN")
    for place in (named,) if named else PLACES:
        if place and (Path(place) / "rabbitmq-server").exists():
            return Path(place)
    where = f"no rabbitmq-server in {named} (DUECYCLE_RABBITMQ_BIN)" if named else "RabbitMQ is not installed"
    raise PrivateRabbitmqError(f"{where}; install it (on Debian: apt-get install rabbitmq-server)")


def free_ports(count: int) -> list[int]:
    """Free ports of the loopback interface."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class PrivateRabbitmq:
    """One node, `url` for AMQP, `management` and `metrics` for HTTP. A context manager.

    `settings` are lines of rabbitmq.conf beside ours. Nodes of one cluster share `epmd_port` and have a `name` each. Data
    survives `kill` and `stop`, and goes with the folder.
    """

    def __init__(
        self, folder: Path, *, settings: Mapping[str, str] | None = None, name: str = "", epmd_port: int | None = None
    ) -> None:
        self.folder = folder.resolve()
        self._settings = dict(settings or {})
        self.port, self.management_port, self.metrics_port, self._distribution, own_epmd = free_ports(5)
        self._epmd = epmd_port or own_epmd
        # The node's data go by its name: it stays the same at each start. No other node knows our epmd, so none has it.
        self.node = f"{name or 'duecycle'}@localhost"
        self._bin = programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._started_by = 0

    @property
    def url(self) -> str:
        """The AMQP address of the default virtual host, as a user who may do everything."""
        return self.url_of("%2F")

    def url_of(self, vhost: str, user: str = USER, password: str = PASSWORD) -> str:
        """The AMQP address of a virtual host."""
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{vhost}"

    @property
    def management(self) -> str:
        """The address of the management API."""
        return f"http://127.0.0.1:{self.management_port}/api"

    @property
    def pid(self) -> int | None:
        """The process to signal; None while it is not running."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the node and return when it accepts connections. Raises PrivateRabbitmqError."""
        self._started_by = os.getpid()
        atexit.register(self.stop)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_files()
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                [*_namespace(), *_as_account(), str(self._bin / "rabbitmq-server")],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(  # noqa: S603 - the script is a constant
            ["/bin/sh", "-c", WATCHDOG, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._await(self._accepts, self._process)
        return self

    def stop(self) -> None:
        """End the node at once; like a power cut, which its data must survive. A forked child's call does nothing."""
        if os.getpid() == self._started_by:
            self.kill()
            atexit.unregister(self.stop)

    def kill(self) -> None:
        """SIGKILL, and wait until the port refuses connections."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        deadline = time.monotonic() + 30
        while self._accepts() and time.monotonic() < deadline:
            time.sleep(0.02)

    def control(self, *words: str) -> str:
        """Run `rabbitmqctl`; returns what it printed. Raises subprocess.CalledProcessError."""
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            [*_as_account(), str(self._bin / "rabbitmqctl"), "--quiet", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def add_vhost(self, name: str) -> None:
        """Make a virtual host in which the node's user may do everything; quicker than `rabbitmqctl`, by half a second."""
        self.manage("PUT", f"vhosts/{name}")
        self.permit(name, USER)

    def permit(self, vhost: str, user: str, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
        """Say what a user may do in a virtual host, as RabbitMQ's three patterns."""
        self.manage("PUT", f"permissions/{vhost}/{user}", {"configure": configure, "write": write, "read": read})

    def remove_vhost(self, name: str) -> None:
        """Remove a virtual host with everything in it; its connections end."""
        self.manage("DELETE", f"vhosts/{name}")

    def manage(self, method: str, path: str, body: object | None = None) -> Any:
        """Ask the management API, which comes up a little later than the port for AMQP. Raises OSError."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.management}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                raise OSError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _await(self, ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                told = (self.folder / "output").read_text(errors="replace").strip().splitlines()[-5:]
                raise PrivateRabbitmqError(f"RabbitMQ did not start in {self.folder}: " + " / ".join(told))
            if ready():
                return
            time.sleep(0.05)
        raise PrivateRabbitmqError(f"RabbitMQ in {self.folder} accepts no connections after {START_SECONDS} s")

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/db",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            # Idle schedulers of the Erlang machine must not spin on cores that the tests share.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        }

    def _write_files(self) -> None:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": str(self.management_port),
            "prometheus.tcp.ip": "127.0.0.1",
            "prometheus.tcp.port": str(self.metrics_port),
            "default_user": USER,
            "default_pass": PASSWORD,
            "vm_memory_high_watermark.absolute": "400MB",
            "disk_free_limit.absolute": "50MB",
            "max_message_size": "4194304",
            **self._settings,
        }
        self._write("rabbitmq.conf", "".join(f"{name} = {value}\n" for name, value in lines.items()))
        self._write("enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")
        self._write(".erlang.cookie", "DUECYCLEPRIVATENODE\n", 0o400)
        account = _account()
        if account is not None:
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)
        account = _account()
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd | None:
    """Who runs the node when we are root: Debian's `rabbitmq`, else `nobody`. None: ourselves."""
    if os.geteuid() != 0:
        return None
    known = {each.pw_name: each for each in pwd.getpwall()}
    return known.get("rabbitmq") or known.get("nobody")


def _as_account() -> list[str]:
    account = _account()
    if account is None or shutil.which("setpriv") is None:
        return []
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _namespace() -> list[str]:
    """A process namespace of its own, where `unshare` may make one: with it end all programs that the node started."""
    if shutil.which("unshare") is None:
        return []
    users = ["--user", "--map-current-user"] if os.geteuid() != 0 else []
    words = ["unshare", *users, "--pid", "--fork", "--kill-child"]
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)  # noqa: S603 - our own words
    return words if tried.returncode == 0 else []
