"""A program in another language, with the users that we ship: every answer reaches it once, whatever becomes of it."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pika
import pytest

from ops.cluster.load import QUICK
from ops.cluster.members import Members
from ops.cluster.waiting import until
from shared.broker.names import CHANGES_EXCHANGE
from tests.integrating.programs import CLIENT, MODULES, NEEDS_NODE

CHANGES = 1000
pytestmark = [pytest.mark.slow, NEEDS_NODE]


class Client:
    """docs/integrating/consumer.js at work; `kept` is what it has written."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        self._file = folder / "events.jsonl"
        self.start()

    def start(self) -> None:
        environ = {**os.environ, "AMQP_URL": self._url, "NODE_PATH": str(MODULES)}
        with (self._folder / "client.log").open("ab") as output:
            self._process = subprocess.Popen(["node", CLIENT, self._file], env=environ, stderr=output)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kept(self) -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [json.loads(line) for line in lines]


def change(number: int) -> bytes:
    """The agency first, then its clients; every tenth one can't be taken, each in another way."""
    data: dict[str, Any] = {"agency_id": "a", "revision": 1, "name": f"N {number}", "email": "n@n.example"}
    kind, time = "client.upserted", "2026-05-20T10:00:00Z"
    if number == 0:
        kind, data = "agency.upserted", {**data, "timezone": "Europe/Berlin", "currency": "EUR"}
    else:
        data["client_id"] = f"c{number}"
    if number % 10 == 9:
        wrong: list[dict[str, Any]] = [{"email": "nowhere"}, {"revision": "1"}, {"name": None}, {"agency_id": ""}]
        data |= wrong[number // 10 % 4]
    message = {"specversion": "1.0", "id": f"m-{number}", "source": "/portal", "type": f"duecycle.{kind}.v1"}
    return json.dumps({**message, "time": time, "data": data}).encode()


def publish(url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(CHANGES):
            channel.basic_publish(CHANGES_EXCHANGE, "duecycle.test.v1", change(number), mandatory=True)


def test_every_answer_to_a_thousand_changes_reaches_a_program_in_another_language(
    database_url: str, urls: dict[str, str], tmp_path: Path
) -> None:
    """A real intake and scheduler, each with its own user. The program is killed in the middle, and misses nothing."""
    running = []
    for kind in ("scheduler", "intake"):
        environ = {"DUECYCLE_DATABASE_URL": database_url, "DUECYCLE_BROKER_URL": urls[kind], **QUICK}
        running.append(Members({**os.environ, **environ}, tmp_path / kind))
        running[-1].scale(kind, 1)
    client = Client(urls["consumer"], tmp_path)
    try:
        publish(urls["upstream"])
        until(lambda: len(client.kept()) >= 100)
        client.kill()
        client.start()
        until(lambda: len(client.kept()) >= CHANGES)
    finally:
        client.kill()
        for members in running:
            members.stop()

    events = [each for each in client.kept() if each["type"].startswith("duecycle.change.")]
    answers = Counter((each["data"]["change_id"], each["type"].split(".")[2]) for each in events)
    assert answers == {(f"m-{number}", "rejected" if number % 10 == 9 else "applied"): 1 for number in range(CHANGES)}
    assert all(each["data"]["reason"] for each in events if each["type"] == "duecycle.change.rejected.v1")
