"""How much of payments is gone, and of which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.reversed_payments import gone_twice, shares, total_taken


@pytest.mark.parametrize(
    ("said", "takeable", "total"),
    [
        ({}, 100, 0),
        ({("dispute", "a"): 40}, 100, 40),
        ({("dispute", "a"): 40, ("dispute", "b"): 30}, 100, 70),
        ({("dispute", "a"): 40, ("reversal", "r"): 40}, 100, 40),
        ({("dispute", "a"): 40, ("reversal", "r"): 60}, 100, 60),
        ({("reversal", "r"): 60, ("by_hand", "b"): 60}, 100, 60),
        ({("dispute", "a"): 0}, 100, 0),
        ({("dispute", "a"): 120}, 100, 100),
        ({("dispute", "a"): 120}, -5, 0),
    ],
)
def test_views_of_the_same_money_count_once(said: dict[tuple[str, str], int], takeable: int, total: int) -> None:
    """Two disputes add up; a dispute and the reversal that carries it out do not; never more than refunds have left."""
    assert total_taken(said, takeable) == total


@pytest.mark.parametrize(
    ("total", "takeable", "taken", "moves"),
    [
        (100, [100], [0], [100]),
        (100, [60, 80], [0, 0], [60, 40]),
        (140, [60, 80], [60, 40], [0, 40]),
        (50, [60, 80], [60, 40], [-10, -40]),
        (0, [60, 80], [60, 40], [-60, -40]),
        (30, [60], [30], [0]),
    ],
)
def test_what_moves_of_each_payment_under_one_reference(
    total: int, takeable: list[int], taken: list[int], moves: list[int]
) -> None:
    """One transfer paid several invoices: the first is taken first, and comes back last."""
    assert shares(total, takeable, taken) == moves


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=5), st.integers(0, 3000))
def test_nothing_is_taken_or_comes_back_beyond_what_there_is(of: list[tuple[int, int]], wanted: int) -> None:
    takeable = [max(each) for each in of]
    taken = [min(each) for each in of]
    moves = shares(min(wanted, sum(takeable)), takeable, taken)
    after = [had + moved for had, moved in zip(taken, moves, strict=True)]
    assert all(0 <= each <= most for each, most in zip(after, takeable, strict=True))
    assert sum(after) == min(wanted, sum(takeable))


@pytest.mark.parametrize(
    ("said", "refunded", "twice"),
    [({}, 100, 0), ({("dispute", "a"): 100}, 0, 0), ({("dispute", "a"): 100}, 30, 30), ({("dispute", "a"): 60}, 30, 0)],
)
def test_what_was_refunded_before_is_gone_twice(said: dict[tuple[str, str], int], refunded: int, twice: int) -> None:
    assert gone_twice(said, 100, refunded) == twice
