"""Amounts as each provider writes them: every special case, and refusal where an amount would have to be rounded."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import CURRENCIES, exponent
from shared.gateways.amounts import (
    STRIPE_LARGEST,
    UnpayableAmountError,
    paypal_minor,
    paypal_value,
    stripe_amount,
)


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (11900, "EUR", 11900),
        (500, "JPY", 500),
        (12300, "MGA", 123),  # zero-decimal at Stripe, two decimals in ISO 4217
        (500, "ISK", 50000),  # no decimals in ISO 4217, sent times 100
        (500, "UGX", 50000),
        (50000, "HUF", 50000),
        (50000, "TWD", 50000),
        (1230, "KWD", 1230),
        (50, "USD", 50),
        (30, "GBP", 30),
    ],
)
def test_what_stripe_is_sent(minor: int, currency: str, expected: int) -> None:
    assert stripe_amount(minor, currency) == expected


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        (0, "EUR", "amount_too_small"),
        (-5, "EUR", "amount_too_small"),
        (49, "USD", "amount_too_small"),
        (29, "GBP", "amount_too_small"),
        (12345, "MGA", "amount_not_payable"),
        (1234, "KWD", "amount_not_payable"),
        (STRIPE_LARGEST + 1, "USD", "amount_too_large"),
        (100, "CLF", "currency_not_supported"),
    ],
)
def test_what_stripe_can_not_take_is_refused_before_it_is_sent(minor: int, currency: str, code: str) -> None:
    with pytest.raises(UnpayableAmountError) as refused:
        stripe_amount(minor, currency)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (11900, "EUR", "119.00"),
        (5, "USD", "0.05"),
        (500, "JPY", "500"),
        (50000, "HUF", "500"),  # two decimals in ISO 4217, none at PayPal
        (50000, "TWD", "500"),
        (123456789, "CHF", "1234567.89"),
    ],
)
def test_what_paypal_is_sent(minor: int, currency: str, expected: str) -> None:
    assert paypal_value(minor, currency) == expected
    assert paypal_minor(expected, currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        (50050, "HUF", "amount_not_payable"),
        (100, "AED", "currency_not_supported"),
        (0, "EUR", "amount_too_small"),
    ],
)
def test_what_paypal_can_not_take_is_refused_before_it_is_sent(minor: int, currency: str, code: str) -> None:
    with pytest.raises(UnpayableAmountError) as refused:
        paypal_value(minor, currency)
    assert refused.value.code == code


@given(st.integers(1, 10**12), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_is_sent_exactly_or_not_at_all(minor: int, currency: str) -> None:
    """What either provider would take is worth the same to the last unit."""
    with suppress(UnpayableAmountError):
        assert paypal_minor(paypal_value(minor, currency), currency) == minor
    try:
        sent = stripe_amount(minor, currency)
    except UnpayableAmountError:
        return
    decimals = {"MGA": 0, "ISK": 2, "UGX": 2}.get(currency, exponent(currency))
    assert sent * 10 ** exponent(currency) == minor * 10**decimals
    assert 0 < sent <= STRIPE_LARGEST


def test_an_amount_of_paypals_with_a_fraction_of_a_unit_is_no_amount() -> None:
    with pytest.raises(UnpayableAmountError):
        paypal_minor("1.005", "EUR")
