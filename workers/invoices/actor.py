"""Wiring of the invoices pool."""

from collections.abc import Sequence

import dramatiq

from shared.broker import actor_of, queue_of
from shared.store.transaction import Store
from workers.invoices.issue_invoices import issue_invoices


def declare(broker: dramatiq.Broker, store: Store) -> None:
    """Let `broker` run this pool on `store`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of("invoices"), queue_name=queue_of("invoices"))
    def work(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        issue_invoices(store, agency_id, ids, again=again)
