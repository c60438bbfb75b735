"""How much of payments a provider has taken back, from everything that it says about them."""

from collections.abc import Mapping, Sequence


def said_gone(said: Mapping[tuple[str, str], int]) -> int:
    """What is gone of a payment, as far as is known. `said`: what is said to be gone, by (kind, the provider's id).

    A dispute and the transaction that carries it out are two views of the same money, told by ids that do not name each other:
    those of one kind add up, and of the kinds the greatest counts.
    """
    by_kind: dict[str, int] = {}
    for (kind, _), amount in said.items():
        by_kind[kind] = by_kind.get(kind, 0) + amount
    return max(by_kind.values(), default=0)


def total_taken(said: Mapping[tuple[str, str], int], takeable_minor: int) -> int:
    """What of it counts against an invoice: never more than `takeable_minor`, what refunds have left."""
    return min(said_gone(said), max(0, takeable_minor))


def gone_twice(said: Mapping[tuple[str, str], int], paid_minor: int, refunded_minor: int) -> int:
    """What was given back by refunds, and is gone of the same payment all the same."""
    return max(0, min(said_gone(said), paid_minor) - (paid_minor - refunded_minor))


def shares(total_minor: int, takeable: Sequence[int], taken: Sequence[int]) -> list[int]:
    """What has to move of each payment under one reference, so that together `total_minor` of them is gone.

    More is taken from the first that have something left, less comes back to the last first. Below 0: comes back.
    """
    left = total_minor - sum(taken)
    moves = [0] * len(taken)
    order = range(len(taken)) if left > 0 else reversed(range(len(taken)))
    for index in order:
        if left > 0:
            moves[index] = max(0, min(left, takeable[index] - taken[index]))
        else:
            moves[index] = -min(-left, max(0, taken[index]))
        left -= moves[index]
    return moves
