"""Numbers of our own series: gapless, in order, and never one that a document carries already."""

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from shared.store import numbers
from shared.store.transaction import Tx

INVOICE: Final = "invoice"
CREDIT_NOTE: Final = "credit_note"


class Numbers(NamedTuple):
    """Sequences in order; `last_issued_on`: the date of issue may not be before it."""

    sequences: list[int]
    last_issued_on: date | None


def take(
    tx: Tx, agency_id: str, kind: str, printed: Callable[[int], str], count: int, issued_on: date | None
) -> Numbers:
    """Take the next `count` free numbers of a series, which stays locked until the transaction ends.

    `printed`: how a sequence is printed. A number that upstream gave to an invoice is stepped over, and that is kept.
    """
    sequences: list[int] = []
    last: date | None = None
    while len(sequences) < count:
        missing = count - len(sequences)
        first, last = numbers.take(tx, agency_id, kind, missing, issued_on)
        candidates = {sequence: printed(sequence) for sequence in range(first, first + missing)}
        taken = numbers.taken(tx, agency_id, candidates)
        numbers.skip(tx, agency_id, kind, {sequence: candidates[sequence] for sequence in sorted(taken)})
        sequences += [sequence for sequence in candidates if sequence not in taken]
    return Numbers(sequences, last)


def hold(tx: Tx, agency_id: str) -> None:
    """Lock the series of invoices: nobody takes a number of it, and nobody gives one, until the transaction ends."""
    numbers.take(tx, agency_id, INVOICE, 0, None)
