"""Upstream's messages over AMQP: stored and applied in batches, acknowledged after the commit, none lost and none twice."""

import json
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pika
import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.cluster.waiting import until
from ops.json_rows import IngestedRow, json_line
from shared.broker.changes_consumer import ChangesConsumer, Delivery
from shared.broker.names import CHANGES_EXCHANGE
from shared.broker.startup_check import check_broker, queue_loads
from shared.store import pauses
from shared.store.database import Store
from workers.intake import consume_changes
from workers.intake.receive_batch import receive_batch


def change(name: str, id_: str, /, **data: object) -> bytes:
    message = {
        "specversion": "1.0",
        "id": id_,
        "source": "/portal",
        "type": f"duecycle.{name}.v1",
        "time": "2026-05-20T10:00:00Z",
        "data": data,
    }
    return json.dumps(message).encode()


def agency(agency_id: str = "a") -> bytes:
    return change(
        "agency.upserted",
        f"agency-{agency_id}",
        agency_id=agency_id,
        revision=1,
        name="A",
        timezone="Europe/Berlin",
        currency="EUR",
        email="a@a.example",
    )


def client(number: int, agency_id: str = "a", revision: int = 1) -> bytes:
    return change(
        "client.upserted",
        f"client-{agency_id}-{number}-{revision}",
        agency_id=agency_id,
        client_id=f"c{number}",
        revision=revision,
        name=f"Client {number} r{revision}",
        email="c@c.example",
    )


def inbox(store: Store) -> list[tuple[str, str]]:
    with store.transaction() as tx:
        return [tuple(row) for row in tx.rows("SELECT id, state FROM inbox ORDER BY id")]


def names(store: Store) -> list[tuple[str, str, str]]:
    with store.transaction() as tx:
        return [tuple(row) for row in tx.rows("SELECT agency_id, client_id, name FROM clients ORDER BY 1, 2")]


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_"])
def test_binary_mode_is_understood(url: str, store: Store, prefix: str) -> None:
    """The attributes in headers, the data in the body; data that can't be read keep the id and the source."""
    whole = json.loads(agency())
    data = json.dumps(whole.pop("data")).encode()
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        for id_, body in (("good", data), ("bad", b"not json"), ("batch", b"[]")):
            at = datetime.fromisoformat(whole["time"])  # as an AMQP timestamp
            headers = {prefix + name: value for name, value in {**whole, "id": id_, "time": at}.items()}
            properties = pika.BasicProperties(content_type="application/json", headers=headers)
            connection.channel().basic_publish(CHANGES_EXCHANGE, "any", body, properties)
    consumer, stop = ChangesConsumer([url], "test"), threading.Event()
    taken: list[Delivery] = []
    while len(taken) < 3:
        taken += consumer.take(stop)
    consumer.close()
    receive_batch(store, [each.body for each in taken])

    with store.transaction() as tx:
        rows = tx.rows("SELECT id, source, state, field FROM inbox ORDER BY id")
    rejected = [("bad", "/portal", "rejected", "data"), ("batch", "/portal", "rejected", "data")]
    assert [tuple(row) for row in rows] == [*rejected, ("good", "/portal", "applied", None)]


def test_one_message_that_breaks_the_transaction_stops_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is taken apart: the broken one is kept as rejected, the others are applied."""
    from workers.intake import apply_facts, kinds

    def fragile(work, read, data):
        if data.client_id == "c2":
            work.tx.run("SELECT 1 / 0")
        return apply_facts.client(work, read, data)

    monkeypatch.setitem(kinds.APPLY, kinds.ClientUpserted, fragile)

    received = receive_batch(store, [agency(), client(1), client(2), client(3)])

    assert [each.state for each in received] == ["applied", "applied", "rejected", "applied"]
    assert [name for _, name, _ in names(store)] == ["c1", "c3"]


def publish(url: str, *bodies: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish(CHANGES_EXCHANGE, "duecycle.test.v1", body, mandatory=True)


class Running:
    """Intake's loop in a thread, with whatever consumer."""

    def __init__(
        self, store: Store, consumer: consume_changes.Consumer, gate: consume_changes.Gate | None = None
    ) -> None:
        self.stop = threading.Event()
        self.counts: list[dict[str, int]] = []
        self._thread = threading.Thread(
            target=consume_changes.run,
            args=(store, consumer, self.stop, lambda counts, _seconds: self.counts.append(counts), gate),
        )
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def url(broker_url: str) -> str:
    """A virtual host in which intake's queue exists."""
    check_broker([broker_url], "intake", "test")
    return broker_url


def test_messages_are_stored_in_batches_and_acknowledged(store: Store, url: str) -> None:
    """Garbage among them ends in the inbox too, and nothing stays in the queue."""
    publish(url, agency(), *(client(number) for number in range(300)), b"\xff\x00 garbage")
    running = Running(store, ChangesConsumer([url], "test", batch=100))

    until(lambda: len(inbox(store)) == 302)
    running.end()

    assert queue_loads([url], "test")["changes"] == (0, 0)
    assert len(names(store)) == 300
    assert sum(counts.get("rejected", 0) for counts in running.counts) == 1
    assert len(running.counts) < 30  # batches, not single messages


def test_a_batch_that_is_committed_and_not_acknowledged_comes_again_as_repeats(store: Store, url: str) -> None:
    """The connection breaks between the commit and the acknowledgement: nothing is applied twice."""

    class Deaf(ChangesConsumer):
        broken = False

        def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
            if not self.broken:
                self.broken = True
                self.give_back()
                return
            super().acknowledge(deliveries)

    publish(url, agency(), client(1))
    running = Running(store, Deaf([url], "test"))

    until(lambda: queue_loads([url], "test")["changes"] == (0, 1) and len(running.counts) >= 2)
    running.end()

    assert inbox(store) == [("agency-a", "applied"), ("client-a-1-1", "applied")]
    assert running.counts[-1] == {"repeated": 2}


def test_while_the_database_is_away_messages_stay_in_the_queue(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are given back, not held, and applied once it answers."""
    away = threading.Event()
    away.set()

    def failing(given: Store, raws: Sequence[bytes]):
        if away.is_set():
            raise OSError("the database is away")
        return receive_batch(given, raws)

    monkeypatch.setattr(consume_changes, "receive_batch", failing)
    publish(url, agency(), client(1))
    running = Running(store, ChangesConsumer([url], "test"))

    until(lambda: running.counts == [] and queue_loads([url], "test")["changes"] is not None)
    away.clear()
    until(lambda: len(inbox(store)) == 2)
    running.end()

    assert queue_loads([url], "test")["changes"] == (0, 0)


def test_a_file_is_published_with_confirms_and_reaches_the_inbox(
    store: Store, url: str, sample: Path, tmp_path: Path
) -> None:
    """Lines that are no messages are told with their number; everything else is published."""
    file = tmp_path / "messages.jsonl"
    file.write_bytes(sample.read_bytes() + b"not json\n\n[1]\n")

    done = CliRunner().invoke(commands, ["ingest", str(file), "--json"], env={"DUECYCLE_BROKER_URL": url})

    assert done.exit_code == 1
    assert json_line({"published": 30, "unreadable": 2}, IngestedRow) in done.output.splitlines()
    assert "line 31 is not JSON" in done.output
    assert "line 33 has no type" in done.output
    running = Running(store, ChangesConsumer([url], "test"))
    until(lambda: len(inbox(store)) == 30)
    running.end()


def test_publishing_where_nobody_listens_is_refused(broker_url: str, sample: Path) -> None:
    """Without intake's queue messages would vanish: nothing is counted as published."""
    check_broker([broker_url], "upstream", "test")

    done = CliRunner().invoke(commands, ["ingest", str(sample)], env={"DUECYCLE_BROKER_URL": broker_url})

    assert done.exit_code == 1
    assert "no queue is bound to duecycle.changes" in done.output


def test_a_batch_is_bounded_in_bytes(url: str) -> None:
    """Twenty messages of 1 MiB are taken a few at a time, those in the queue for lost changes too."""
    large = b"x" * (1 << 20)
    publish(url, *[large] * 12)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        for _ in range(8):
            connection.channel().basic_publish("", "duecycle.unrouted.v1", large)
    consumer, stop = ChangesConsumer([url], "test"), threading.Event()
    sizes = []
    while sum(sizes) < 20:
        taken = consumer.take(stop)
        sizes.append(len(taken))
        if taken:
            consumer.acknowledge(taken)
    consumer.close()

    assert max(sizes) == 4


def test_a_paused_intake_leaves_messages_in_their_queue_until_it_is_resumed(store: Store, url: str) -> None:
    """Nothing is lost or kept waiting longer than a moment, readiness says why nothing moves, and it holds no message."""
    gate = consume_changes.Gate(store)
    assert gate.words() is None
    with store.transaction() as tx:
        pauses.add(tx, "intake", pauses.EVERYBODY, "audit")
    publish(url, agency())
    running = Running(store, ChangesConsumer([url], "test"), gate)
    told = "the intake pool is paused for all agencies since 2026-06-01T00:00:00Z; duecycle resume intake"
    until(lambda: gate.words() == told)

    assert queue_loads([url], "test")["changes"] == (1, 0)
    assert inbox(store) == []

    with store.transaction() as tx:
        pauses.remove(tx, "intake", pauses.EVERYBODY)
    until(lambda: inbox(store) == [("agency-a", "applied")])
    assert gate.words() is None
    with store.transaction() as tx:
        pauses.add(tx, "intake", pauses.EVERYBODY, "again")
    until(lambda: queue_loads([url], "test")["changes"] == (0, 0))
    running.end()
