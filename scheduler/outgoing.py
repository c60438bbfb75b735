"""Events as they leave: CloudEvents to the exchange, each subject's in the order of its numbers."""

from collections.abc import Callable, Sequence

import structlog

from scheduler.relay import Told
from shared.broker.errors import BrokerError
from shared.broker.names import EVENTS_EXCHANGE, EVENTS_QUEUE
from shared.broker.ordered_publisher import InOrder, publish_in_order
from shared.broker.publisher import Outgoing, Publisher
from shared.messages.events import CONTENT_TYPE, cloud_event, event_type, message_id
from shared.store.events import Unpublished

log = structlog.get_logger()


class RabbitExchange:
    """The exchange `duecycle.events`. `on_unrouted` hears how many events no queue was bound for."""

    def __init__(self, publisher: Publisher, on_unrouted: Callable[[int], None] = lambda _count: None) -> None:
        self._publisher, self._on_unrouted = publisher, on_unrouted

    def publish(self, batch: Sequence[Unpublished]) -> Told:
        """Publish in order; says what was taken and what was refused. Raises BrokerError when nothing got through."""
        taken = publish_in_order(self._publisher, [in_order(event) for event in batch], self._make_queue)
        verdicts = list(zip(batch, taken, strict=True))
        return Told(
            [event for event, verdict in verdicts if verdict is True],
            [event for event, verdict in verdicts if verdict is False],
        )

    def _make_queue(self, unrouted: int) -> None:
        """Somebody has deleted the queue of events, or its binding: it is made again. The events wait, and are tried again."""
        self._on_unrouted(unrouted)
        log.warning("queue.gone", queue=EVENTS_QUEUE, events=unrouted)
        try:
            self._publisher.declare()
        except BrokerError as error:
            log.error("queue.missing", queue=EVENTS_QUEUE, reason=str(error))


def in_order(event: Unpublished) -> InOrder:
    """An event as a message to the exchange."""
    of = (event.agency_id, event.subject, event.subject_seq)
    body = cloud_event(
        event.agency_id, event.type, event.subject, subject_seq=event.subject_seq, at=event.at, data=event.data
    )
    message = Outgoing(
        exchange=EVENTS_EXCHANGE,
        routing_key=event_type(event.type),
        body=body,
        content_type=CONTENT_TYPE,
        message_id=message_id(*of),
    )
    return InOrder((event.agency_id, event.subject), message)
