"""How fast messages reach the broker: the relay's batches and the dispatch's work messages, against one confirm at a time."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ops.servers.rabbitmq import PrivateRabbitmq
from scheduler.outgoing import RabbitExchange
from shared.broker.names import queue_of
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.startup_check import check_broker
from shared.broker.work_queue import RabbitWorkQueue
from shared.messages import Due
from shared.store.events import Unpublished

EVENTS, MESSAGES, SINGLE = 10_000, 2_000, 500
AT = datetime(2026, 6, 1, tzinfo=UTC)


def run(rabbitmq: PrivateRabbitmq) -> Mapping[str, float]:
    """Events and work messages a second, each with confirms, and how many times faster than one at a time that is."""
    check_broker([rabbitmq.url], "scheduler", "bench")
    publisher = Publisher([rabbitmq.url], "bench", "scheduler")
    publisher.start()
    try:
        exchange, work_queue = RabbitExchange(publisher), RabbitWorkQueue(publisher)
        events = [
            Unpublished(
                agency_id="a",
                event_id=number,
                type="invoice.issued",
                subject=f"subscription/{number}",
                subject_seq=1,
                at=AT,
                data={"total_minor": number},
            )
            for number in range(EVENTS)
        ]
        due = [Due("orders", "a", [f"s{number:06}" for number in range(500)])] * MESSAGES
        one = Outgoing(exchange="", routing_key=queue_of("orders"), body=b"x" * 400)
        relayed = _rate(lambda: [exchange.publish(events[at : at + 500]) for at in range(0, EVENTS, 500)], EVENTS)

        def publish() -> None:
            for at in range(0, MESSAGES, 64):
                work_queue.publish(due[at : at + 64])

        dispatched = _rate(publish, MESSAGES)
        single = _rate(lambda: [publisher.publish([one]) for _ in range(SINGLE)], SINGLE)
    finally:
        publisher.close()
    return {
        "relay_events": round(relayed),
        "dispatch_messages": round(dispatched),
        "one_confirm_at_a_time": round(single),
        "relay_vs_one_at_a_time": round(relayed / single, 1),
    }


def _rate(work: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
