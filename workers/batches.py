"""Process a batch of ids: what is free at once, what was locked after one wait, and a bad row alone."""

from collections.abc import Callable, Sequence

import structlog

from shared.billing.halving import TooManyBadRowsError, halved
from shared.error_words import safe_words
from shared.store.database import Store, Transaction
from shared.store.errors import describe

__all__ = ["TooManyBadRowsError", "work"]
log = structlog.get_logger()

Committed = Callable[[], None]
Step = Callable[[Transaction, str, Sequence[str], bool], tuple[Sequence[str], Committed | None]]
"""(tx, agency_id, ids, wait) → the ids that another session had locked, and what to do once this is committed."""
Park = Callable[[Transaction, str, str, str], None]
"""(tx, agency_id, id, what went wrong): leave one bad row behind with its reason."""


def work(store: Store, agency_id: str, ids: Sequence[str], step: Step, park: Park) -> None:
    """Run `step` over a batch, each time in one transaction.

    Ids that another session had locked get one second try that waits, in a transaction of its own that holds nothing yet.
    An error of the data (or a bug), or a limit of size or time, splits the batch down to the bad rows, which are parked: see
    `halved`. Any other error rolls back and is raised: every row stays due.
    """
    left = _attempt(store, agency_id, ids, step, park, wait=False)
    if left:
        _attempt(store, agency_id, left, step, park, wait=True)


def _attempt(store: Store, agency_id: str, ids: Sequence[str], step: Step, park: Park, *, wait: bool) -> list[str]:
    left: list[str] = []

    def attempt(part: Sequence[str]) -> int:
        with store.transaction() as tx:
            locked, committed = step(tx, agency_id, part, wait)
        left.extend(locked)
        if committed is not None:
            committed()
        return len(part) - len(locked)

    def refuse(id_: str, error: Exception) -> None:
        log.error("row.parked", agency_id=agency_id, id=id_, error=safe_words(error))
        with store.transaction() as tx:
            park(tx, agency_id, id_, describe(error))

    halved(f"rows of {agency_id}", list(ids), attempt, refuse)
    return left
