"""What breaks a batch is found by halving it: the good rows are done, a bad one is refused, and a bad moment refuses nobody."""

from collections.abc import Callable, Sequence

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from shared.billing.halving import TooManyBadRowsError, halved
from shared.store.errors import limit_of
from tests.limits import timed_out, too_large


class Work:
    """Rows that are numbers; `breaks` raises what a part meets."""

    def __init__(self, breaks: Callable[[Sequence[int]], None]) -> None:
        self._breaks = breaks
        self.done: list[int] = []
        self.refused: list[int] = []
        self.attempts = 0

    def __call__(self, rows: Sequence[int], *, in_order: bool = False) -> None:
        halved("test", rows, self._attempt, lambda row, _error: self.refused.append(row), in_order=in_order)

    def _attempt(self, part: Sequence[int]) -> int:
        self.attempts += 1
        self._breaks(part)
        self.done += part
        return len(part)


def fails(error: Callable[[], Exception], when: Callable[[Sequence[int]], bool]) -> Callable[[Sequence[int]], None]:
    def breaks(part: Sequence[int]) -> None:
        if when(part):
            raise error()

    return breaks


@pytest.mark.parametrize("error", [timed_out, too_large, MemoryError], ids=["time", "size", "memory"])
def test_what_is_too_much_at_once_is_done_in_parts(error: Callable[[], Exception]) -> None:
    work = Work(fails(error, lambda part: len(part) > 30))
    work(range(500))
    assert work.done == list(range(500))
    assert work.refused == []


@pytest.mark.parametrize(
    "error", [timed_out, too_large, MemoryError, ValueError], ids=["time", "size", "memory", "data"]
)
@pytest.mark.parametrize("bad", [0, 17, 499])
def test_one_row_that_can_not_be_done_is_refused_and_no_other(error: Callable[[], Exception], bad: int) -> None:
    work = Work(fails(error, lambda part: bad in part))
    work(range(500))
    assert sorted([*work.done, bad]) == list(range(500))
    assert work.refused == [bad]
    assert work.attempts <= 20


def test_a_database_that_does_nothing_in_time_refuses_no_row() -> None:
    """An overload is no fault of a row; and it is given up after a dozen timeouts, not after a thousand."""
    work = Work(fails(timed_out, lambda _part: True))
    with pytest.raises(OperationalError):
        work(range(500))
    assert (work.done, work.refused) == ([], [])
    assert work.attempts <= 11


def test_a_row_that_takes_too_long_even_alone_stays_due() -> None:
    """Nobody knows whose fault it is."""
    work = Work(fails(timed_out, lambda _part: True))
    with pytest.raises(OperationalError):
        work([1])
    assert work.refused == []


def test_after_three_slow_rows_the_others_wait_for_the_next_message() -> None:
    """Each costs a whole timeout. Those three are refused, so the next message comes further."""
    work = Work(fails(timed_out, lambda part: any(row % 10 == 9 for row in part)))
    with pytest.raises(OperationalError):
        work(range(64))
    assert work.refused == [9, 19, 29]
    assert set(range(29)) - {9, 19} <= set(work.done)


def test_rows_that_are_all_too_large_are_all_refused() -> None:
    """Size is a row's own: a queue of such messages must not stand still."""
    work = Work(fails(too_large, lambda _part: True))
    work(range(8))
    assert sorted(work.refused) == list(range(8))


def test_three_bad_rows_and_no_good_one_are_a_bug() -> None:
    work = Work(fails(ValueError, lambda _part: True))
    with pytest.raises(TooManyBadRowsError):
        work(range(8))
    assert len(work.refused) == 3


def test_rows_that_must_stay_in_order_do() -> None:
    work = Work(fails(ValueError, lambda part: 5 in part))
    work(range(16), in_order=True)
    assert work.done == [each for each in range(16) if each != 5]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("…", {}, psycopg.errors.QueryCanceled("canceling statement due to user request")),
        OperationalError("…", {}, psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")),
        OperationalError("…", {}, psycopg.errors.AdminShutdown("terminating connection")),
        OSError("gone"),
    ],
    ids=["cancelled", "locked", "shutdown", "broker"],
)
def test_errors_of_the_moment_split_nothing(error: Exception) -> None:
    assert limit_of(error) is None
    work = Work(fails(lambda: error, lambda _part: True))
    with pytest.raises(type(error)):
        work(range(8))
    assert work.attempts == 1
