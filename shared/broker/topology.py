"""What exists on the broker, as data, and who declares what: the one place where queues and exchanges are described.

Queues are quorum queues: replicated, and what was confirmed survives a node. There is no dead-letter machinery: a work
message is only a hint, its row is dispatched again, and what can't be read is counted and acknowledged. Upstream's messages and
our events need care: their queues must never drop one. A change that finds no queue goes to a queue of its own, from which
intake takes it later; an event that finds its queue full stays in the database.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import pika
import structlog
from pika.exceptions import AMQPChannelError, ChannelClosedByBroker

from shared.broker.errors import BrokerError, TopologyError
from shared.broker.names import (
    CHANGES_EXCHANGE,
    CHANGES_QUEUE,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    UNROUTED_EXCHANGE,
    UNROUTED_QUEUE,
    WORK_EXCHANGE,
    queue_of,
)
from shared.messages.work import POOLS, Pool

Role = Literal["scheduler", "orders", "invoices", "charges", "notices", "intake", "upstream"]
ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED = 403, 404, 406
log = structlog.get_logger()

# Messages that one process may hold unacknowledged. Batches of 500 rows keep four threads busy with one each in reserve; of
# calls to gateways and mail servers, which take long, none should wait in one process while another is idle.
PREFETCH: Final[Mapping[Pool, int]] = {"orders": 8, "invoices": 8, "charges": 4, "notices": 4, "intake": 4}
EXCHANGES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {  # durable; type and arguments
    UNROUTED_EXCHANGE: ("fanout", {}),
    CHANGES_EXCHANGE: ("topic", {"alternate-exchange": UNROUTED_EXCHANGE}),
    EVENTS_EXCHANGE: ("topic", {}),
    WORK_EXCHANGE: ("direct", {}),
}
KEPT: Final = (CHANGES_QUEUE, UNROUTED_QUEUE, EVENTS_QUEUE)  # never drop a message
EVENTS_BYTES_MAX: Final = 1 << 30  # about a million events; then the queue refuses, and the others wait in the database
UNLIMITED_FROM = (4, 0)


class Parts(NamedTuple):
    """What a role declares, which is also all that it needs the configure permission for."""

    exchanges: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    bindings: tuple[tuple[str, str, str], ...] = ()  # (queue, exchange, routing key)


def parts_of(role: Role) -> Parts:
    """The part of the topology that a role uses."""
    if role == "scheduler":
        pools = tuple(queue_of(pool) for pool in POOLS)
        # Not the default exchange: who may publish there reaches every queue, upstream's too.
        bindings = ((EVENTS_QUEUE, EVENTS_EXCHANGE, "#"), *((queue, WORK_EXCHANGE, queue) for queue in pools))
        return Parts((EVENTS_EXCHANGE, WORK_EXCHANGE), (*pools, EVENTS_QUEUE), bindings)
    if role == "upstream":
        return Parts((UNROUTED_EXCHANGE, CHANGES_EXCHANGE))
    if role == "intake":
        bindings = ((UNROUTED_QUEUE, UNROUTED_EXCHANGE, ""), (CHANGES_QUEUE, CHANGES_EXCHANGE, "#"))
        queues = (queue_of("intake"), UNROUTED_QUEUE, CHANGES_QUEUE)
        return Parts((UNROUTED_EXCHANGE, CHANGES_EXCHANGE), queues, bindings)
    return Parts((), (queue_of(role),))


def arguments(queue: str, version: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of a queue on a server of that version.

    RabbitMQ 4.0 began to drop a message that was delivered 20 times (www.rabbitmq.com/docs/quorum-queues, "Poison Message
    Handling"). A work message may be dropped; a change or an event may not, however often its consumer's connection breaks.
    """
    made: dict[str, Any] = {"x-queue-type": "quorum"}
    if queue == EVENTS_QUEUE:
        made |= {"x-max-length-bytes": EVENTS_BYTES_MAX, "x-overflow": "reject-publish"}
    if queue in KEPT and version >= UNLIMITED_FROM:
        made["x-delivery-limit"] = -1
    return made


def version_of(connection: pika.BlockingConnection) -> tuple[int, ...]:
    """The version of the server, as (major, minor)."""
    told = connection._impl.server_properties["version"]
    text = told.decode() if isinstance(told, bytes) else str(told)
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())


def declare(connection: pika.BlockingConnection, role: Role) -> None:
    """Make what a role uses, or find that it is there as described.

    Without the configure permission it is only checked that it is there. Raises TopologyError when a queue or exchange has
    other properties, BrokerError when something is missing and may not be made.
    """
    parts = parts_of(role)
    version = version_of(connection)
    for exchange in parts.exchanges:
        _exchange(connection, exchange)
    for queue in parts.queues:
        _queue(connection, queue, arguments(queue, version))
    for queue, exchange, key in parts.bindings:
        _bind(connection, queue, exchange, key)


def _exchange(connection: pika.BlockingConnection, name: str) -> None:
    kind, wanted = EXCHANGES[name]
    made = _on_a_channel(
        connection, lambda channel: channel.exchange_declare(name, kind, durable=True, arguments=dict(wanted))
    )
    if made is None:
        return
    if made.reply_code == ACCESS_REFUSED:
        seen = _on_a_channel(connection, lambda channel: channel.exchange_declare(name, passive=True))
        if seen is None:
            return
        raise _may_not(made, "exchange", name)
    raise _differs(made, "exchange", name)


def _queue(connection: pika.BlockingConnection, name: str, wanted: Mapping[str, Any]) -> None:
    made = _on_a_channel(connection, lambda channel: channel.queue_declare(name, durable=True, arguments=dict(wanted)))
    if made is None:
        return
    if made.reply_code == ACCESS_REFUSED:
        seen = _on_a_channel(connection, lambda channel: channel.queue_declare(name, passive=True))
        if seen is None:
            return
        raise _may_not(made, "queue", name)
    if made.reply_code == PRECONDITION_FAILED and name in KEPT and "x-delivery-limit" in made.reply_text:
        # The broker was upgraded under a queue from before its default limit: usable, once a policy lifts the limit.
        log.warning(
            "queue.limited",
            queue=name,
            fix=f"""rabbitmqctl set_policy --apply-to queues {name} '^{name}$' '{{"delivery-limit": -1}}'""",
        )
        return
    raise _differs(made, "queue", name)


def _bind(connection: pika.BlockingConnection, queue: str, exchange: str, key: str) -> None:
    made = _on_a_channel(connection, lambda channel: channel.queue_bind(queue, exchange, key))
    if made is not None:
        raise _may_not(made, "binding of queue", f"{queue} to {exchange}")


def _on_a_channel(connection: pika.BlockingConnection, ask: Callable[[Any], object]) -> ChannelClosedByBroker | None:
    """Ask on a channel of its own, for a refusal ends the channel. Returns the refusal, None if all went well."""
    channel = connection.channel()
    try:
        ask(channel)
        channel.close()
    except ChannelClosedByBroker as refused:
        return refused
    except AMQPChannelError as error:
        raise BrokerError(f"the broker closed a channel: {error}") from error
    return None


def _differs(refused: ChannelClosedByBroker, kind: str, name: str) -> BrokerError:
    if refused.reply_code == PRECONDITION_FAILED:
        mend = f"let its consumers empty it, delete it (rabbitmqctl delete_queue {name})"
        if kind == "exchange":
            mend = "delete it (RabbitMQ's management page)"
        return TopologyError(
            f"{kind} {name} exists with other properties than this program needs ({refused.reply_text}); {mend}, and start"
            " again: it is recreated"
        )
    return BrokerError(f"the broker refused to make {kind} {name}: {refused.reply_text}")


def _may_not(refused: ChannelClosedByBroker, kind: str, name: str) -> BrokerError:
    if refused.reply_code == NOT_FOUND:
        return BrokerError(f"{kind} {name} does not exist on the broker: {refused.reply_text}")
    return BrokerError(
        f"{kind} {name} is missing, and this user may not make it ({refused.reply_text}); grant it the permissions of its role"
        " (rabbitmqctl set_permissions, see deploy/rabbitmq), or let the scheduler make it first"
    )
