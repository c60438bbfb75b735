"""Numbers of our own series: gapless, in order, and never one that a document carries already."""

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from shared.domain.keys import may_be_of_credit_note
from shared.store import numbers
from shared.store.database import Transaction

INVOICE: Final = numbers.INVOICE
CREDIT_NOTE: Final = numbers.CREDIT_NOTE


class Numbers(NamedTuple):
    """Sequences in order; `last_issued_on`: the date of issue may not be before it."""

    sequences: list[int]
    last_issued_on: date | None


def take(
    tx: Transaction, agency_id: str, kind: str, *, printed: Callable[[int], str], count: int, issued_on: date | None
) -> Numbers:
    """Take the next `count` free numbers of a series, which stays locked until the transaction ends.

    `printed`: how a sequence is printed. A number that another document has is stepped over, and that is kept. Where an
    invoice may get a number like a credit note's, both series are locked.
    """
    if kind == INVOICE and may_be_of_credit_note(printed(1)):
        hold(tx, agency_id)
    sequences: list[int] = []
    last: date | None = None
    while len(sequences) < count:
        missing = count - len(sequences)
        first, last = numbers.take(tx, agency_id, kind, missing, issued_on)
        candidates = {sequence: printed(sequence) for sequence in range(first, first + missing)}
        taken = numbers.taken(tx, agency_id, kind, candidates)
        numbers.skip(tx, agency_id, kind, {sequence: candidates[sequence] for sequence in sorted(taken)})
        sequences += [sequence for sequence in candidates if sequence not in taken]
    return Numbers(sequences, last)


def hold(tx: Transaction, agency_id: str) -> None:
    """Lock both series: nobody takes a number of them, and nobody gives one, until the transaction ends."""
    for kind in (INVOICE, CREDIT_NOTE):
        numbers.take(tx, agency_id, kind, 0, None)
