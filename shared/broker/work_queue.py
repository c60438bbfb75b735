"""The scheduler's work queue on RabbitMQ."""

from collections.abc import Sequence

from shared.broker.names import WORK_EXCHANGE, message_of, queue_of
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.topology import PREFETCH
from shared.messages.work import Due, Load, Pool


class RabbitWorkQueue:
    """Publishes work messages with confirms; one that no queue takes comes back, and its queue is made again."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def publish(self, messages: Sequence[Due]) -> None:
        """Publish. Raises BrokerError if one was not taken: its rows are dispatched again after their lease, nothing else is
        lost."""
        self._publisher.publish_all([_outgoing(due) for due in messages])

    def load(self, pool: Pool) -> Load:
        """What waits in the pool's queue, and the most that its consumers may hold. Raises BrokerError."""
        waiting, consumers = self._publisher.load(queue_of(pool))
        return Load(waiting, consumers * PREFETCH[pool])


def _outgoing(due: Due) -> Outgoing:
    message = message_of(due)
    return Outgoing(
        exchange=WORK_EXCHANGE, routing_key=message.queue_name, body=message.encode(), message_id=message.message_id
    )
