"""The first hour with Duecycle: what everybody gets wrong once is told in words that say what to do."""

import contextlib
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from ops.cli import commands
from ops.servers.rabbitmq import PrivateRabbitmq, free_ports
from shared.setting_names import unknown_names
from shared.store.errors import unreachable
from tests.broker.words import reachable
from tests.test_readme import ROOT, typed

Answer = Callable[[socket.socket], None]


@pytest.fixture
def listener() -> Iterator[Callable[[Answer], int]]:
    """Listens on a port and answers each connection in a way of the test's; returns the port."""
    with contextlib.ExitStack() as stack:

        def listen(answer: Answer) -> int:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

            threading.Thread(target=serve, daemon=True).start()
            port: int = server.getsockname()[1]
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            return port

        yield listen


def asks_for_a_password(connection: socket.socket) -> None:
    """A PostgreSQL server that wants a password in clear, and refuses whichever it gets."""
    if connection.recv(8)[4:] == b"\x04\xd2\x16\x2f":  # a wish for TLS: no
        connection.sendall(b"N")
    connection.recv(1000)
    connection.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")
    if connection.recv(1000):
        words = b'SFATAL\0C28P01\0Mpassword authentication failed for user "u"\0\0'
        connection.sendall(b"E" + (len(words) + 4).to_bytes(4, "big") + words)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://u@127.0.0.1:{port}/x", "set DUECYCLE_DATABASE_PASSWORD or DUECYCLE_DATABASE_PASSWORD_FILE"),
        ("postgresql://u:hunter2@127.0.0.1:{port}/x", "it refuses the user or the password; check DUECYCLE_DATABASE"),
        ("postgresql://u:hunter2@127.0.0.1:{port}/x?sslmode=require", "it does not speak TLS"),
        ("postgresql://u:hunter2@127.0.0.1:{closed}/x", "nobody listens there; is PostgreSQL running"),
        ("postgresql://u:hunter2@no-such-host.invalid/x", "there is no such host; check DUECYCLE_DATABASE_URL"),
        ("postgresql://u:hunter2@/x?host=/nowhere", "is the folder of its socket right?"),
    ],
)
def test_a_database_that_lets_nobody_in_is_told_with_the_fix(
    listener: Callable[[Answer], int], address: str, says: str
) -> None:
    """In libpq's own words these name no setting."""
    url = address.format(port=listener(asks_for_a_password), closed=free_ports(1)[0])
    for line in (["status"], ["migrate", "--wait", "0"]):
        answer = CliRunner().invoke(commands, line, env={"DUECYCLE_DATABASE_URL": url})
        assert answer.exit_code == 1
        assert says in answer.output
        assert "hunter2" not in answer.output


def test_what_is_not_listed_is_told_as_it_comes() -> None:
    assert unreachable(OSError("the moon is full")) == "OSError: the moon is full"


def test_tls_on_a_plain_port_of_the_broker_is_told(rabbitmq: PrivateRabbitmq) -> None:
    told = reachable([rabbitmq.url.replace("amqp://", "amqps://", 1)], "test") or ""
    assert "does not speak TLS there; write amqp://, or the port for TLS (5671)" in told


def test_a_plain_connection_with_a_port_for_tls_is_told(listener: Callable[[Answer], int]) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def shakes_hands(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    port = listener(shakes_hands)
    assert "with TLS as in the URL?" in (reachable([f"amqp://u:p@127.0.0.1:{port}/x"], "test") or "")
    untrusted = reachable([f"amqps://u:p@127.0.0.1:{port}/x"], "test") or ""
    assert "its certificate is not trusted" in untrusted


def test_a_user_without_a_password_is_no_riddle() -> None:
    """The settings refuse it; whoever comes past them hears the same."""
    told = reachable(["amqp://u@127.0.0.1/x"], "test") or ""
    assert told.startswith("DUECYCLE_BROKER_URL is no address (a user without a password)")
    answer = CliRunner().invoke(commands, ["ingest", "-"], env={"DUECYCLE_BROKER_URL": "amqp://u@127.0.0.1/x"})
    assert answer.exit_code == 2
    assert "set DUECYCLE_BROKER_PASSWORD or DUECYCLE_BROKER_PASSWORD_FILE" in answer.output


def test_a_slip_in_a_name_is_told_by_every_command() -> None:
    env = {"DUECYCLE_DATABASE_URL": "postgresql://u:p@db/x", "DUECYCLE_STOP_SECOND": "5"}
    for line in (["status"], ["doctor"], ["worker", "charges"], ["scheduler"]):
        answer = CliRunner().invoke(commands, line, env=env)
        assert answer.exit_code == 2
        assert "DUECYCLE_STOP_SECOND is no setting of Duecycle; did you mean DUECYCLE_STOP_SECONDS?" in answer.output


def test_every_setting_that_is_read_told_or_set_by_us_is_known() -> None:
    """What settings.py reads, the pages name and compose sets: a name left out here would end every process that has it."""
    read = re.findall(r'\.read\(\s*"([A-Z_]+)"', (ROOT / "shared" / "settings.py").read_text("utf-8"))
    files = (ROOT / "README.md", ROOT / "docker-compose.yml", *(ROOT / "docs").rglob("*.md"))
    pages = "".join(path.read_text("utf-8") for path in files)
    told = re.findall(r"DUECYCLE_([A-Z_]*[A-Z])\b", pages)
    assert {"PROXIES", "DATABASE_URL", "WEBHOOKS"} <= set(read)
    assert unknown_names(dict.fromkeys((f"DUECYCLE_{name}" for name in (*read, *told)), "")) == {}


def test_the_command_is_found_by_the_name_that_the_first_page_prints() -> None:
    """The page says once how a shell finds it, before it prints the first command without a path."""
    page = ROOT / "docs" / "trying.md"
    words = list(typed(page))
    begins = words.index([".", ".venv/bin/activate"])
    text = page.read_text("utf-8").splitlines()
    bare = next(number for number, line in enumerate(text) if line.startswith("    duecycle "))
    assert text.index("    . .venv/bin/activate") < bare
    assert begins >= 0
    folder = Path(sys.executable).parent
    found = subprocess.run(
        ["/bin/sh", "-c", f". {folder}/activate && command -v duecycle"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip().endswith("/bin/duecycle")


def test_the_command_alone_says_what_it_can_do() -> None:
    answer = CliRunner().invoke(commands, [])
    assert answer.exit_code == 0
    assert "subscription" in answer.output
