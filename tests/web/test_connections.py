"""Connections: whoever does not say what he wants makes way, and whoever is being answered is not interrupted."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from threading import Thread
from typing import Any, cast

import pytest
import requests
import uvicorn

from ops.cluster.waiting import until
from ops.servers.rabbitmq import free_ports
from workers.webhooks.connections import Doorkeeper, Guarded, guarded


class Caller:
    """A connection as the doorkeeper sees it."""

    def __init__(self, keeper: Doorkeeper, host: str) -> None:
        self.ended: list[str] = []
        self._keeper = keeper
        self.as_guarded = cast("Guarded", self)
        self.admitted = keeper.admit(self.as_guarded, host)
        if self.admitted:
            keeper.note(self.as_guarded, complete=False)

    def end(self, why: str) -> None:
        self.ended.append(why)
        self._keeper.leave(self.as_guarded)

    def asks(self) -> "Caller":
        """Its whole request is there."""
        self._keeper.note(self.as_guarded, complete=True)
        return self


def test_of_too_many_the_one_that_took_longest_goes() -> None:
    keeper = Doorkeeper(connections=3)
    first, second, third, fourth = (Caller(keeper, f"10.0.0.{number}") for number in range(4))
    assert (first.ended, second.ended, third.ended, fourth.ended) == (["displaced"], [], [], [])
    second.asks()
    Caller(keeper, "10.0.0.9")
    assert (second.ended, third.ended, keeper.count()) == ([], ["displaced"], 3)


def test_who_is_being_answered_stays_and_only_then_somebody_is_refused() -> None:
    keeper = Doorkeeper(connections=2)
    kept = [Caller(keeper, "10.0.0.1").asks() for _ in range(2)]
    assert keeper.full()
    assert not Caller(keeper, "10.0.0.2").admitted
    kept[0].end("gone")
    assert not keeper.full()
    assert Caller(keeper, "10.0.0.2").admitted


def test_one_address_only_displaces_its_own() -> None:
    keeper = Doorkeeper(of_an_address=2)
    other = Caller(keeper, "10.0.0.2")
    first, _second, _third = (Caller(keeper, "10.0.0.1") for _ in range(3))
    assert (other.ended, first.ended) == ([], ["displaced"])


@pytest.mark.parametrize(
    ("hosts", "one"),
    [
        (("2001:db8::1", "2001:db8::2"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("10.0.0.1", "10.0.0.2"), False),
    ],
)
def test_addresses_that_one_user_has_count_as_one(hosts: tuple[str, str], one: bool) -> None:
    keeper = Doorkeeper(of_an_address=1)
    first, _ = (Caller(keeper, host) for host in hosts)
    assert first.ended == (["displaced"] if one else [])


def test_a_proxy_speaks_for_many() -> None:
    keeper = Doorkeeper([ip_network("10.0.0.0/24")], of_an_address=1)
    behind = [Caller(keeper, "10.0.0.7") for _ in range(20)]
    assert [each.ended for each in behind] == [[]] * 20


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers once the whole body is there; at /big with more than anybody takes unread."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * (1 if scope["path"] != "/big" else 50_000_000)})


@contextmanager
def served(keeper: Doorkeeper) -> Iterator[int]:
    (port,) = free_ports(1)
    config = uvicorn.Config(
        echo, host="127.0.0.1", port=port, http=guarded(keeper), ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def test_a_head_has_a_deadline_however_it_is_drawn_out() -> None:
    """Nothing at all, byte by byte, and after an answer the next request's first byte: each is closed as late."""
    why: list[str] = []
    with served(Doorkeeper(head_seconds=0.3, on_closed=why.append)) as port, ExitStack() as opened:
        silent, dribbling, again = (
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(3)
        )
        again.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert again.recv(1000).startswith(b"HTTP/1.1 200")
        again.sendall(b"G")
        until(lambda: not taken(dribbling, b"x"))
        until(lambda: not taken(silent, b""))
        until(lambda: not taken(again, b""))
        assert requests.get(f"http://127.0.0.1:{port}", timeout=10).text == "x"
    assert why == ["late"] * 3


def taken(connection: socket.socket, more: bytes) -> bool:
    """Whether the other side still listens."""
    connection.settimeout(0.02)
    try:
        connection.sendall(more)
        return connection.recv(1000) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_an_answer_that_nobody_takes_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.webhooks.connections.WRITE_SECONDS", 0.2)
    why: list[str] = []
    keeper = Doorkeeper(on_closed=why.append)
    with served(keeper) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: why == ["unread"])
        until(lambda: keeper.count() == 0)


def test_who_finds_no_place_is_told_when_to_come_again() -> None:
    keeper = Doorkeeper(connections=1)
    Caller(keeper, "10.0.0.1").asks()
    with served(keeper) as port:
        answer = requests.get(f"http://127.0.0.1:{port}", timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
