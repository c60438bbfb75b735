"""Events as they arrive in a queue, for a terminal: each acknowledged once the caller has taken the next step."""

from collections.abc import Iterator, Sequence

import pika
from pika.exceptions import ChannelClosedByBroker

from shared.broker.answer_timeout import answered_within
from shared.broker.errors import BrokerError
from shared.broker.startup_check import connected


def messages(urls: Sequence[str], name: str, queue: str) -> Iterator[bytes]:
    """The bodies that wait in a queue, oldest first, until it is empty. One is gone from the queue when the next is asked for.

    Raises BrokerError when the queue can't be read.
    """
    with connected(urls, name) as connection:
        channel = connection.channel()
        while (found := _next(connection, channel, queue)) is not None:
            tag, body = found
            yield body
            channel.basic_ack(tag)


def _next(connection: pika.BlockingConnection, channel: object, queue: str) -> tuple[int, bytes] | None:
    try:
        with answered_within(connection):
            method, _properties, body = channel.basic_get(queue)  # type: ignore[attr-defined]
    except ChannelClosedByBroker as refused:
        raise BrokerError(f"queue {queue} can't be read: {refused.reply_text}") from None
    return None if method is None else (method.delivery_tag, body)
