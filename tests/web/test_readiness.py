"""`readyz` of the process that listens says when its listener can take no more, and why."""

from collections.abc import Iterator
from threading import Event

import pytest
import requests

from shared.process import Process
from shared.settings import Settings
from shared.telemetry import http
from tests.web.conftest import end, serve
from tests.web.test_connections import Caller
from workers.charges.charge_invoices import always
from workers.webhooks import receive_event
from workers.webhooks.app import WebhookDeps
from workers.webhooks.connections import Doorkeeper
from workers.webhooks.process import Listener


@pytest.fixture
def process(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(http, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr("workers.webhooks.process.ANSWER_SECONDS", 0.2)
    made = Process("webhooks", Settings(database_url=database_url, http=("127.0.0.1", 0)), connections=2)
    yield made
    made.close()


def listens(process: Process) -> tuple[int, str | None]:
    server = process._server
    assert server is not None
    answer = requests.get(f"http://127.0.0.1:{server.port}/readyz", timeout=10)
    return answer.status_code, answer.json().get("wrong", {}).get("listener")


def test_readyz_says_why_the_listener_takes_no_more(process: Process) -> None:
    """All connections are being answered; nobody else may even wait; it does not answer itself."""
    events = receive_event.Runtime(process.store, always({}), lambda _: None)
    listener = Listener(WebhookDeps(events, None), Settings(webhooks=("127.0.0.1", 0)))
    process.takes_more = listener.takes_more
    assert listens(process) == (503, "does not listen yet")
    serve(listener)
    assert listens(process) == (200, None)

    listener.keeper = Doorkeeper(connections=2)
    busy = [Caller(listener.keeper, "10.0.0.1").asks() for _ in range(2)]
    assert listens(process) == (503, "all 2 connections are being answered")
    busy[0].end("gone")
    assert listens(process) == (200, None)

    listener.rooms.pages._waiting_max = 0
    assert listens(process) == (503, "no more can wait in pages")
    listener.rooms.pages._waiting_max = 1

    go_on = Event()
    assert listener._loop is not None
    listener._loop.call_soon_threadsafe(go_on.wait, 10)
    assert listens(process) == (503, "does not answer within 0.2 s")
    go_on.set()
    assert listens(process) == (200, None)
    end(listener)
