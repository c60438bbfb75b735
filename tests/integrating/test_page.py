"""The programs that docs/integrating.md shows run as they stand there, each as the user that the page names."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest

from ops.cluster.waiting import until
from shared.broker.names import CHANGES_QUEUE, EVENTS_QUEUE
from shared.broker.queue_reader import messages
from shared.messages import CHANGE_TYPES, decode_change
from tests.integrating.programs import CLIENT, MODULES, NEEDS_NODE, PAGE, shown

COMMANDS = {"python": (sys.executable, "program.py"), "javascript": ("node", "program.js")}
LANGUAGES = ["python", pytest.param("javascript", marks=NEEDS_NODE)]
Run = Callable[[str, str, str], "subprocess.Popen[bytes]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a program of the page: its language, its text, its AMQP_URL. What it prints is in `printed`."""
    running = []

    def start(language: str, text: str, url: str) -> "subprocess.Popen[bytes]":
        command, file = COMMANDS[language]
        (tmp_path / file).write_text(text)
        environ = {**os.environ, "AMQP_URL": url, "NODE_PATH": str(MODULES)}
        with (tmp_path / "printed").open("wb") as output:
            running.append(subprocess.Popen([command, file], cwd=tmp_path, env=environ, stdout=output))
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.wait()


def event(number: int, name: str = "first") -> bytes:
    """The event of that number of one subject; `name` tells it apart in what a program prints."""
    envelope = {"id": f"a/s/{number}", "source": "/duecycle/agencies/a", "subject": "s", "subjectseq": number}
    return json.dumps(
        {**envelope, "type": "duecycle.order.created.v1", "data": {"order_id": f"{name}-{number}"}}
    ).encode()


def send(url: str, *bodies: bytes) -> None:
    """As an operator's replay does: into the queue, past the exchange."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for body in bodies:
            channel.basic_publish("", EVENTS_QUEUE, body)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_that_publishes_sends_a_change_that_intake_takes(
    language: str, run: Run, urls: dict[str, str]
) -> None:
    assert run(language, shown("Publish changes", language), urls["upstream"]).wait(timeout=20) == 0
    (body,) = messages([urls["intake"]], "test", CHANGES_QUEUE)
    assert decode_change(body.encode() if isinstance(body, str) else body).type in CHANGE_TYPES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_that_receives_handles_each_event_once_and_ends_with_its_queue(
    language: str, run: Run, urls: dict[str, str], tmp_path: Path, deleted: Callable[[str], None]
) -> None:
    """Repeats are dropped; a lost one is handled when a replay brings it, after later ones. Without its queue it ends."""
    send(urls["ops"], event(1), event(3), event(1, "again"), event(2, "replayed"), event(3, "again"), event(4))
    program = run(language, shown("Receive events", language), urls["consumer"])
    until(lambda: b"first-4" in (tmp_path / "printed").read_bytes())
    printed = (tmp_path / "printed").read_text()
    assert re.findall(r"\w+-\d", printed) == ["first-1", "first-3", "replayed-2", "first-4"]

    deleted(EVENTS_QUEUE)
    assert program.wait(timeout=20) == 0


@NEEDS_NODE
def test_the_whole_program_takes_a_lost_event_from_a_replay_and_nothing_else(
    urls: dict[str, str], tmp_path: Path
) -> None:
    """Started with a file in which the second of three is missing, it keeps that one and drops the two it has."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(event(1) + b"\n" + event(3) + b"\n")
    send(urls["ops"], event(1), event(2), event(3), event(4))
    environ = {**os.environ, "AMQP_URL": urls["consumer"], "NODE_PATH": str(MODULES)}
    program = subprocess.Popen(["node", CLIENT, file], env=environ)
    try:
        until(lambda: b"first-4" in file.read_bytes())
    finally:
        program.kill()
        program.wait()
    assert [json.loads(line)["subjectseq"] for line in file.read_text().splitlines()] == [1, 3, 2, 4]


def test_every_program_names_the_address_alike() -> None:
    """One variable, on the page and in the whole program."""
    text = PAGE.read_text("utf-8") + CLIENT.read_text("utf-8")
    assert text.count("AMQP_URL") >= 6
    assert not {name for name in ("UPSTREAM_URL", "CONSUMER_URL", "BROKER_URL") if name in text}
