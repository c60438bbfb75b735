"""What breaks a batch is found by halving it: until a single row is left, which is refused with words.

See docs/decisions/0025-batches-are-bounded.md.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import structlog

from shared.error_words import safe_words
from shared.store.errors import is_data_error, limit_of

BAD_ROWS_MAX: Final = 3
log = structlog.get_logger()
T = TypeVar("T")

Attempt = Callable[[Sequence[T]], int]
"""Do a part, in a transaction of its own. Returns how many of its rows were done."""
Refuse = Callable[[T, Exception], None]
"""Leave one bad row behind with what went wrong."""


class TooManyBadRowsError(Exception):
    """Splitting a batch found several bad rows and not one good one: likely a bug, not data. What is left stays due."""


def halved(what: str, rows: Sequence[T], attempt: Attempt[T], refuse: Refuse[T], *, in_order: bool = False) -> None:
    """Do all of `rows`; a part that fails by its data (or a bug), or hits a limit, is split.

    A row that hits a limit of size alone is refused; one that takes too long, only if the database did others meanwhile, for
    else nobody knows whose fault it is: then the limit's error is raised and every row left stays due. So it is after three
    that took too long, for each costs a whole timeout. Any other error is raised. Parts that failed by their data come
    last, so that the good rows beside them are done before, unless they must stay `in_order`. Raises
    TooManyBadRowsError after the third bad row if no row could be done.
    """
    search = _Search(what, attempt, refuse, in_order=in_order)
    search.parts.append(rows)
    while search.parts:
        search.step()
    search.end()


class _Search(Generic[T]):
    def __init__(self, what: str, attempt: Attempt[T], refuse: Refuse[T], *, in_order: bool) -> None:
        self._what, self._attempt, self._refuse, self._in_order = what, attempt, refuse, in_order
        self.parts: deque[Sequence[T]] = deque()
        self._slow: list[tuple[T, Exception]] = []
        self._bad = self._good = 0

    def step(self) -> None:
        part = self.parts.popleft()
        try:
            self._good += self._attempt(part)
        except Exception as error:
            limit = limit_of(error)
            if limit is None and not is_data_error(error):
                raise
            if len(part) > 1:
                self._split(part, error, last=limit is None and not self._in_order)
            elif limit == "time":
                self._put_off(part[0], error)
            else:
                self._give_up(part[0], error, is_limit=limit is not None)

    def _split(self, part: Sequence[T], error: Exception, *, last: bool) -> None:
        log.warning("batch.halved", what=self._what, rows=len(part), error=safe_words(error))
        halves = part[: len(part) // 2], part[len(part) // 2 :]
        if last:
            self.parts.extend(halves)
        else:
            self.parts.extendleft(reversed(halves))

    def _put_off(self, row: T, error: Exception) -> None:
        """It took too long. Without any success beside it two are enough to see that it is not the row."""
        self._slow.append((row, error))
        if len(self._slow) >= (BAD_ROWS_MAX if self._good else 2):
            self.end()
            raise error

    def end(self) -> None:
        """Refuse those that took too long while others did not."""
        if self._slow and not self._good:
            raise self._slow[0][1]
        slow, self._slow = self._slow, []
        for row, error in slow:
            self._refuse(row, error)

    def _give_up(self, row: T, error: Exception, *, is_limit: bool) -> None:
        self._refuse(row, error)
        self._bad += not is_limit
        if self._bad >= BAD_ROWS_MAX and not self._good and self.parts:
            words = f"{self._bad} bad rows in one batch ({self._what}), the last: {safe_words(error)}"
            raise TooManyBadRowsError(words) from error
