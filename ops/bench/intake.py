"""Intake through RabbitMQ: batches with one commit, against one message, one commit and one acknowledgement at a time."""

import json
import threading
import time
from collections.abc import Mapping, Sequence

from ops.bench.seed import connect
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.changes_consumer import ChangesConsumer
from shared.broker.names import CHANGES_EXCHANGE
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.startup_check import check_broker
from shared.store.database import Store, make_engine
from workers.intake import consume_changes

CLIENTS = 1_000  # each with a payment method and a subscription, as an import has them


def run(batched_url: str, single_url: str, rabbitmq: PrivateRabbitmq, clients: int = CLIENTS) -> Mapping[str, float]:
    """Messages a second of the same import, on two databases."""
    check_broker([rabbitmq.url], "intake", "bench")
    messages = _import(clients)
    batched = _rate(batched_url, rabbitmq, messages, batch=200)
    single = _rate(single_url, rabbitmq, messages[: len(messages) // 5], batch=1)
    return {"batched": round(batched), "one_by_one": round(single), "ratio": round(batched / single, 1)}


def _rate(url: str, rabbitmq: PrivateRabbitmq, messages: Sequence[bytes], batch: int) -> float:
    _publish(rabbitmq, messages)
    store = Store(make_engine(url))
    stop = threading.Event()
    consumer = ChangesConsumer([rabbitmq.url], "bench", batch=batch)
    thread = threading.Thread(target=consume_changes.run, args=(store, consumer, stop))
    began = time.perf_counter()
    thread.start()
    with connect(url) as session:
        while session.execute("SELECT count(*) FROM inbox WHERE state = 'applied'").fetchone() != (len(messages),):
            time.sleep(0.02)
    seconds = time.perf_counter() - began
    stop.set()
    thread.join()
    store.engine.dispose()
    return len(messages) / seconds


def _publish(rabbitmq: PrivateRabbitmq, messages: Sequence[bytes]) -> None:
    publisher = Publisher([rabbitmq.url], "bench upstream", "upstream")
    publisher.start()
    publisher.publish_all(
        [Outgoing(exchange=CHANGES_EXCHANGE, routing_key="duecycle.import.v1", body=body) for body in messages],
        timeout=120,
    )
    publisher.close()


def _import(clients: int) -> list[bytes]:
    of = {"agency_id": "acme", "revision": 1}
    cycle = {"unit": "month", "every": 1}
    said: list[tuple[str, dict[str, object]]] = [
        ("agency", {"name": "Acme", "timezone": "Europe/Berlin", "currency": "EUR", "email": "a@acme.example"}),
        (
            "service",
            {"service_id": "care", "name": "Care", "currency": "EUR", "price_minor": 4900, "billing_cycle": cycle},
        ),
    ]
    for number in range(clients):
        id_ = {"client_id": f"c{number:06}"}
        said += [
            ("client", {**id_, "name": f"Client {number}", "email": f"c{number}@mail.example"}),
            ("payment_method", {**id_, "payment_method_id": "card", "provider": "sandbox", "token": "ok"}),
            (
                "subscription",
                {
                    **id_,
                    "subscription_id": f"s{number:06}",
                    "service_id": "care",
                    "checkout": "self_checkout",
                    "starts_on": "2026-06-01",
                },
            ),
        ]
    return [_change(place, name, {**of, **data}) for place, (name, data) in enumerate(said)]


def _change(place: int, name: str, data: Mapping[str, object]) -> bytes:
    message = {
        "specversion": "1.0",
        "id": f"m{place}",
        "source": "/bench",
        "type": f"duecycle.{name}.upserted.v1",
        "time": "2026-05-20T10:00:00Z",
        "data": data,
    }
    return json.dumps(message).encode()
