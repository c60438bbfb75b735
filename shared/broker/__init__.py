"""RabbitMQ: names and topology in one place, a confirmed publisher, and consumers that never lose a change.

`names` and `topology`: what exists on the broker. `publisher`, `work_queue`: what the scheduler sends.
`pool_consumer`: the dramatiq broker of a worker pool. `changes_consumer`: upstream's messages. `in_memory`: the same without
a broker, in one process.
"""

from shared.broker.in_memory import EmbeddedBroker
from shared.broker.names import actor_of, message_of, queue_of

__all__ = ["EmbeddedBroker", "actor_of", "message_of", "queue_of"]
