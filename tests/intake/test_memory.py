"""Intake holds a bounded part of its queue, whatever lies in it."""

import threading
import tracemalloc

import pika
import pytest

from shared.broker.changes_consumer import ChangesConsumer
from shared.broker.names import CHANGES_QUEUE, UNROUTED_QUEUE
from shared.broker.startup_check import check_broker

MESSAGES, LARGE = 40, 1 << 20  # as long as intake takes them
QUEUES = {"changes": CHANGES_QUEUE, "unrouted": UNROUTED_QUEUE}


@pytest.fixture(params=QUEUES)
def large(broker_url: str, request: pytest.FixtureRequest) -> str:
    """A queue that holds ten times what a batch may hold; its address."""
    check_broker([broker_url], "intake", "test")
    body = b"x" * LARGE
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for _ in range(MESSAGES):
            channel.basic_publish("", QUEUES[request.param], body)
    return broker_url


def test_what_intake_holds_is_bounded_however_much_lies_in_the_queue(large: str) -> None:
    """A batch ends at 4 MiB. Neither the broker's client nor the kernel's buffers bring in the rest while it is applied."""
    consumer, stop = ChangesConsumer([large], "test"), threading.Event()
    sizes: list[int] = []
    tracemalloc.start()
    try:
        while sum(sizes) < MESSAGES * LARGE:
            taken = consumer.take(stop)
            if taken:
                sizes.append(sum(len(each.body) for each in taken))
                consumer.acknowledge(taken)
            del taken
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        consumer.close()
    assert max(sizes) < (4 << 20) + LARGE
    assert peak < 3 * (4 << 20)
