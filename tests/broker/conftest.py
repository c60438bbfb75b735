"""Publishers and plain connections on a virtual host of the test's own."""

from collections.abc import Iterator

import pika
import pytest

from shared.broker.publisher import Publisher
from shared.broker.startup_check import check_broker


@pytest.fixture
def connection(broker_url: str) -> Iterator[pika.BlockingConnection]:
    """A connection of the test itself, to look at queues with."""
    made = pika.BlockingConnection(pika.URLParameters(broker_url))
    yield made
    if made.is_open:
        made.close()


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    """The scheduler's publisher, its topology made."""
    check_broker([broker_url], "scheduler", "test")
    made = Publisher([broker_url], "test publisher", "scheduler")
    made.start()
    yield made
    made.close()
