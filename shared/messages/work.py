"""What the scheduler tells the pools."""

from typing import Literal

import msgspec

Pool = Literal["orders", "invoices", "charges", "notices", "intake"]


class Due(msgspec.Struct, frozen=True):
    """These rows of one agency may be due in this pool: ids only, never amounts, for the rows are the truth.

    `again`: some of them were rung before, so that the worker counts its tries before it begins.
    """

    pool: Pool
    agency_id: str
    ids: list[str]
    again: bool = False
