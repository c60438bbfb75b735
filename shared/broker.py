"""The embedded broker: dramatiq's in-memory one, with a single deterministic drain."""

from collections.abc import Sequence
from random import Random

import dramatiq
from dramatiq.brokers.stub import StubBroker

from shared.messages import Due
from shared.messages.work import Pool


def queue_of(pool: Pool) -> str:
    """The queue a pool consumes; the version is part of the name, for a queue's arguments can't change."""
    return f"duecycle.{pool}.v1"


def actor_of(pool: Pool) -> str:
    """The actor that works off a pool's messages."""
    return f"{pool}.work"


def message_of(due: Due) -> dramatiq.Message[None]:
    """The work message as dramatiq carries it."""
    kwargs = {"agency_id": due.agency_id, "ids": due.ids, "again": due.again}
    return dramatiq.Message(
        queue_name=queue_of(due.pool), actor_name=actor_of(due.pool), args=(), kwargs=kwargs, options={}
    )


class EmbeddedBroker(StubBroker):
    """Holds messages until `drain` runs them all in this thread, in the order they came or in one made from a seed."""

    def __init__(self) -> None:
        super().__init__(middleware=[])

    def ring(self, messages: Sequence[Due]) -> None:
        """Queue messages."""
        for due in messages:
            self.enqueue(message_of(due))

    def in_flight(self, pool: Pool) -> int:
        """How many messages of a pool wait."""
        queue = self.queues.get(queue_of(pool))
        return 0 if queue is None else queue.qsize()

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
