"""Amounts as each provider writes them. ISO 4217 alone does not say: every provider has special cases. Refuse, never round.

Sources: docs.stripe.com/currencies ("Zero-decimal currencies", "Special cases", "Minimum and maximum charge amounts") and
developer.paypal.com/docs/api/reference/currency-codes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from shared.domain.money import exponent

# Stripe's exponent where it differs from ISO 4217's. HUF and TWD are charged with two decimals by both.
_STRIPE_EXPONENT: Final[Mapping[str, int]] = {"MGA": 0, "ISK": 2, "UGX": 2}
_STRIPE_TENS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})  # three decimals, of which the last must be 0
_STRIPE_UNSUPPORTED: Final = frozenset({"CLF", "UYW", "UYI", "IQD", "LYD"})
STRIPE_LARGEST: Final = 99_999_999  # eight digits
# The smallest charge in the currency's own unit; what is not listed is left to Stripe to refuse.
_STRIPE_SMALLEST: Final[Mapping[str, int]] = {
    **dict.fromkeys(["USD", "EUR", "CAD", "AUD", "CHF", "NZD", "SGD", "BRL", "INR"], 50),
    "GBP": 30,
    "JPY": 50,
    "DKK": 250,
    "NOK": 300,
    "SEK": 300,
    "HKD": 400,
    "MXN": 1000,
    "MYR": 200,
    "PLN": 200,
    "AED": 200,
    "CZK": 1500,
    "HUF": 17500,
    "THB": 1000,
}
_PAYPAL_WHOLE: Final = frozenset({"HUF", "JPY", "TWD"})  # a fraction is an error: DECIMALS_NOT_SUPPORTED
_PAYPAL: Final = frozenset(
    {
        *("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS"),
        *("JPY", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD"),
    }
)


class UnpayableAmountError(ValueError):
    """The provider can't take this amount; `code` is a word for the row, the text what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def stripe_amount(amount_minor: int, currency: str, *, back: bool = False) -> int:
    """The integer Stripe wants for an amount in ISO minor units. Raises UnpayableAmountError.

    `back`: money that is given back may be as little as one unit.
    """
    _above_zero(amount_minor)
    if currency in _STRIPE_UNSUPPORTED:
        raise UnpayableAmountError("currency_not_supported", f"Stripe does not take {currency}")
    amount = _rescaled(amount_minor, exponent(currency), _STRIPE_EXPONENT.get(currency, exponent(currency)), currency)
    if currency in _STRIPE_TENS and amount % 10:
        raise UnpayableAmountError("amount_not_payable", f"Stripe takes {currency} in steps of ten minor units")
    if not back and amount < _STRIPE_SMALLEST.get(currency, 1):
        smallest = _STRIPE_SMALLEST[currency]
        raise UnpayableAmountError("amount_too_small", f"Stripe takes {currency} from {smallest} on, this is {amount}")
    if amount > STRIPE_LARGEST:
        raise UnpayableAmountError("amount_too_large", f"Stripe takes eight digits, this is {amount}")
    return amount


def paypal_value(amount_minor: int, currency: str) -> str:
    """The decimal text PayPal wants for an amount in ISO minor units. Raises UnpayableAmountError."""
    _above_zero(amount_minor)
    if currency not in _PAYPAL:
        raise UnpayableAmountError("currency_not_supported", f"PayPal does not take {currency}")
    decimals = 0 if currency in _PAYPAL_WHOLE else 2
    amount = _rescaled(amount_minor, exponent(currency), decimals, currency)
    return f"{Decimal(amount).scaleb(-decimals):f}"


def stripe_minor(amount: int, currency: str) -> int:
    """The ISO minor units of an amount as Stripe writes it. Raises UnpayableAmountError for one that has none."""
    return _rescaled(amount, _STRIPE_EXPONENT.get(currency, exponent(currency)), exponent(currency), currency)


def paypal_minor(value: str, currency: str) -> int:
    """The ISO minor units of an amount as PayPal writes it. Raises UnpayableAmountError for one that has none."""
    scaled = Decimal(value).scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise UnpayableAmountError("amount_not_payable", f"{value} {currency} is no whole number of minor units")
    return int(scaled)


def _above_zero(amount_minor: int) -> None:
    if amount_minor <= 0:
        raise UnpayableAmountError("amount_too_small", f"there is nothing to collect: {amount_minor}")


def _rescaled(amount_minor: int, decimals: int, wanted: int, currency: str) -> int:
    """The amount with other decimals; refused if it would have to be rounded."""
    if wanted >= decimals:
        return amount_minor * int(10 ** (wanted - decimals))
    whole, rest = divmod(amount_minor, int(10 ** (decimals - wanted)))
    if rest:
        raise UnpayableAmountError(
            "amount_not_payable", f"{currency} is collected without that fraction: {amount_minor}"
        )
    return whole
