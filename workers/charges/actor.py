"""Wiring of the charges pool."""

from collections.abc import Sequence

import dramatiq

from shared.broker import actor_of, queue_of
from workers.charges.charge_invoices import Runtime, charge_invoices


def declare(broker: dramatiq.Broker, runtime: Runtime) -> None:
    """Let `broker` run this pool with `runtime`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of("charges"), queue_name=queue_of("charges"))
    def work(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        charge_invoices(runtime, agency_id, ids, again=again)
