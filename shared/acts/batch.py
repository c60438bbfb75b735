"""Work off a batch of ids: what is free at once, what was locked after one wait, and a bad row alone."""

from collections import deque
from collections.abc import Callable, Sequence

import structlog

from shared.error_words import safe_words
from shared.store.errors import describe, is_data_error
from shared.store.transaction import Store, Tx

BAD_ROWS_MAX = 3
log = structlog.get_logger()

Committed = Callable[[], None]
Step = Callable[[Tx, str, Sequence[str], bool], tuple[Sequence[str], Committed | None]]
"""(tx, agency_id, ids, wait) → the ids that another session had locked, and what to do once this is committed."""
Park = Callable[[Tx, str, str, str], None]
"""(tx, agency_id, id, what went wrong): leave one bad row behind with its reason."""


class TooManyBadRowsError(Exception):
    """Splitting a batch found several bad rows and not one good one: likely a bug, not data. What is left stays due."""


def work(store: Store, agency_id: str, ids: Sequence[str], step: Step, park: Park) -> None:
    """Run `step` over a batch, each time in one transaction.

    Ids that another session had locked get one second try that waits, in a transaction of its own that holds nothing yet.
    An error of the data (or a bug) splits the batch down to the bad rows, which are parked; the larger parts go first, so that
    the good rows beside them are done before. Any other error rolls back and is raised: every row stays due. Raises
    TooManyBadRowsError after the third bad row if no row of the batch could be done.
    """
    left = _attempt(store, agency_id, ids, step, park, wait=False)
    if left:
        _attempt(store, agency_id, left, step, park, wait=True)


def _attempt(store: Store, agency_id: str, ids: Sequence[str], step: Step, park: Park, *, wait: bool) -> list[str]:
    left: list[str] = []
    bad = good = 0
    halves = deque([list(ids)])
    while halves:
        part = halves.popleft()
        try:
            with store.transaction() as tx:
                locked, committed = step(tx, agency_id, part, wait)
            left += locked
            good += len(part) - len(locked)
            if committed is not None:
                committed()
        except Exception as error:
            if not is_data_error(error):
                raise
            if len(part) > 1:
                middle = len(part) // 2
                halves += [part[:middle], part[middle:]]
                continue
            log.error("row.parked", agency_id=agency_id, id=part[0], error=safe_words(error))
            _park(store, agency_id, part[0], describe(error), park)
            bad += 1
            if bad >= BAD_ROWS_MAX and not good and halves:
                what = f"{bad} bad rows in one batch of {agency_id}, the last: {safe_words(error)}"
                raise TooManyBadRowsError(what) from error
    return left


def _park(store: Store, agency_id: str, id_: str, what: str, park: Park) -> None:
    with store.transaction() as tx:
        park(tx, agency_id, id_, what)
