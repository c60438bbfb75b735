"""Publishing with confirms: a connection in a thread of its own, many messages on their way at once, a verdict for each.

Waiting for every confirm before the next message goes out costs a round trip and a disk write each; here up to a window of
messages is unconfirmed at a time. Heartbeats never depend on the caller, and no call waits for ever.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from threading import Event, Lock, Thread
from typing import Literal, NamedTuple
from uuid import uuid4

import pika
import structlog
from pika.exceptions import AMQPError, ConnectionWrongStateError

from shared.broker.address import BLOCKED_SECONDS, parameters
from shared.broker.backoff import Backoff
from shared.broker.errors import BrokerError, UnansweredError
from shared.broker.publish_batch import CONFIRMED, Batch, Verdict
from shared.broker.queue_depth import QueueDepths
from shared.broker.startup_check import check_broker, explain
from shared.broker.topology import Role

WINDOW = 500  # messages without a confirm; more gain little and cost memory
CONNECTING_SECONDS = 10.0
LONGEST_SECONDS = 5.0  # between two tries to connect
ANSWER_SECONDS = 5.0
log = structlog.get_logger()


class Outgoing(NamedTuple):
    """A message to publish. With `mandatory` it comes back when no queue takes it."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str = "application/json"
    message_id: str | None = None
    mandatory: bool = True


class Publisher:
    """Publishes for one process; safe to share between threads. `role` is what it declares when a queue has gone.

    Use `start`, then `publish` and `load`, then `close`. It connects automatically, to the next node of `urls` each time, with
    waits that grow; meanwhile calls raise BrokerError.
    """

    def __init__(self, urls: Sequence[str], name: str, role: Role, *, window: int = WINDOW) -> None:
        self._urls, self._name, self._role, self._window = tuple(urls), name, role, window
        self._stop = Event()
        self._ready = Event()
        self._settled = Event()  # the present try to connect has an outcome
        self._one_batch, self._one_question = Lock(), Lock()
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self._connection: pika.SelectConnection | None = None
        self._channel: pika.channel.Channel | None = None
        self._queue_depths = QueueDepths()
        self._batch: Batch | None = None
        self._reason = "no connection yet"
        self._next_url = 0
        self._was_ready = False
        self._blocked = False  # an alarm for disk or memory: the broker takes nothing from anybody

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def close(self) -> None:
        """End the connection and wait for its thread. What was confirmed stays; nothing else is under way."""
        self._stop.set()
        self._threadsafe(self._hang_up)
        if self._thread.is_alive():
            self._thread.join(CONNECTING_SECONDS)

    def publish(self, messages: Sequence[Outgoing], timeout: float = 2 * BLOCKED_SECONDS) -> list[Verdict]:
        """Publish messages in their order. Returns what became of each: confirmed, refused or unrouted.

        Raises BrokerError when there is no connection, UnansweredError when it ends on the way or time is up: of the messages
        that were sent, some may have arrived. They may be sent again: every consumer takes a repeat.
        """
        if not messages:
            return []
        with self._one_batch:
            self._await_ready()
            batch = Batch(messages, self._window)
            self._batch = batch
            if not self._ready.is_set():  # lost just before: nobody has heard of this batch
                batch.fail(self._reason)
            silent = False
            try:
                self._threadsafe(self._pump)
                if not batch.ended.wait(timeout):
                    silent = self._ready.is_set() and not self._blocked
                    batch.fail(f"no confirm within {timeout:g} s")
                    self._threadsafe(self._hang_up)  # a late confirm must not be taken for one of the next batch
            finally:
                self._batch = None
            if batch.failure is not None:
                raise UnansweredError(batch.failure, batch.so_far(), silent=silent)
            return batch.verdicts()

    def publish_all(self, messages: Sequence[Outgoing], timeout: float = 2 * BLOCKED_SECONDS) -> None:
        """Publish messages that must all be taken. A queue that has gone is made again, and its messages sent once more.

        Raises BrokerError if one of them was not taken, or what `publish` raises.
        """
        left = self._not_taken(messages, timeout)
        if left:
            self.declare()
            left = self._not_taken(left, timeout)
        if left:
            raise BrokerError(f"{len(left)} of {len(messages)} messages were not taken (to {left[0].routing_key})")

    def declare(self) -> None:
        """Make what this publisher's role uses. Raises BrokerError."""
        check_broker(self._urls, self._role, f"{self._name} declaring")

    def load(self, queue: str) -> tuple[int, int]:
        """How many messages wait in a queue, and how many consumers it has; a queue that has gone is made again.

        Raises BrokerError when the broker can't be asked.
        """
        with self._one_question:
            self._await_ready()
            answer: Future[tuple[int, int] | None] = Future()
            self._threadsafe(lambda: self._queue_depths.ask(self._connection, queue, answer))
            try:
                found = answer.result(ANSWER_SECONDS)
            except FutureTimeout:
                self._threadsafe(self._hang_up)  # a late answer must not be taken for that to the next question
                raise BrokerError(f"no answer about {queue} within {ANSWER_SECONDS:g} s") from None
        if found is None:
            log.warning("queue.gone", queue=queue)
            self.declare()
            return 0, 0
        return found

    def _not_taken(self, messages: Sequence[Outgoing], timeout: float) -> list[Outgoing]:
        verdicts = self.publish(messages, timeout)
        return [each for each, verdict in zip(messages, verdicts, strict=True) if verdict != CONFIRMED]

    def _await_ready(self) -> None:
        """Wait for a connection that is on its way; after a failure say so at once, for the next try may be long away."""
        if not self._settled.wait(CONNECTING_SECONDS) or not self._ready.is_set():
            raise BrokerError(self._reason)

    def _threadsafe(self, call: Callable[[], object]) -> None:
        connection = self._connection
        if connection is not None:
            connection.ioloop.add_callback_threadsafe(call)

    # Everything below runs in the publisher's own thread.

    def _run(self) -> None:
        backoff = Backoff(longest=LONGEST_SECONDS)
        while not self._stop.is_set():
            self._settled.clear()
            url = self._urls[self._next_url % len(self._urls)]
            self._next_url += 1
            try:
                self._connect(url)
            except (AMQPError, OSError, ValueError) as error:
                self._down(explain(error, url))
            if self._was_ready:
                self._was_ready = False
                backoff.reset()
            self._connection = None
            if not self._stop.is_set():
                log.warning("publisher.disconnected", reason=self._reason)
                backoff.wait(self._stop)

    def _connect(self, url: str) -> None:
        def lost(_connection: object, error: BaseException) -> None:
            self._down(explain(error, url))
            connection.ioloop.stop()

        (each,) = parameters([url], self._name)
        connection = pika.SelectConnection(
            each, on_open_callback=self._opened, on_open_error_callback=lost, on_close_callback=lost
        )
        self._connection = connection
        if self._stop.is_set():
            self._hang_up()
        connection.ioloop.start()

    def _opened(self, connection: pika.SelectConnection) -> None:
        self._blocked = False
        connection.add_on_connection_blocked_callback(lambda *_: self._block(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._block(False))
        connection.channel(on_open_callback=self._opened_channel)

    def _opened_channel(self, channel: "pika.channel.Channel") -> None:
        self._channel = channel
        self._tag = 0
        channel.add_on_close_callback(self._lost_channel)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=self._began)

    def _block(self, blocked: bool) -> None:
        self._blocked = blocked

    def _began(self, _frame: object) -> None:
        self._was_ready = True
        self._ready.set()
        self._settled.set()

    def _lost_channel(self, _channel: object, error: BaseException) -> None:
        """A channel ends when it may not publish somewhere; the connection goes with it, and is made again."""
        self._down(f"the broker ended the channel: {error}")
        self._hang_up()

    def _down(self, reason: str) -> None:
        self._reason = reason
        self._ready.clear()
        self._settled.set()
        self._channel = None
        self._queue_depths.fail(reason)
        if self._batch is not None:
            self._batch.fail(reason)

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.close()
        except ConnectionWrongStateError:  # it is closing already, or was never open
            if not connection.is_closing:
                connection.ioloop.stop()

    def _pump(self) -> None:
        batch, channel = self._batch, self._channel
        if batch is None or batch.ended.is_set():
            return
        if channel is None or not channel.is_open:
            batch.fail(self._reason)
            return
        while (following := batch.following()) is not None:
            place, message = following
            self._tag += 1
            id_ = message.message_id or uuid4().hex  # finds the message again when it is returned
            batch.sent(place, self._tag, id_)
            properties = pika.BasicProperties(content_type=message.content_type, delivery_mode=2, message_id=id_)
            channel.basic_publish(
                message.exchange, message.routing_key, message.body, properties, mandatory=message.mandatory
            )

    def _returned(self, _channel: object, _method: object, properties: pika.BasicProperties, _body: bytes) -> None:
        if self._batch is not None and properties.message_id is not None:
            self._batch.returned(properties.message_id)

    def _answered(self, frame: "pika.frame.Method") -> None:
        answer: Literal["confirmed", "refused"] = (
            "confirmed" if isinstance(frame.method, pika.spec.Basic.Ack) else "refused"
        )
        if self._batch is not None:
            self._batch.answered(frame.method.delivery_tag, answer, multiple=frame.method.multiple)
            self._pump()
