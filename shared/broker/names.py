"""What things are called on the broker, and how a work message is spelled: one place for publisher and consumers."""

from typing import Final

import dramatiq

from shared.messages import Due
from shared.messages.work import Pool

VERSION: Final = "v1"  # part of each queue's name, for a queue's arguments can't change while it exists
CHANGES_EXCHANGE: Final = "duecycle.changes"
CHANGES_QUEUE: Final = f"duecycle.changes.{VERSION}"
UNROUTED_EXCHANGE: Final = "duecycle.changes.unrouted"  # where changes go for which there is no queue
UNROUTED_QUEUE: Final = f"duecycle.unrouted.{VERSION}"
WORK_EXCHANGE: Final = "duecycle.work"  # work messages for the pools; it reaches no other queue
EVENTS_EXCHANGE: Final = "duecycle.events"
EVENTS_QUEUE: Final = f"duecycle.events.{VERSION}"


def queue_of(pool: Pool) -> str:
    """The queue a pool consumes."""
    return f"duecycle.{pool}.{VERSION}"


def actor_of(pool: Pool) -> str:
    """The actor that processes a pool's messages."""
    return f"{pool}.work"


def message_of(due: Due) -> dramatiq.Message[None]:
    """The work message as dramatiq carries it."""
    kwargs = {"agency_id": due.agency_id, "ids": due.ids, "again": due.again}
    return dramatiq.Message(
        queue_name=queue_of(due.pool), actor_name=actor_of(due.pool), args=(), kwargs=kwargs, options={}
    )
