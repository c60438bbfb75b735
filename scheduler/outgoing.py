"""Events as they leave: CloudEvents to the exchange, each subject's in the order of its numbers."""

from collections.abc import Callable, Sequence
from itertools import compress

from shared.broker.exchange import InOrder, publish_in_order
from shared.broker.names import EVENTS_EXCHANGE
from shared.broker.publisher import Outgoing, Publisher
from shared.domain.keys import fitted
from shared.messages.events import CONTENT_TYPE, cloud_event, event_id, event_type
from shared.store.events import Unpublished


class RabbitExchange:
    """The exchange `duecycle.events`. `on_unrouted` hears how many events nobody was bound for."""

    def __init__(self, publisher: Publisher, on_unrouted: Callable[[int], None] = lambda _count: None) -> None:
        self._publisher, self._on_unrouted = publisher, on_unrouted

    def publish(self, batch: Sequence[Unpublished]) -> Sequence[Unpublished]:
        """Publish in order; returns the events that were confirmed. Raises BrokerError when nothing got through."""
        taken = publish_in_order(self._publisher, [_in_order(event) for event in batch], self._on_unrouted)
        return list(compress(batch, taken))


def _in_order(event: Unpublished) -> InOrder:
    of = (event.agency_id, event.subject, event.subject_seq)
    body = cloud_event(event.agency_id, event.type, event.subject, event.subject_seq, event.at, event.data)
    message = Outgoing(
        EVENTS_EXCHANGE, event_type(event.type), body, content_type=CONTENT_TYPE, message_id=fitted(event_id(*of), 255)
    )
    return InOrder((event.agency_id, event.subject), message)
