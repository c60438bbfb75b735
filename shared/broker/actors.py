"""What runs a pool's messages: one actor for each pool, whatever the broker."""

from collections.abc import Sequence
from typing import Protocol

import dramatiq

from shared.broker.names import actor_of, queue_of
from shared.messages.work import Pool


class Work(Protocol):
    """Does what is due of one agency. `again`: some of the ids were sent before."""

    def __call__(self, agency_id: str, ids: Sequence[str], *, again: bool) -> None: ...


def declare(broker: dramatiq.Broker, pool: Pool, work: Work) -> None:
    """Let `broker` run the messages of a pool. Its `ids` are those of the messages in `shared/messages/work.py`."""

    @dramatiq.actor(broker=broker, actor_name=actor_of(pool), queue_name=queue_of(pool))
    def run(agency_id: str, ids: Sequence[str], again: bool = False) -> None:
        work(agency_id, ids, again=again)
