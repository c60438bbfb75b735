"""Which codes are currencies, and how many decimals they have. Source of the values: ISO 4217, list one."""

import pytest

from shared.domain.money import CURRENCIES, exponent


@pytest.mark.parametrize(
    ("code", "decimals"),
    [
        *(("EUR", 2), ("USD", 2), ("GBP", 2), ("CHF", 2), ("BRL", 2), ("HUF", 2), ("IDR", 2), ("MGA", 2), ("MRU", 2)),
        *(("JPY", 0), ("KRW", 0), ("CLP", 0), ("ISK", 0), ("VND", 0), ("XOF", 0), ("UGX", 0), ("PYG", 0)),
        *(("KWD", 3), ("BHD", 3), ("JOD", 3), ("TND", 3), ("OMR", 3), ("IQD", 3), ("LYD", 3)),
        *(("CLF", 4), ("UYW", 4)),
        *(("XCG", 2), ("ZWG", 2), ("SLE", 2), ("VED", 2)),  # the youngest codes
    ],
)
def test_decimals_are_those_of_the_standard(code: str, decimals: int) -> None:
    assert exponent(code) == decimals


@pytest.mark.parametrize(
    "code",
    [
        *("eur", "EURO", "EU", "", "€", "EUR ", "ÉUR"),
        *("DEM", "HRK", "BGN", "ANG", "ZWL", "SLL", "CUC"),  # withdrawn
        *("XXX", "XTS", "XAU", "XDR"),  # without a minor unit
    ],
)
def test_what_is_no_current_currency_has_no_decimals(code: str) -> None:
    assert code not in CURRENCIES
    with pytest.raises(ValueError, match="not a current ISO 4217"):
        exponent(code)


def test_the_list_is_whole_and_cannot_be_changed() -> None:
    assert len(CURRENCIES) == 165
    assert sorted(set(CURRENCIES.values())) == [0, 2, 3, 4]
    with pytest.raises(TypeError):
        CURRENCIES["ABC"] = 2  # type: ignore[index]
