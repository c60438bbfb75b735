"""The embedded broker: dramatiq's in-memory one, with a single deterministic drain."""

from collections.abc import Sequence
from random import Random

import dramatiq
from dramatiq.brokers.stub import StubBroker

from shared.broker.names import message_of, queue_of
from shared.messages import Due
from shared.messages.work import Load, Pool


class EmbeddedBroker(StubBroker):
    """Holds messages until `drain` runs them all in this thread, in the order they came or in one made from a seed."""

    def __init__(self) -> None:
        super().__init__(middleware=[])

    def publish(self, messages: Sequence[Due]) -> None:
        """Queue messages."""
        for due in messages:
            self.enqueue(message_of(due))

    def load(self, pool: Pool) -> Load:
        """How many messages of a pool wait; nobody holds any, for they are processed in this thread."""
        queue = self.queues.get(queue_of(pool))
        return Load(waiting=0 if queue is None else queue.qsize(), held=0)

    def drain(self, random: Random | None = None) -> int:
        """Run every waiting message, without a random source in the order of queues and arrival. Returns how many.

        Whatever an actor raises is raised here, with the messages after it still waiting.
        """
        done = 0
        while waiting := [queue for queue in self.queues.values() if not queue.empty()]:
            queue = waiting[0] if random is None else random.choice(waiting)
            message = dramatiq.Message.decode(queue.get_nowait())
            queue.task_done()
            actor = self.get_actor(message.actor_name)
            actor.fn(*message.args, **message.kwargs)
            done += 1
        return done
