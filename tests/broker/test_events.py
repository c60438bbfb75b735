"""Events on a real broker: a full queue holds up its own alone, nothing confirmed is dropped, and old ones come again."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import msgspec
import pika
import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.cluster.waiting import until
from ops.json_rows import SentRow
from ops.servers.rabbitmq import PrivateRabbitmq
from scheduler.outgoing import RabbitExchange
from scheduler.relay import relay, relay_pass
from shared.broker.changes_consumer import ChangesConsumer
from shared.broker.names import CHANGES_EXCHANGE, CHANGES_QUEUE, EVENTS_EXCHANGE, EVENTS_QUEUE, UNROUTED_EXCHANGE
from shared.broker.publisher import Publisher
from shared.broker.startup_check import check_broker
from shared.store.database import FixedClock, Store
from tests.event_shapes import leave


def record(store: Store, type_: str, *subjects: str) -> None:
    with store.transaction() as tx:
        for subject in subjects:
            leave(tx, type_, subject)


def published(store: Store, publisher: Publisher) -> None:
    """The relay publishes all that is recorded."""
    while relay_pass(store, RabbitExchange(publisher)).more:
        pass


def arrived(connection: pika.BlockingConnection, queue: str = EVENTS_QUEUE) -> list[tuple[str, int]]:
    """Subject and number of all that is in a queue, which is empty then."""
    channel = connection.channel()
    found = []
    while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
        event = json.loads(got[2])
        found.append((event["subject"], event["subjectseq"]))
    return found


@pytest.fixture
def full(publisher: Publisher, connection: pika.BlockingConnection) -> Iterator[str]:
    """A queue of somebody who wants issued invoices, takes one and reads none."""
    channel = connection.channel()
    arguments = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare("full", durable=True, arguments=arguments)
    channel.confirm_delivery()

    def refuses() -> bool:
        try:
            channel.basic_publish("", "full", b'{"subject": "-", "subjectseq": 0}')
        except pika.exceptions.NackError:
            return True
        return False

    until(refuses)
    channel.queue_bind("full", EVENTS_EXCHANGE, "duecycle.invoice.issued.v1")
    return "full"


def test_a_full_queue_stops_nobody_and_floods_nobody(
    store: Store, clock: FixedClock, publisher: Publisher, connection: pika.BlockingConnection, full: str
) -> None:
    """Two minutes with a queue that refuses 100 events: others go out once, these reach the healthy queue four times."""
    exchange = RabbitExchange(publisher)
    record(store, "invoice.issued", *(f"full/{number}" for number in range(100)))
    record(store, "order.created", *(f"s/{number}" for number in range(100)))
    for second in range(120):
        relay(store, exchange)
        if second == 60:
            record(store, "order.created", "s/late")
        clock.at += timedelta(seconds=1)

    times = Counter(arrived(connection))
    assert {count for (subject, _), count in times.items() if subject.startswith("s/")} == {1}
    assert len([subject for subject, _ in times if subject.startswith("s/")]) == 101
    assert max(times.values()) <= 5

    connection.channel().queue_purge(full)
    connection.channel().queue_unbind(full, EVENTS_EXCHANGE, "duecycle.invoice.issued.v1")
    clock.at += timedelta(minutes=3)
    published(store, publisher)
    with store.transaction() as tx:
        assert tx.scalar("SELECT count(*) FROM events WHERE published_at IS NULL") == 0


def test_a_consumer_sees_the_event_and_no_number_of_ours(
    store: Store, publisher: Publisher, connection: pika.BlockingConnection
) -> None:
    """`message_id` is the event's id; where a message stands among those we send together is nobody's business."""
    record(store, "order.created", "subscription/s")
    relay(store, RabbitExchange(publisher))
    method, properties, body = connection.channel().basic_get(EVENTS_QUEUE, auto_ack=True)
    properties.headers = None  # the broker's own, how often it delivered this
    said = {name: value for name, value in vars(properties).items() if value is not None}
    assert said == {
        "content_type": "application/cloudevents+json",
        "delivery_mode": 2,
        "message_id": json.loads(body)["id"],
    }
    assert method.routing_key == json.loads(body)["type"]


def test_an_event_without_a_queue_is_not_published_and_the_queue_is_made_again(
    store: Store, clock: FixedClock, publisher: Publisher, connection: pika.BlockingConnection
) -> None:
    """Somebody deletes the queue: the event waits for the new one."""
    connection.channel().queue_delete(EVENTS_QUEUE)
    record(store, "order.created", "s/1")
    unrouted: list[int] = []
    exchange = RabbitExchange(publisher, unrouted.append)

    assert relay(store, exchange) == 0
    assert unrouted == [1]
    clock.at += timedelta(seconds=10)
    assert relay(store, exchange) == 1

    assert arrived(connection) == [("s/1", 1)]


def test_a_change_that_finds_no_queue_is_kept_for_intake(
    publisher: Publisher, connection: pika.BlockingConnection, broker_url: str
) -> None:
    """Confirmed while the queue of changes is gone: intake takes it when it comes back, before all others."""
    check_broker([broker_url], "intake", "test")
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_delete(CHANGES_QUEUE)
    for number in range(3):
        channel.basic_publish(CHANGES_EXCHANGE, "duecycle.client.upserted.v1", str(number).encode(), mandatory=True)
    consumer = ChangesConsumer([broker_url], "test", batch=2)
    stop, taken = Event(), []

    while len(taken) < 3:
        deliveries = consumer.take(stop)
        taken += [delivery.body for delivery in deliveries]
        consumer.acknowledge(deliveries)
    assert consumer.take(stop) == []
    channel.basic_publish(CHANGES_EXCHANGE, "duecycle.client.upserted.v1", b"later", mandatory=True)
    until(lambda: [delivery.body for delivery in consumer.take(stop)] == [b"later"])
    consumer.close()

    assert taken == [b"0", b"1", b"2"]
    assert UNROUTED_EXCHANGE.startswith(CHANGES_EXCHANGE)


@pytest.fixture
def duecycle(database_url: str, broker_url: str, publisher: Publisher):
    """The command line on this test's own servers."""
    environ = {"DUECYCLE_DATABASE_URL": database_url, "DUECYCLE_BROKER_URL": broker_url}
    return lambda *words: CliRunner().invoke(commands, ["events", *words], env=environ)


def test_old_events_are_sent_once_more_to_one_queue(
    store: Store, clock: FixedClock, publisher: Publisher, duecycle, connection: pika.BlockingConnection
) -> None:
    """By subject or since an instant, in order; the reader of another queue hears nothing."""
    record(store, "order.created", "s/1", "s/2", "s/1")
    clock.at += timedelta(hours=1)
    record(store, "invoice.issued", "s/2")
    published(store, publisher)
    assert len(arrived(connection)) == 4
    channel = connection.channel()
    channel.queue_declare("other", durable=True)
    channel.queue_bind("other", EVENTS_EXCHANGE, "#")

    by_subject = duecycle("replay", "--agency", "a", "--subject", "s/1")
    assert (by_subject.exit_code, by_subject.output) == (0, f"2 events sent to {EVENTS_QUEUE}\n")
    assert arrived(connection) == [("s/1", 1), ("s/1", 2)]

    since = duecycle("replay", "--since", clock.at.isoformat(), "--json")
    assert msgspec.json.decode(since.output, type=SentRow) == SentRow(sent=1)
    printed = duecycle("read")
    assert [(json.loads(line)["type"]) for line in printed.output.splitlines()] == ["duecycle.invoice.issued.v1"]
    assert (arrived(connection), arrived(connection, "other")) == ([], [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say which events: --since"),
        (("--subject", "s/1"), "--subject needs --agency"),
        (("--since", "yesterday"), "write 2026-06-01T00:00:00Z"),
        (("--since", "2026-06-01T00:00:00"), "has no UTC offset"),
    ],
)
def test_a_replay_that_is_not_clear_is_refused_with_the_option(words: tuple[str, ...], told: str) -> None:
    found = CliRunner().invoke(commands, ["events", "replay", *words])
    assert found.exit_code == 2
    assert told in found.output


def test_an_event_that_is_still_to_be_published_is_left_to_the_relay(
    store: Store, clock: FixedClock, publisher: Publisher, duecycle, connection: pika.BlockingConnection
) -> None:
    """Replayed as well, it would come twice, and before those that are ahead of it."""
    record(store, "order.created", "s/1")
    published(store, publisher)
    clock.at += timedelta(hours=1)
    record(store, "order.created", "s/1", "s/2")

    said = duecycle("replay", "--since", (clock.at - timedelta(hours=2)).isoformat())
    assert (said.exit_code, said.output) == (0, f"1 events sent to {EVENTS_QUEUE}\n")
    assert arrived(connection) == [("s/1", 1), ("s/1", 1)]

    published(store, publisher)
    assert sorted(arrived(connection)) == [("s/1", 2), ("s/2", 1)]


def test_a_replay_to_a_queue_that_is_not_there_says_so(store: Store, publisher: Publisher, duecycle) -> None:
    record(store, "order.created", "s/1")
    published(store, publisher)
    found = duecycle("replay", "--agency", "a", "--subject", "s/1", "--queue", "nowhere")
    assert found.exit_code == 1
    assert "there is no queue nowhere" in found.output


def test_a_private_node_finds_its_data_again(tmp_path: Path) -> None:
    """They lie under the node's name, which is the same at each start, on whatever ports."""
    first, second = PrivateRabbitmq(tmp_path), PrivateRabbitmq(tmp_path)
    assert first.port != second.port
    assert first.node == second.node
