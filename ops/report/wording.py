"""How the page writes things: escaped text, money, dates, instants, counts. The same whatever the locale."""

import html
import json
from datetime import UTC, date, datetime, timedelta

from shared.domain.money import exponent

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def esc(text: object) -> str:
    """Text for an HTML page, safe in an element and in a quoted attribute."""
    return html.escape(str(text), quote=True)


def json_text(value: object) -> str:
    """JSON for a script element: no `<`, `>` or `&`, so it can't end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def decimals(currency: str) -> int:
    """Decimal places of an ISO 4217 code; two for an unknown code, so that the page can still be made."""
    try:
        return exponent(currency)
    except (KeyError, ValueError, LookupError):
        return 2


def amount_text(minor: int, currency: str) -> str:
    """`1,785.00` for 178500 in a currency of two decimals."""
    places = decimals(currency)
    sign = "−" if minor < 0 else ""
    if places == 0:
        return f"{sign}{abs(minor):,}"
    whole, rest = divmod(abs(minor), 10**places)
    return f"{sign}{whole:,}.{rest:0{places}d}"


def money_text(minor: int, currency: str) -> str:
    """`EUR 1,785.00`, with a space that never breaks a line."""
    return f"{currency}\N{NO-BREAK SPACE}{amount_text(minor, currency)}"


def date_text(on: date, *, year: bool = False) -> str:
    """`1 Jul`, or `1 Jul 2026`."""
    return f"{on.day} {MONTHS[on.month - 1]}" + (f" {on.year}" if year else "")


def period_text(starts_on: date, ends_on: date) -> str:
    """The days of a half-open period, both named as people say them: `1 Jul–31 Jul`."""
    last_on = ends_on - timedelta(days=1)
    if last_on <= starts_on:
        return date_text(starts_on)
    return f"{date_text(starts_on, year=starts_on.year != last_on.year)}–{date_text(last_on)}"


def instant_text(at: datetime, *, year: bool = False) -> str:
    """`1 Jul 22:00` in UTC."""
    at = at.astimezone(UTC)
    return f"{date_text(at.date(), year=year)} {at:%H:%M}"


def length_text(length: timedelta) -> str:
    """`40 d`, `3 d 4 h`, `5 h`, `12 min`: two units at most, days alone from ten on."""
    minutes = max(0, int(length.total_seconds()) // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days >= 10 or (days and not hours):
        return f"{days} d"
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h" if hours else f"{minutes} min"


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """`1 order`, `2 orders`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
