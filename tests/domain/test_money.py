"""Money is exact: one rounding per line, half away from zero, and nothing lost between net, tax and gross."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Split, display, divide_half_up, exponent, rate_units, split_tax

amounts = st.integers(-(10**15), 10**15)
rates = st.builds(
    lambda whole, fraction: f"{whole}.{fraction}" if fraction else str(whole),
    st.integers(0, 99),
    st.text("0123456789", max_size=4),
)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 10, 1), (4, 10, 0), (15, 10, 2), (25, 10, 3), (-5, 10, -1), (-4, 10, 0), (-15, 10, -2), (1, 3, 0), (2, 3, 1)],
)
def test_halves_go_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert divide_half_up(numerator, denominator) == rounded


@pytest.mark.parametrize(
    ("amount", "rate", "inclusive", "net", "tax"),
    [
        (10000, "19", False, 10000, 1900),
        (150000, "19", False, 150000, 28500),
        (11900, "19", True, 10000, 1900),
        (10000, "19", True, 8403, 1597),  # 8403.36… + 1596.64…
        (50, "1", False, 50, 1),  # 0.5 goes up
        (49, "1", False, 49, 0),
        (250, "7.7", False, 250, 19),  # 19.25
        (1000, "7.7", True, 929, 71),  # 928.505…
        (9999, "8.875", False, 9999, 887),  # 887.41125
        (3, "50", True, 2, 1),
        (1999, "100", True, 1000, 999),  # 999.5 net goes up
        (12345, "0", True, 12345, 0),
        (0, "19", False, 0, 0),
        (-10000, "19", True, -8403, -1597),
        (10**12 * 10**6, "19", False, 10**18, 19 * 10**16),  # the highest price times the highest quantity
    ],
)
def test_net_and_tax(amount: int, rate: str, inclusive: bool, net: int, tax: int) -> None:
    assert split_tax(amount, rate, inclusive=inclusive) == Split(net, tax)


@given(amounts, rates)
def test_an_inclusive_price_is_never_changed_by_its_tax(amount: int, rate: str) -> None:
    """Net and tax of an inclusive amount are exactly that amount again."""
    net, tax = split_tax(amount, rate, inclusive=True)
    assert net + tax == amount


@given(amounts, rates)
def test_an_exclusive_price_is_its_own_net(amount: int, rate: str) -> None:
    """The tax comes on top, within half a minor unit of the exact product."""
    net, tax = split_tax(amount, rate, inclusive=False)
    assert net == amount
    assert abs(Fraction(amount) * Fraction(rate) / 100 - tax) <= Fraction(1, 2)


@given(amounts, rates)
def test_taking_tax_out_of_what_it_was_put_on_gives_the_net_back(amount: int, rate: str) -> None:
    """Exclusive to gross and back again ends at the same net, whatever the rate."""
    net, tax = split_tax(amount, rate, inclusive=False)
    assert split_tax(net + tax, rate, inclusive=True) == (net, tax)


@given(st.integers(0, 10**15), rates)
def test_net_and_tax_have_the_sign_of_the_amount(amount: int, rate: str) -> None:
    for inclusive in (True, False):
        net, tax = split_tax(amount, rate, inclusive=inclusive)
        assert net >= 0
        assert tax >= 0


@pytest.mark.parametrize(
    ("rate", "units"), [("0", 0), ("19", 190000), ("7.7", 77000), ("8.8750", 88750), ("0.0001", 1), ("100", 1000000)]
)
def test_a_rate_is_read_exactly(rate: str, units: int) -> None:
    assert rate_units(rate) == units


@pytest.mark.parametrize(
    "rate", ["", "-1", "+19", "19%", "19,0", ".5", "1e1", "19.00001", "100.0001", "101", " 19", "x"]
)
def test_anything_but_a_plain_decimal_up_to_100_is_no_rate(rate: str) -> None:
    with pytest.raises(ValueError, match="tax rate"):
        rate_units(rate)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (11900, "EUR", "119.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1500, "JPY", "1500 JPY"),
        (0, "JPY", "0 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (7, "KWD", "0.007 KWD"),
        (15, "CLF", "0.0015 CLF"),
    ],
)
def test_an_amount_is_shown_with_its_currencys_decimals(amount: int, currency: str, shown: str) -> None:
    assert display(amount, currency, exponent(currency)) == shown


def test_a_code_that_is_no_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        exponent("eur")
