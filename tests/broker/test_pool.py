"""A pool's broker: every message is acknowledged, whatever became of it; its queue and connection come back automatically."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dramatiq
import pika
import pytest
from dramatiq.errors import ConnectionClosed
from structlog.testing import capture_logs

from ops.cluster.waiting import until
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.address import parameters
from shared.broker.message_log import MessageLog
from shared.broker.names import actor_of, queue_of
from shared.broker.pool_consumer import LONGEST_SECONDS, PoolBroker, PoolConsumer, PoolMessage
from shared.broker.stall_watch import StallWatch
from shared.broker.topology import PREFETCH
from shared.broker.wire import read
from shared.broker.worker_threads import BackgroundLoops, WorkerThreads
from tests.broker.sent import with_changes, work_message

QUEUE = queue_of("orders")
LEASE = timedelta(minutes=2)


class Pool:
    """An orders pool whose actor remembers what it got."""

    def __init__(self, url: str) -> None:
        self.got: list[str] = []
        self.dropped: list[str] = []
        self.ended: list[tuple[str, str, int]] = []
        self.act: Callable[[str], None] = lambda _agency: None
        message_log = MessageLog(
            "orders", lambda pool, outcome, _seconds, rows: self.ended.append((pool, outcome, rows))
        )
        self.now = 0.0
        self.stall_watch = StallWatch(lambda: self.broker.held(), PREFETCH["orders"], LEASE, lambda: self.now)
        self.background = BackgroundLoops(timedelta(seconds=5))
        middleware = [message_log, self.stall_watch, self.background]
        self.broker = PoolBroker([url], "orders", name="test", middleware=middleware, on_dropped=self.dropped.append)

        @dramatiq.actor(broker=self.broker, actor_name=actor_of("orders"), queue_name=QUEUE)
        def work(agency_id: str, ids: list[str], again: bool = False) -> None:
            self.act(agency_id)
            self.got.append(agency_id)

        self.running = WorkerThreads(self.broker, threads=2)


@pytest.fixture
def pool(broker_url: str) -> Iterator[Pool]:
    made = Pool(broker_url)
    yield made
    assert made.running.stop(timedelta(seconds=20))
    made.broker.close()


def send(url: str, *bodies: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", QUEUE, body, mandatory=True)


def waits(url: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        return connection.channel().queue_declare(QUEUE, passive=True).method.message_count


def consumed(url: str) -> bool:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        try:
            return connection.channel().queue_declare(QUEUE, passive=True).method.consumer_count == 1
        except pika.exceptions.ChannelClosedByBroker:
            return False


def test_messages_reach_the_actor_and_are_told_once_each(pool: Pool, broker_url: str) -> None:
    until(lambda: consumed(broker_url))
    send(broker_url, work_message("a", "s1", "s2"), work_message("b", "s1"))

    until(lambda: len(pool.ended) == 2)
    assert sorted(pool.got) == ["a", "b"]
    assert sorted(pool.ended) == [("orders", "done", 1), ("orders", "done", 2)]


def test_an_actor_that_raises_has_its_message_acknowledged(pool: Pool, broker_url: str) -> None:
    """Its rows are still due and are dispatched again; the message itself is not tried a second time."""
    until(lambda: consumed(broker_url))

    def fail(agency_id: str) -> None:
        if agency_id == "bad":
            raise RuntimeError("no")

    pool.act = fail
    send(broker_url, work_message("bad", "s1"), work_message("good", "s1"))

    until(lambda: len(pool.ended) == 2)
    assert pool.got == ["good"]
    assert sorted(outcome for _, outcome, _ in pool.ended) == ["done", "failed"]
    pool.running.stop(timedelta(seconds=20))
    pool.broker.close()
    until(lambda: not consumed(broker_url))
    assert waits(broker_url) == 0


def test_what_cant_be_read_is_counted_and_acknowledged(pool: Pool, broker_url: str) -> None:
    """Garbage, and a message for an actor that this program does not have, stop nothing and are gone."""
    until(lambda: consumed(broker_url))
    unknown = dramatiq.Message(queue_name=QUEUE, actor_name="orders.future", args=(), kwargs={}, options={})
    send(broker_url, b"\xff garbage", unknown.encode(), work_message("a", "s1"))

    until(lambda: pool.got == ["a"])
    assert sorted(pool.dropped) == ["undecodable", "unknown_actor"]
    pool.running.stop(timedelta(seconds=20))
    pool.broker.close()
    until(lambda: not consumed(broker_url))
    assert waits(broker_url) == 0


def test_messages_that_dramatiq_would_put_off_for_ever_hold_nobody_up(pool: Pool, broker_url: str) -> None:
    """As many as a process may hold, then one of ours: it is processed, and the others are gone."""
    until(lambda: consumed(broker_url))
    send(broker_url, *[with_changes(options={"eta": 9_999_999_999_999})] * PREFETCH["orders"], work_message("b", "s1"))

    until(lambda: pool.got == ["b"])
    assert pool.dropped == ["unexpected"] * PREFETCH["orders"]
    until(lambda: pool.broker.held() == 0)


def test_a_message_of_another_queue_ends_no_thread(pool: Pool, broker_url: str) -> None:
    until(lambda: consumed(broker_url))
    send(broker_url, with_changes(queue_name="duecycle.charges.v1"), work_message("b", "s1"))

    until(lambda: pool.got == ["b"])
    assert pool.background.alive()


def test_a_full_prefetch_with_idle_threads_beyond_the_lease_is_not_alive(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever brought it about: here the reading that obeyed `eta`."""
    monkeypatch.setattr("shared.broker.pool_consumer.read", lambda body, _pool: dramatiq.Message.decode(body))
    pool = Pool(broker_url)
    until(lambda: consumed(broker_url))
    assert pool.stall_watch.moves()
    send(broker_url, *[with_changes(options={"eta": 9_999_999_999_999})] * PREFETCH["orders"])
    until(lambda: pool.broker.held() == PREFETCH["orders"])

    seen = []
    for pool.now in (0.0, LEASE.total_seconds(), LEASE.total_seconds() + 1):
        seen.append(pool.stall_watch.moves())
    assert seen == [True, True, False]
    pool.running.stop(timedelta(seconds=5))
    pool.broker.close()


def test_threads_that_work_for_long_are_alive(pool: Pool, broker_url: str) -> None:
    """A full prefetch is no fault while somebody works."""
    until(lambda: consumed(broker_url))
    go_on = threading.Event()
    pool.act = lambda _agency: go_on.wait(20)
    send(broker_url, *[work_message("a", "s1")] * PREFETCH["orders"])
    until(lambda: pool.broker.held() == PREFETCH["orders"])

    pool.stall_watch.moves()
    pool.now = 10 * LEASE.total_seconds()
    assert pool.stall_watch.moves()
    go_on.set()


def test_a_deleted_queue_is_made_again_and_consumed(pool: Pool, broker_url: str) -> None:
    until(lambda: consumed(broker_url))
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().queue_delete(QUEUE)

    until(lambda: consumed(broker_url))
    send(broker_url, work_message("after", "s1"))
    until(lambda: pool.got == ["after"])


def test_a_process_holds_no_more_than_its_prefetch(pool: Pool, broker_url: str, rabbitmq: PrivateRabbitmq) -> None:
    """Whatever dramatiq itself asks for."""
    until(lambda: consumed(broker_url))
    vhost = broker_url.rsplit("/", 1)[1]

    def prefetches() -> list[int]:
        found = rabbitmq.manage("GET", f"consumers/{vhost}")
        return [each["prefetch_count"] for each in found if each["queue"]["name"] == QUEUE]

    assert until(prefetches) == [PREFETCH["orders"]]


def test_a_pool_publishes_nothing_and_consumes_no_other_queue(pool: Pool) -> None:
    """Only the scheduler publishes; retries and delays would need a publisher here."""
    with pytest.raises(RuntimeError, match="publishes nothing"):
        pool.broker.enqueue(read(work_message("a", "s1"), "orders"))
    with pytest.raises(ValueError, match="alone"):
        pool.broker.declare_queue("default")


def test_an_outage_is_told_when_it_begins_and_when_it_ends(broker_url: str) -> None:
    """Not at each try; and every try is within a few seconds of the one before."""
    broker = PoolBroker(["amqp://127.0.0.1:1"], "orders", name="test")
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                broker.consume(QUEUE)
        broker.parameters = parameters([broker_url], "test")
        broker.consume(QUEUE).close()
    assert [line["event"] for line in lines] == ["pool.disconnected", "pool.recovered"]
    assert "nobody listens at amqp://127.0.0.1:1" in lines[0]["reason"]
    assert LONGEST_SECONDS <= 3


def test_a_message_of_an_earlier_connection_acknowledges_no_message_of_this_one(pool: Pool, broker_url: str) -> None:
    """Tags begin at 1 again: that of an old message may be a new one's."""
    old, new = (PoolConsumer(pool.broker, QUEUE, 1, 1000) for _ in range(2))
    message = PoolMessage(False, 1, read(work_message("a", "s1"), "orders"))
    message.consumer = old
    new.known_tags.add(1)
    new.ack(message)
    assert new.known_tags == {1}
    old.close()
    new.close()


def test_a_broker_that_dies_and_comes_back_is_consumed_again(open_folder: Path) -> None:
    """Killed with everything in memory: the pool connects again automatically, in the same process."""
    with PrivateRabbitmq(open_folder / "node") as node:
        pool = Pool(node.url)
        until(lambda: consumed(node.url))
        # RabbitMQ 3.10 writes down a moment later that a quorum queue exists: killed before that, the queue is broken for good.
        time.sleep(3)
        node.kill()
        node.start()
        until(lambda: consumed(node.url))
        send(node.url, work_message("after", "s1"))
        until(lambda: pool.got == ["after"])
        assert pool.background.alive()
        pool.running.stop(timedelta(seconds=20))
        pool.broker.close()
