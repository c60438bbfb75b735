"""The port of a process: alive, ready, and its figures."""

import json
import time
import urllib.error
import urllib.request

import pytest

from ops.servers.rabbitmq import free_ports
from shared.telemetry import http


def get(server: http.Server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_ready_when_every_check_is_right_and_else_says_which_is_not() -> None:
    wrong: list[str | None] = [None]
    server = http.serve(("127.0.0.1", 0), {"database": lambda: wrong[0], "broker": lambda: None}, alive=lambda: True)
    assert server is not None
    assert get(server, "/readyz") == (200, '{"ready": true}\n')
    server.close()
    wrong[0] = "can't be reached"
    server = http.serve(("127.0.0.1", 0), {"database": lambda: wrong[0], "broker": lambda: None}, alive=lambda: True)
    assert server is not None
    code, body = get(server, "/readyz")
    assert (code, json.loads(body)["wrong"]) == (503, {"database": "can't be reached"})
    server.close()


def test_a_check_that_hangs_or_breaks_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung database must not hang the probe."""
    monkeypatch.setattr(http, "CHECK_SECONDS", 0.2)

    def breaks() -> None:
        raise RuntimeError("secret words")

    server = http.serve(("127.0.0.1", 0), {"slow": lambda: time.sleep(2), "bad": breaks}, alive=lambda: True)
    assert server is not None
    code, body = get(server, "/readyz")
    assert (code, json.loads(body)["wrong"]) == (503, {"slow": "no answer within 0.2 s", "bad": "RuntimeError"})
    server.close()


def test_alive_while_its_loops_come_round() -> None:
    lives = [True]
    server = http.serve(("127.0.0.1", 0), {}, alive=lambda: lives[0])
    assert server is not None
    assert get(server, "/healthz")[0] == 200
    lives[0] = False
    assert get(server, "/healthz")[0] == 503
    assert get(server, "/elsewhere")[0] == 404
    code, body = get(server, "/metrics")
    assert code == 200
    assert "duecycle_batch_seconds" in body
    server.close()


def test_a_port_that_is_taken_is_told_with_the_setting() -> None:
    address = ("127.0.0.1", free_ports(1)[0])
    first = http.serve(address, {}, alive=lambda: True)
    assert first is not None
    with pytest.raises(http.PortError, match="DUECYCLE_HTTP"):
        http.serve(address, {}, alive=lambda: True)
    first.close()


def test_a_process_that_stands_still_on_purpose_is_ready_and_says_so() -> None:
    """A deployment must not fail because of a pause."""
    server = http.serve(("127.0.0.1", 0), {}, alive=lambda: True, paused=lambda: "not taken since noon")
    assert server is not None
    assert get(server, "/readyz") == (200, '{"ready": true, "paused": "not taken since noon"}\n')
    server.close()


def test_off_serves_nothing() -> None:
    assert http.serve(None, {}, alive=lambda: True) is None
