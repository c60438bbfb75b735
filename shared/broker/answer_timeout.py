"""A limit for what a broker takes to answer: pika's blocking calls have none.

RabbitMQ 3.10 was seen never to answer a `basic.consume` that reached a quorum queue while it was starting, with heartbeats
going on all the while: a pool would have waited for ever, alive and idle.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.exceptions import AMQPHeartbeatTimeout

ANSWER_SECONDS = 10.0


@contextmanager
def answered_within(connection: pika.BlockingConnection, seconds: float = ANSWER_SECONDS) -> Iterator[None]:
    """End the connection when what is asked inside takes longer; the call that waits then raises AMQPConnectionError.

    The timer must be the inner connection's: the outer one's do not run while a call waits for its answer.
    """
    inner = connection._impl
    silent = AMQPHeartbeatTimeout(f"the broker did not answer within {seconds:g} s")
    timer = inner.ioloop.call_later(seconds, lambda: inner._terminate_stream(silent))
    try:
        yield
    finally:
        inner.ioloop.remove_timeout(timer)
