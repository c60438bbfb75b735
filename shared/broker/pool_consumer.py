"""The dramatiq broker of one worker pool: a quorum queue, a prefetch of its own, no retries, no delays, no dead letters.

The row behind a message is the truth: whatever becomes of the message, the row is dispatched again until the work is done. So a
message is acknowledged when its actor ends, also when it raised, and one that is not of our making (see `wire.py`) is counted,
logged and acknowledged.
dramatiq has no public way to choose a queue's type, so this class overrides what declares and consumes; the version of
dramatiq is pinned, and tests hold what is relied upon.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from itertools import chain
from typing import Any

import dramatiq
import pika
import structlog
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer, _RabbitmqMessage
from dramatiq.errors import ConnectionClosed
from dramatiq.logging import get_logger
from pika.exceptions import AMQPChannelError, AMQPConnectionError, AMQPError, ConnectionWrongStateError

from shared.broker.address import parameters
from shared.broker.answer_timeout import answered_within
from shared.broker.backoff import Backoff
from shared.broker.names import queue_of
from shared.broker.startup_check import explain
from shared.broker.topology import PREFETCH, declare
from shared.broker.wire import UnreadError, read
from shared.messages.work import Pool

IDLE_SECONDS = 20.0
LONGEST_SECONDS = 3.0  # between two tries to connect; dramatiq's 3 s come on top
ANSWER_SECONDS = 3.0
log = structlog.get_logger()


class PoolBroker(RabbitmqBroker):
    """Consumes the queue of `pool`. `on_dropped` hears why a message was acknowledged unread: see `wire.Why`."""

    def __init__(
        self,
        urls: Sequence[str],
        pool: Pool,
        *,
        name: str,
        middleware: Sequence[dramatiq.Middleware] = (),
        on_dropped: Callable[[str], None] = lambda _why: None,
    ) -> None:
        super().__init__(confirm_delivery=True, url=list(urls), middleware=list(middleware))
        self.parameters = parameters(urls, name)
        self.urls = tuple(urls)
        self.pool = pool
        self.on_dropped = on_dropped
        self._backoff = Backoff(longest=LONGEST_SECONDS)
        self._outage: str | None = None
        self._consumer: PoolConsumer | None = None

    def held(self) -> int:
        """How many messages this process holds unacknowledged."""
        return 0 if self._consumer is None else len(self._consumer.known_tags)

    @property
    def consumer_class(self) -> type["PoolConsumer"]:
        return PoolConsumer

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Know of a queue. It is made when it is consumed; there is no queue for delays beside it."""
        del ensure
        if queue_name != queue_of(self.pool):
            raise ValueError(f"the {self.pool} pool consumes {queue_of(self.pool)} alone, not {queue_name}")
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer, with the prefetch of its pool whatever is asked. Raises ConnectionClosed, after a wait that grows.

        dramatiq's own pause of 3 s before the next try comes on top. An outage is told when it begins and when it ends.
        """
        del prefetch
        try:
            consumer = self.consumer_class(self, queue_name, PREFETCH[self.pool], timeout)
        except ConnectionClosed as error:
            if self._outage is None:
                self._outage = explain(error.__context__ or error, self.urls[0])
                log.warning("pool.disconnected", pool=self.pool, reason=self._outage)
            time.sleep(self._backoff.next())
            raise
        if self._outage is not None:
            log.warning("pool.recovered", pool=self.pool, after=self._outage)
            self._outage = None
        self._backoff.reset()
        self._consumer = consumer
        return consumer

    def unanswered(self) -> str | None:
        """None if the broker answers on the connection that the pool consumes on, else why not. Opens none; for any thread."""
        return "no connection yet" if self._consumer is None else self._consumer.unanswered()

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Refuses: only the scheduler publishes. Raises RuntimeError."""
        raise RuntimeError(f"a pool publishes nothing, but was told to send {message.actor_name} (delay {delay})")


class PoolMessage(_RabbitmqMessage):
    """A message, and the consumer on whose connection it came."""

    consumer: "PoolConsumer | None" = None


class PoolConsumer(_RabbitmqConsumer):
    """Acknowledges whatever it got, and makes its queue again if it has gone."""

    def __init__(self, broker: PoolBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        self.broker, self.queue_name = broker, queue_name
        self.logger = get_logger(__name__, type(self))
        self.known_tags: set[int] = set()  # of this connection: an acknowledgement for another one would end it
        connection = None
        try:
            self.connection = connection = pika.BlockingConnection(broker.parameters)
            self._prefetch, self._timeout = prefetch, timeout / 1000
            self._subscribe()
        except (AMQPConnectionError, AMQPChannelError, OSError) as error:
            if connection is not None and connection.is_open:
                with contextlib.suppress(AMQPConnectionError, AMQPChannelError):
                    connection.close()
            raise ConnectionClosed(error) from None

    def __next__(self) -> MessageProxy | None:
        """The next message that is ours, None after a moment without one.

        Idle for a while, it subscribes again: RabbitMQ 3.10 was seen to forget a consumer, without a word, when its queue was
        deleted and made again at once.
        """
        try:
            message = self._receive()
            if message is not None or self.known_tags:
                self._busy_at = time.monotonic()
            elif time.monotonic() - self._busy_at > IDLE_SECONDS:
                self.channel.close()
                self._subscribe()
        except (AMQPConnectionError, AMQPChannelError, AssertionError, OSError) as error:
            raise ConnectionClosed(error) from None
        return message

    def _receive(self) -> MessageProxy | None:
        """In place of dramatiq's own reading. Of the delivery itself nothing counts but its tag: no header, no property."""
        method, _properties, body = next(self.iterator)
        if method is None:
            return None
        try:
            work = read(body, self.broker.pool)
            message = PoolMessage(method.redelivered, method.delivery_tag, work)  # type: ignore[no-untyped-call]
        except UnreadError as unread:
            log.error("message.dropped", pool=self.broker.pool, why=unread.why, reason=str(unread))
            self.broker.on_dropped(unread.why)
            self._nack(method.delivery_tag)
            return None
        message.consumer = self
        self.known_tags.add(method.delivery_tag)
        return message

    def unanswered(self) -> str | None:
        """None if the broker answers about this queue within a moment, else why not. For any other thread."""
        answer: Future[None] = Future()

        def ask() -> None:  # on the consumer's thread, which must not wait for ever
            try:
                with answered_within(self.connection):
                    self.channel.queue_declare(self.queue_name, passive=True)
            except Exception as error:
                answer.set_exception(error)
                raise
            answer.set_result(None)

        try:
            self.connection.add_callback_threadsafe(ask)
            return answer.result(ANSWER_SECONDS)
        except ConnectionWrongStateError:
            return "the connection is gone; another one is on its way"
        except FutureTimeout:
            return f"no answer within {ANSWER_SECONDS:g} s"
        except (AMQPError, OSError) as error:
            return f"the broker refuses {self.queue_name}: {explain(error, self.broker.urls[0])}"

    def _subscribe(self) -> None:
        with answered_within(self.connection):
            declare(self.connection, self.broker.pool)
            self.channel = self.connection.channel()
            self.channel.basic_qos(prefetch_count=self._prefetch)
            deliveries = self.channel.consume(self.queue_name, inactivity_timeout=self._timeout)
            # Asking for the first delivery is what subscribes.
            self.iterator = chain([next(deliveries)], deliveries)
        self._busy_at = time.monotonic()

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message of this connection. One of an earlier one comes again: its tag may be another's by now."""
        if getattr(message, "consumer", None) is self:
            with contextlib.suppress(ConnectionClosed):
                super().ack(message)  # type: ignore[no-untyped-call]

    def nack(self, message: MessageProxy) -> None:
        """What dramatiq would reject is acknowledged: its rows are dispatched again."""
        self.ack(message)

    def _nack(self, tag: int) -> None:
        self.connection.add_callback_threadsafe(partial(self.channel.basic_ack, tag))


def make_global(broker: PoolBroker) -> None:
    """Let dramatiq's own command line find this broker."""
    dramatiq.set_broker(broker)
