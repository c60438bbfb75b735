"""`duecycle worker webhooks` as a process: it answers, it finishes what is under way, and it says why it can't listen."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from ops.cluster.members import Member, words_of
from ops.cluster.waiting import until
from ops.servers.rabbitmq import free_ports

Start = Callable[[int], Member]
SLOW_HEADERS = b"POST /webhooks/stripe/ag HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Starts the process on a port; it is killed when the test ends."""
    members: list[Member] = []

    def make(port: int) -> Member:
        environ = {
            "PATH": os.environ["PATH"],
            "DUECYCLE_DATABASE_URL": database_url,
            "DUECYCLE_WEBHOOKS": f"127.0.0.1:{port}",
            "DUECYCLE_PUBLIC_URL": "https://pay.example",
            "DUECYCLE_LINK_SECRET": "x" * 32,
        }
        members.append(Member("webhooks", len(members), environ, tmp_path, words_of("webhooks")))
        return members[-1]

    yield make
    for member in members:
        member.process.kill()
        member.ended()


def status(port: int, path: str) -> int:
    """0: nobody listens there."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/{path}", timeout=10).status_code
    except requests.ConnectionError:
        return 0


def test_it_serves_without_a_broker_and_finishes_what_is_under_way(start: Start) -> None:
    """Asked to end while a body is still coming in, it answers that, says goodbye and exits with 0."""
    port = free_ports(1)[0]
    member = start(port)
    until(lambda: status(member.port, "readyz") == 200 and status(port, "pay/made-up") == 404)
    assert requests.post(f"http://127.0.0.1:{port}/webhooks/stripe/ag", data=b"{}", timeout=10).status_code == 400
    assert "duecycle_webhooks_total" in requests.get(f"http://127.0.0.1:{member.port}/metrics", timeout=10).text
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(SLOW_HEADERS)
        until(lambda: status(port, "pay/made-up") == 404)
        member.process.send_signal(signal.SIGTERM)
        until(lambda: status(port, "pay/made-up") == 0)
        client.sendall(b"late")
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert member.ended() == 0
    assert "process.ended" in member.log.read_text()


def test_two_hundred_silent_connections_hold_nobody_up(start: Start) -> None:
    """They say nothing, or not all; meanwhile a webhook, a page and the probes are answered, and nobody is refused."""
    port = free_ports(1)[0]
    member = start(port)
    until(lambda: status(port, "pay/made-up") == 404)
    with ExitStack() as opened:
        for number in range(200):
            silent = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            silent.sendall([b"", b"POST /webh", SLOW_HEADERS][number % 3])
        for _ in range(5):
            asked = requests.post(f"http://127.0.0.1:{port}/webhooks/stripe/other", data=b"{}", timeout=3)
            page = requests.get(f"http://127.0.0.1:{port}/pay/made-up", timeout=3)
            ready = requests.get(f"http://127.0.0.1:{member.port}/readyz", timeout=5)
            assert (asked.status_code, page.status_code, ready.status_code) == (400, 404, 200)
    seen = requests.get(f"http://127.0.0.1:{member.port}/metrics", timeout=10).text
    assert 'duecycle_connections_closed_total{why="displaced"}' in seen
    assert 'why="refused"' not in seen


def test_a_port_that_is_taken_is_told_with_the_setting(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        member = start(port)
        assert member.ended() != 0
    assert f"127.0.0.1:{port} can't be listened on; set DUECYCLE_WEBHOOKS" in member.log.read_text()
