"""Building blocks of texts: instants in the agency's zone, money, and invoices by their printed number."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from shared.domain.calendar import local_date, local_time_of
from shared.domain.money import display, exponent
from shared.store.history import Known

Data = Mapping[str, Any]


class Words(NamedTuple):
    """`zone` is the agency's, `numbers` and `currencies` are by invoice id."""

    zone: str
    numbers: Mapping[str, str]
    currencies: Mapping[str, str]

    def when(self, at: datetime | str) -> str:
        """`2026-06-01 08:00` where the agency is."""
        instant = datetime.fromisoformat(at) if isinstance(at, str) else at
        return f"{local_date(instant, self.zone)} {local_time_of(instant, self.zone):%H:%M}"

    def day(self, at: datetime | str) -> str:
        """The day there."""
        return self.when(at)[:10]

    def invoice(self, data: Data) -> str:
        """`invoice NL-00001`, or by its id if it has no number."""
        id_ = data.get("invoice_id") or "?"
        return f"invoice {data.get('number') or self.numbers.get(id_) or id_}"

    def money(self, data: Data, name: str = "amount_minor") -> str:
        """An amount with its currency, from the same row or its invoice."""
        currency = data.get("currency") or self.currencies.get(data.get("invoice_id") or "", "")
        return amount(data[name], currency)


def words_of(known: Known) -> Words:
    """The words of one subscription."""
    return Words(
        known.agency["timezone"],
        {row["invoice_id"]: row["number"] for row in known.invoices if row["number"]},
        {row["invoice_id"]: row["currency"] for row in known.invoices},
    )


def amount(minor: int, currency: str) -> str:
    """`119.00 EUR`; minor units where the currency is unknown."""
    try:
        return display(minor, currency, exponent(currency))
    except (KeyError, ValueError, LookupError):
        return f"{minor} {currency} (minor units)".replace("  ", " ")


def period(starts_on: date | str, ends_on: date | str) -> str:
    """The first and the last day of a half-open period."""
    last = date.fromisoformat(str(ends_on)).toordinal() - 1
    return f"{starts_on} to {date.fromordinal(last)}"


def rhythm(every: int, unit: str) -> str:
    """`every month`, `every 2 weeks`."""
    return f"every {unit}" if every == 1 else f"every {every} {unit}s"


def because(data: Data) -> str:
    """Why, and by whom, as a person noted it."""
    detail = f" ({data['detail']})" if data.get("detail") else ""
    return f"{detail}, by {data['by']}" if data.get("by") else detail
