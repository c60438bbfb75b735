"""Messages to the orders pool as they go over the wire."""

import json

from shared.broker.names import message_of
from shared.messages import Due


def work_message(agency_id: str, *ids: str) -> bytes:
    return message_of(Due("orders", agency_id, list(ids))).encode()


def with_changes(**changes: object) -> bytes:
    """A message as we send it, with some of its fields changed."""
    return json.dumps(json.loads(work_message("a", "s1")) | changes).encode()
