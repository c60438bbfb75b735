"""The currencies an amount can be in, and how many decimals each has.

Source: ISO 4217, list one (current currencies and funds), as published on 2026-01-01. Codes without a minor unit
(metals, bond units, the test code, "no currency") are left out: an amount in minor units has no meaning for them.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
