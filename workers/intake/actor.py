"""Wiring of intake's own work: messages that wait and are looked at again."""

from collections.abc import Sequence

import dramatiq

from shared.broker import actor_of, queue_of
from shared.store.transaction import Store
from workers.intake.receive_changes import replay_waiting


def declare(broker: dramatiq.Broker, store: Store) -> None:
    """Let `broker` run this pool on `store`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of("intake"), queue_name=queue_of("intake"))
    def work(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        del again
        replay_waiting(store, agency_id, ids)
