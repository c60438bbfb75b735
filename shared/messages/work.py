"""Work messages: what the scheduler sends to the pools."""

from typing import Final, Literal, NamedTuple, get_args

import msgspec

Pool = Literal["orders", "invoices", "charges", "notices", "intake"]
POOLS: tuple[Pool, ...] = get_args(Pool)
IDS_MAX: Final = 500  # in one message, of any pool


class Due(msgspec.Struct, frozen=True):
    """These rows of one agency may be due in this pool: ids only, never amounts, for the rows are the truth.

    `again`: some of them were dispatched before, so that the worker counts its tries before it begins.
    """

    pool: Pool
    agency_id: str
    ids: list[str]
    again: bool = False


class Load(NamedTuple):
    """What a pool has to do: messages that wait in its queue, and how many its workers may have in hand at most."""

    waiting: int
    held: int
