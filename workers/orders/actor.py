"""Wiring of the orders pool."""

from collections.abc import Sequence

import dramatiq

from shared.broker import actor_of, queue_of
from shared.store.transaction import Store
from workers.orders.create_orders import create_orders


def declare(broker: dramatiq.Broker, store: Store) -> None:
    """Let `broker` run this pool on `store`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of("orders"), queue_name=queue_of("orders"))
    def work(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        create_orders(store, agency_id, ids, again=again)
