"""Wiring of the notices pool."""

from collections.abc import Sequence

import dramatiq

from shared.broker import actor_of, queue_of
from workers.notices.send_notices import Runtime, send_notices


def declare(broker: dramatiq.Broker, runtime: Runtime) -> None:
    """Let `broker` run this pool with `runtime`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of("notices"), queue_name=queue_of("notices"))
    def work(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        send_notices(runtime, agency_id, ids, again=again)
