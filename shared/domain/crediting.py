"""What a refund takes back of an invoice: how much of it is surplus, and the net and tax of the rest."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class CreditedTax(NamedTuple):
    """What is taken back of one rate."""

    name: str | None
    rate: str
    net_minor: int
    tax_minor: int


class Credit(NamedTuple):
    """A credit note's sums: total = subtotal + tax."""

    taxes: tuple[CreditedTax, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int


def to_credit(gone_minor: int, surplus_minor: int, credited: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    """How much of what went back is still to be credited: what was paid too much goes back first, and takes back nothing.

    `gone_minor`: all that went back. `credited`: the sums by rate of the notes there are.
    """
    before = sum(int(rate[name]) for note in credited for rate in note for name in ("net_minor", "tax_minor"))
    return max(0, gone_minor - surplus_minor - before)


def credit(
    taxes: Sequence[Mapping[str, Any]], before: Sequence[Sequence[Mapping[str, Any]]], amount_minor: int
) -> Credit:
    """The part of an invoice that `amount_minor` is, with tax. `before`: the sums by rate of the notes it has already.

    Each note takes its share of what the earlier ones have left, so that notes over the whole of an invoice add up to it to the
    last unit, whatever their parts. Raises ValueError for more than is left of the invoice.
    """
    left = [
        int(each[name]) - sum(int(note[index][name]) for note in before)
        for index, each in enumerate(taxes)
        for name in ("net_minor", "tax_minor")
    ]
    if not 0 < amount_minor <= sum(left):
        raise ValueError(f"{amount_minor} can't be credited where {sum(left)} is left")
    shares = _shares(left, amount_minor)
    credited = tuple(
        CreditedTax(each.get("name"), str(each["rate"]), shares[2 * index], shares[2 * index + 1])
        for index, each in enumerate(taxes)
    )
    net = sum(each.net_minor for each in credited)
    return Credit(credited, net, amount_minor - net, amount_minor)


def _shares(parts: Sequence[int], amount: int) -> list[int]:
    """`amount` over the parts in proportion, exact in sum: the running total is cut, never each part on its own."""
    total = sum(parts)
    shares: list[int] = []
    running = given = 0
    for part in parts:
        running += part
        upto = (2 * amount * running + total) // (2 * total)
        shares.append(upto - given)
        given = upto
    return shares
