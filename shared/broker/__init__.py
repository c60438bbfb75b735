"""RabbitMQ: names and topology in one place, a confirmed publisher, and consumers that never lose a change.

`names` and `topology`: what exists on the broker. `publisher`, `work_queue`, `exchange`: what the scheduler sends. `pool`: the
dramatiq broker of a worker pool. `changes`: upstream's messages. `embedded`: the same without a broker, in one process.
"""

from shared.broker.in_memory import EmbeddedBroker
from shared.broker.names import actor_of, message_of, queue_of

__all__ = ["EmbeddedBroker", "actor_of", "message_of", "queue_of"]
