"""Money in integer minor units: exact products, one rounding per line, one per tax rate. No float anywhere."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_BY_EXPONENT: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
        COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
        INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
        MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
        STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

CURRENCIES: Mapping[str, int] = MappingProxyType(
    {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
)


def exponent(code: str) -> int:
    """How many decimals the currency has: 2 for EUR (119.00 is 11900 minor units), 0 for JPY, 3 for KWD.

    Raises ValueError if ``code`` is not a current ISO 4217 code in upper case.
    """
    try:
        return CURRENCIES[code]
    except KeyError:
        raise ValueError(f"{code[:60]!r} is not a current ISO 4217 currency code in upper case") from None


_RATE_DECIMALS = 4
_RATE_STEP = 10_000
_RATE_WHOLE = 100 * _RATE_STEP  # 100 per cent, in ten-thousandths of a per cent


class Split(NamedTuple):
    """An amount taken apart: net + tax = gross, all in minor units."""

    net_minor: int
    tax_minor: int


def divide_half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator, halves away from zero (the commercial rounding of invoices). denominator > 0."""
    quotient, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        quotient += 1
    return quotient if numerator >= 0 else -quotient


def rate_units(rate: str) -> int:
    """A tax rate such as "19" or "7.7" in ten-thousandths of a per cent.

    Raises ValueError for anything but a plain decimal between 0 and 100 with at most four decimals.
    """
    whole, _, fraction = rate.partition(".")
    if not whole.isdecimal() or (fraction and not fraction.isdecimal()) or len(fraction) > _RATE_DECIMALS:
        raise ValueError(f"tax rate {rate[:20]!r} is not a decimal such as '19' or '7.7'")
    units = int(whole) * _RATE_STEP + int(fraction.ljust(_RATE_DECIMALS, "0"))
    if units > _RATE_WHOLE:
        raise ValueError(f"tax rate {rate[:20]!r} is above 100")
    return units


def split_tax(amount_minor: int, rate: str, *, inclusive: bool) -> Split:
    """Net and tax of an amount; `inclusive` says that the tax is inside the amount already. Rounded half-up once."""
    units = rate_units(rate)
    if inclusive:
        net = divide_half_up(amount_minor * _RATE_WHOLE, _RATE_WHOLE + units)
        return Split(net, amount_minor - net)
    return Split(amount_minor, divide_half_up(amount_minor * units, _RATE_WHOLE))


def display(amount_minor: int, currency: str, exponent: int) -> str:
    """`119.00 EUR`: the amount with its decimals, then the currency."""
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
    if exponent == 0:
        return f"{sign}{digits} {currency}"
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]} {currency}"
