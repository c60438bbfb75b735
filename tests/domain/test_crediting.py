"""What a refund takes back: surplus first, then the invoice, rate by rate, to the last unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.crediting import CreditedTax, credit, to_credit

TWO_RATES = [
    {"name": "VAT", "rate": "19", "net_minor": 10000, "tax_minor": 1900},
    {"name": "VAT", "rate": "7", "net_minor": 5000, "tax_minor": 350},
]


@pytest.mark.parametrize(
    ("amount", "surplus", "refunded", "beyond"),
    [(100, 0, 0, 100), (100, 100, 0, 0), (100, 30, 0, 70), (100, 30, 20, 90), (100, 30, 50, 100), (10, 30, 10, 0)],
)
def test_a_surplus_goes_back_first(amount: int, surplus: int, refunded: int, beyond: int) -> None:
    """`refunded` went back before, and what of it was no surplus has its credit notes."""
    notes = [[{"net_minor": max(0, refunded - surplus), "tax_minor": 0}]]
    assert to_credit(refunded + amount, surplus, notes) == beyond


def test_what_was_sent_back_by_the_bank_is_credited_once() -> None:
    """100 were credited, came back, and are given back again: nothing is left to credit. A tax counts like its net amount."""
    assert to_credit(100, 0, [[{"net_minor": 84, "tax_minor": 16}]]) == 0
    assert to_credit(130, 0, [[{"net_minor": 84, "tax_minor": 16}]]) == 30


def test_all_of_an_invoice_takes_back_its_own_sums() -> None:
    assert credit(TWO_RATES, [], 17250) == (
        (CreditedTax("VAT", "19", 10000, 1900), CreditedTax("VAT", "7", 5000, 350)),
        15000,
        2250,
        17250,
    )


def test_a_part_takes_its_share_of_net_and_tax() -> None:
    half = credit(TWO_RATES[:1], [], 5950)
    assert half == ((CreditedTax("VAT", "19", 5000, 950),), 5000, 950, 5950)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**8)), min_size=1, max_size=4),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
)
def test_notes_over_the_whole_add_up_to_it(rates: list[tuple[int, int]], parts: list[int]) -> None:
    """However an invoice is given back, in the end each net and each tax is taken back exactly, and never below zero."""
    taxes = [{"name": None, "rate": str(i), "net_minor": net, "tax_minor": tax} for i, (net, tax) in enumerate(rates)]
    total = sum(net + tax for net, tax in rates)
    notes, before = [], 0
    for part in [*parts, total]:
        amount = min(part, total - before)
        if amount:
            notes.append(credit(taxes, [[tax._asdict() for tax in note.taxes] for note in notes], amount))
            before += amount
    for index, (net, tax) in enumerate(rates):
        assert sum(note.taxes[index].net_minor for note in notes) == (net if total else 0)
        assert sum(note.taxes[index].tax_minor for note in notes) == (tax if total else 0)
    for note in notes:
        assert note.total_minor == note.subtotal_minor + note.tax_minor
        assert note.tax_minor == sum(each.tax_minor for each in note.taxes)
        assert all(each.net_minor >= 0 and each.tax_minor >= 0 for each in note.taxes)


@pytest.mark.parametrize("amount", [17251, 0, -1])
def test_more_than_is_left_is_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="can't be credited"):
        credit(TWO_RATES, [], amount)


def test_nothing_is_left_after_the_whole() -> None:
    whole = credit(TWO_RATES, [], 17250)
    with pytest.raises(ValueError, match="0 is left"):
        credit(TWO_RATES, [[each._asdict() for each in whole.taxes]], 1)
