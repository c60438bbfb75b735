"""A work message as it comes from the wire: what we send and nothing else.

dramatiq obeys what a message says of itself: `options.eta` parks it (four of them filled a pool's prefetch for ever), others
name actors to run afterwards, and a foreign `queue_name` ends the thread that worked on it. So a message is read here, and
dramatiq gets one of our own making.
"""

from typing import Annotated, Any, Final, Literal

import dramatiq
import msgspec

from shared.broker.names import actor_of, queue_of
from shared.messages.work import IDS_MAX, Pool

BODY_BYTES_MAX: Final = 1_048_576  # 500 ids of the greatest length take a fifth of it

Why = Literal["undecodable", "unexpected", "unknown_actor"]


class UnreadError(ValueError):
    """A message that is not one of ours. `why` is counted; the words say what is odd about it, and hold no value of it."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(words)
        self.why = why


class _Kwargs(msgspec.Struct, forbid_unknown_fields=True):
    agency_id: str
    ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=IDS_MAX)]
    again: bool = False


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    queue_name: str
    actor_name: str
    args: Annotated[list[Any], msgspec.Meta(max_length=0)]
    kwargs: _Kwargs
    options: Annotated[dict[str, Any], msgspec.Meta(max_length=0)]
    message_id: Annotated[str, msgspec.Meta(max_length=64)]
    message_timestamp: int


class _Addressed(msgspec.Struct):
    actor_name: str


def read(body: bytes, pool: Pool) -> dramatiq.Message[None]:
    """The message of `pool` that these bytes are. Raises UnreadError for any others."""
    if len(body) > BODY_BYTES_MAX:
        raise UnreadError("unexpected", f"got {len(body)} bytes; expected at most {BODY_BYTES_MAX}")
    try:
        if msgspec.json.decode(body, type=_Addressed).actor_name != actor_of(pool):
            raise UnreadError("unknown_actor", f"it is for another actor than {actor_of(pool)}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadError("undecodable", "it is no message of dramatiq's") from None
    try:
        found = msgspec.json.decode(body, type=_Message)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UnreadError("unexpected", str(error).rpartition(" - at ")[2]) from None
    if found.queue_name != queue_of(pool):
        raise UnreadError("unexpected", f"queue_name is not {queue_of(pool)}")
    return dramatiq.Message(
        queue_name=queue_of(pool),
        actor_name=actor_of(pool),
        args=(),
        kwargs={"agency_id": found.kwargs.agency_id, "ids": found.kwargs.ids, "again": found.kwargs.again},
        options={},
        message_id=found.message_id,
        message_timestamp=found.message_timestamp,
    )
