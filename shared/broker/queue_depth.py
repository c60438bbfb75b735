"""How many messages a queue holds, asked on a channel of its own: asking about a missing queue ends the channel."""

from concurrent.futures import Future
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker

from shared.broker.errors import BrokerError
from shared.broker.topology import NOT_FOUND

Found = tuple[int, int] | None


class QueueDepths:
    """Answers one question at a time; every method runs in the connection's thread."""

    def __init__(self) -> None:
        self._channel: Any = None
        self._queue = ""
        self._answer: Future[Found] | None = None

    def ask(self, connection: pika.SelectConnection | None, queue: str, answer: "Future[Found]") -> None:
        """Answer with (messages that wait, consumers), with None if there is no such queue, or with BrokerError."""
        self._queue, self._answer = queue, answer
        if connection is None or not connection.is_open:
            self.fail("the connection is gone")
        elif self._channel is not None:
            self._put()
        else:
            connection.channel(on_open_callback=self._opened)

    def fail(self, reason: str) -> None:
        """The connection is gone."""
        self._channel = None
        if self._answer is not None:
            self._answer.set_exception(BrokerError(reason))
            self._answer = None

    def _opened(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._closed)
        self._put()

    def _put(self) -> None:
        self._channel.queue_declare(self._queue, passive=True, callback=self._answered)

    def _answered(self, frame: Any) -> None:
        self._tell((frame.method.message_count, frame.method.consumer_count))

    def _closed(self, _channel: Any, error: BaseException) -> None:
        self._channel = None
        if isinstance(error, ChannelClosedByBroker) and error.reply_code == NOT_FOUND:
            self._tell(None)
        else:
            self.fail(str(error))

    def _tell(self, found: Found) -> None:
        if self._answer is not None:
            self._answer.set_result(found)
            self._answer = None
