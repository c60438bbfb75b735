"""Publishing: a verdict for each message, no message counted that the broker did not take, and no call that waits for ever."""

from collections.abc import Sequence
from typing import cast

import pika
import pytest

from ops.cluster.waiting import until
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.errors import BrokerError, UnansweredError
from shared.broker.names import queue_of
from shared.broker.ordered_publisher import InOrder, publish_in_order
from shared.broker.publish_batch import Verdict
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.startup_check import check_broker
from shared.broker.topology import PREFETCH
from shared.broker.work_queue import RabbitWorkQueue
from shared.messages import Due
from shared.messages.work import Load
from tests.broker.proxy import Proxy

ORDERS = queue_of("orders")


def to(queue: str, body: bytes = b"x") -> Outgoing:
    return Outgoing(exchange="", routing_key=queue, body=body)


def depth(connection: pika.BlockingConnection, queue: str = ORDERS) -> int:
    return connection.channel().queue_declare(queue, passive=True).method.message_count


def test_every_message_gets_a_verdict_in_its_place(publisher: Publisher, connection: pika.BlockingConnection) -> None:
    """Confirmed ones are in the queue; those that no queue takes come back, and are told apart."""
    verdicts = publisher.publish([to("nowhere"), to(ORDERS), to(ORDERS), to("nowhere")])

    assert verdicts == ["unrouted", "confirmed", "confirmed", "unrouted"]
    until(lambda: depth(connection) == 2)


def test_many_more_messages_than_the_window_are_all_confirmed(
    publisher: Publisher, connection: pika.BlockingConnection
) -> None:
    """The window limits what is on its way, not how much can be published."""
    assert set(publisher.publish([to(ORDERS)] * 3000)) == {"confirmed"}
    until(lambda: depth(connection) == 3000)


def test_a_queue_that_has_gone_is_made_again_and_published_to(
    publisher: Publisher, connection: pika.BlockingConnection
) -> None:
    """Somebody deletes a queue: the next message makes it again, and arrives."""
    connection.channel().queue_delete(ORDERS)

    RabbitWorkQueue(publisher).publish([Due("orders", "a", ["s1"])])

    until(lambda: depth(connection) == 1)


def test_a_missing_queue_counts_as_empty_and_is_made(publisher: Publisher, connection: pika.BlockingConnection) -> None:
    """Asking for the load of a pool whose queue has gone brings it back."""
    connection.channel().queue_delete(ORDERS)

    assert RabbitWorkQueue(publisher).load("orders") == Load(0, 0)
    assert depth(connection) == 0


def test_the_load_counts_what_waits_and_what_consumers_may_hold(
    publisher: Publisher, connection: pika.BlockingConnection
) -> None:
    """Consumers count with their whole prefetch: the most they can have in hand."""
    work_queue = RabbitWorkQueue(publisher)
    work_queue.publish([Due("orders", "a", ["s1"]), Due("orders", "a", ["s2"])])
    until(lambda: work_queue.load("orders") == Load(2, 0))

    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(ORDERS, lambda *_: None)
    connection.process_data_events(1)

    until(lambda: work_queue.load("orders") == Load(1, PREFETCH["orders"]))


def test_a_publish_where_one_may_not_raises_and_the_next_goes_on(publisher: Publisher) -> None:
    """An exchange that does not exist ends the channel; the connection is made again automatically."""
    with pytest.raises(BrokerError, match="no exchange"):
        publisher.publish([Outgoing(exchange="no-such-exchange", routing_key="k", body=b"")])

    until(lambda: _published(publisher))


def _published(publisher: Publisher) -> bool:
    try:
        return publisher.publish([to(ORDERS)]) == ["confirmed"]
    except BrokerError:
        return False


@pytest.fixture
def proxied(rabbitmq: PrivateRabbitmq, broker_url: str):
    """A publisher behind a proxy, with the proxy."""
    check_broker([broker_url], "scheduler", "test")
    with Proxy(rabbitmq.port) as proxy:
        made = Publisher([broker_url.replace(str(rabbitmq.port), str(proxy.port))], "behind a proxy", "scheduler")
        made.start()
        until(lambda: _published(made))
        yield made, proxy
        made.close()


def test_a_cut_connection_raises_and_is_made_again(proxied: tuple[Publisher, Proxy]) -> None:
    """What the broker did not confirm is not counted as published."""
    publisher, proxy = proxied
    proxy.refuse()

    with pytest.raises(BrokerError):
        publisher.publish([to(ORDERS)] * 100)
    proxy.let()

    until(lambda: _published(publisher))


def test_a_black_hole_ends_by_the_limit(proxied: tuple[Publisher, Proxy]) -> None:
    """A broker that says nothing any more holds nobody for longer than the caller allows."""
    publisher, proxy = proxied
    proxy.hold()

    with pytest.raises(BrokerError, match=r"no confirm within 0\.5 s"):
        publisher.publish([to(ORDERS)], timeout=0.5)
    proxy.refuse()
    proxy.let()

    until(lambda: _published(publisher))


def test_a_refusal_holds_back_its_own_stream_alone(publisher: Publisher, connection: pika.BlockingConnection) -> None:
    """A full queue refuses: later messages of that stream are not even sent, those of others go on, in order."""
    full = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    channel = connection.channel()
    channel.queue_declare("full", durable=True, arguments=full)
    channel.confirm_delivery()
    until(lambda: _refused(channel))  # the queue takes a few before it knows that it is full
    messages = [
        InOrder(("a", "one"), to("full", b"one-1")),
        InOrder(("a", "two"), to(ORDERS, b"two-1")),
        InOrder(("a", "one"), to(ORDERS, b"one-2")),
        InOrder(("a", "two"), to(ORDERS, b"two-2")),
        InOrder(("b", "one"), to(ORDERS, b"other")),
    ]

    assert publish_in_order(publisher, messages) == [False, True, None, True, True]

    until(lambda: depth(connection) == 3)
    arrived = [channel.basic_get(ORDERS, auto_ack=True)[2] for _ in range(3)]
    assert sorted(arrived) == [b"other", b"two-1", b"two-2"]
    assert arrived.index(b"two-1") < arrived.index(b"two-2")


def _refused(channel: pika.channel.Channel) -> bool:
    try:
        channel.basic_publish("", "full", b"")
    except pika.exceptions.NackError:
        return True
    return False


def test_a_message_that_no_queue_takes_counts_as_refused(publisher: Publisher) -> None:
    """It holds back its stream and no other, and is counted."""
    unrouted: list[int] = []
    messages = [InOrder(("a", "s"), to("nowhere")), InOrder(("a", "s"), to(ORDERS)), InOrder(("a", "t"), to(ORDERS))]

    assert publish_in_order(publisher, messages, unrouted.append) == [False, None, True]
    assert unrouted == [1]


class Silent:
    """A publisher whose broker confirms some, and has nothing to say of others when the time is up."""

    def __init__(self, *verdicts: Verdict | None, silent: bool) -> None:
        self._error = UnansweredError("no confirm within 5 s", verdicts, silent=silent)

    def publish(self, _messages: Sequence[Outgoing], _timeout: float) -> list[Verdict]:
        raise self._error


@pytest.mark.parametrize(
    ("silent", "taken"),
    [(True, [True, False, None]), (False, [True, None, None])],
    ids=["a queue that does not answer", "a connection that ended"],
)
def test_what_is_confirmed_counts_whatever_becomes_of_the_others(silent: bool, taken: list[bool | None]) -> None:
    """A queue that says nothing counts as a refusal of its own messages; when the connection ends, nobody knows."""
    messages = [InOrder(("a", name), to(ORDERS)) for name in ("one", "two", "three")]
    publisher = Silent("confirmed", "unanswered", None, silent=silent)

    assert publish_in_order(cast("Publisher", publisher), messages) == taken


def test_a_first_wave_without_any_answer_raises() -> None:
    publisher = Silent("unanswered", silent=False)
    with pytest.raises(BrokerError):
        publish_in_order(cast("Publisher", publisher), [InOrder(("a", "s"), to(ORDERS))])
