"""The kinds of value a message field can hold: the rule, its wording, and how to mend a wrong one, in one place.

Each kind is a type with a :class:`msgspec.Meta`: what msgspec checks, the `description` that the published schemas and
the reasons of refusals share, and in `extra` the `fix` (what to send instead), `settle` (a function that finishes the
value or raises ValueError with the problem), and `secret` where a reason must not repeat the value.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from itertools import pairwise
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from msgspec import Meta

from shared.domain.calendar import zone_exists
from shared.domain.mail_addresses import on_the_wire
from shared.domain.money import CURRENCIES
from shared.messages import patterns

NEXT_BOUNDARY: Literal["next_boundary"] = "next_boundary"

DAY_MIN, DAY_MAX = date(1970, 1, 1), date(2199, 12, 31)
_INSTANT_MIN, _INSTANT_END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """What is said about a kind of value. `settle` None: nothing to do after msgspec's own checks."""

    description: str
    fix: str
    settle: Callable[[Any], Any] | None
    secret: bool


_PLAIN = Kind("", "", None, False)


def kind_of(hint: Any) -> Kind:
    """The kind that a field's annotation names, through `| None`; without words for a type that is no kind."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(member for member in get_args(hint) if member is not type(None))
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra is not None:
            return Kind(meta.description or "", **meta.extra)
    return _PLAIN


def _meta(
    description: str, fix: str, settle: Callable[[Any], Any] | None = None, *, secret: bool = False, **rules: Any
) -> Meta:
    return Meta(description=description, extra={"fix": fix, "settle": settle, "secret": secret}, **rules)


def _text(low: int, high: int, pattern: str, description: str, fix: str, **more: Any) -> Meta:
    return _meta(description, fix, min_length=low or None, max_length=high, pattern=pattern, **more)


def _integer(low: int, high: int, description: str, fix: str) -> Meta:
    return _meta(f"{description} from {low} to {high}", fix, ge=low, le=high)


def _sendable(address: str) -> str:
    try:
        on_the_wire(address)
    except ValueError as error:
        raise ValueError(f"holds {error}") from None
    return address


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("no such currency")
    return code


def _known_zone(name: str) -> str:
    if not zone_exists(name):
        raise ValueError("no such time zone")
    return name


def _day_in_range(day: date) -> date:
    if not DAY_MIN <= day <= DAY_MAX:
        raise ValueError("out of range")
    return day


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("needs an offset")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None
    if not _INSTANT_MIN <= at < _INSTANT_END:
        raise ValueError("out of range")
    return at


def _local_time(at: str | time) -> time:
    return at if isinstance(at, time) else time.fromisoformat(at)


def _resumption(start: str | date) -> str | date:
    if isinstance(start, date):
        return _day_in_range(start)
    if start == NEXT_BOUNDARY:
        return start
    try:
        return date.fromisoformat(start)
    except ValueError:
        raise ValueError("no such day") from None


def _rising(days: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError("not rising")
    return days


_SCREENED = "printable characters without white space at either end"
_WHOLE_UNITS = "send integer minor units (150000 for 1,500.00 EUR), never a decimal number or a string"

Identifier = Annotated[
    str, _text(1, 128, patterns.IDENTIFIER, f"1 to 128 {_SCREENED}", "send the identifier as a string, trimmed")
]
Reference = Annotated[str, _text(1, 256, patterns.IDENTIFIER, f"1 to 256 {_SCREENED}", "send it as a string, trimmed")]
Token = Annotated[
    str,
    _text(1, 512, patterns.IDENTIFIER, f"1 to 512 {_SCREENED}", "send the token as the provider gave it", secret=True),
]
Name = Annotated[
    str,
    _text(1, 400, patterns.NAME, "one line of 1 to 400 characters, not blank, no control characters", "send a name"),
]
Line = Annotated[
    str, _text(0, 400, patterns.LINE, "one line of at most 400 characters, no control characters", "send one line")
]
Lines = Annotated[
    str,
    _text(
        0,
        1000,
        patterns.LINES,
        "text of at most 1000 characters, no control characters but line feed and tab",
        "send plain text, with a line feed between lines",
    ),
]
TaxId = Annotated[
    str, _text(0, 64, patterns.LINE, "one line of at most 64 characters", "send the tax number as a string")
]
Prefix = Annotated[
    str, _text(0, 32, patterns.LINE, "one line of at most 32 characters", 'send a short string such as "NL-"')
]
Locale = Annotated[str, _text(2, 35, patterns.LOCALE, "a language tag (BCP 47)", 'send a tag such as "en" or "de-AT"')]
Email = Annotated[
    str,
    _text(
        3,
        254,
        patterns.EMAIL,
        "one mail address of at most 254 characters: one @, no needless dot, no white space, quotes or separators",
        'send one bare address such as "billing@agency.example"',
        settle=_sendable,
    ),
]
Currency = Annotated[
    str,
    _meta(
        "a current ISO 4217 currency code in upper case",
        'send a code such as "EUR"',
        _known_currency,
        pattern=patterns.CURRENCY,
        extra_json_schema={"enum": sorted(CURRENCIES)},
    ),
]
Zone = Annotated[
    str,
    _meta(
        "a time zone of the IANA database, spelled as there",
        'send a name such as "Europe/Berlin"',
        _known_zone,
        max_length=64,
        pattern=patterns.LINE,
    ),
]
MediaType = Annotated[
    str, _meta("application/json", 'send "application/json" or leave it out', pattern=patterns.MEDIA_TYPE)
]
Rate = Annotated[
    str,
    _meta(
        "a percentage as a decimal string from 0 to 100 with at most 4 decimals",
        'send a string such as "19" or "7.75"',
        pattern=patterns.RATE,
    ),
]

Revision = Annotated[int, _integer(0, 2**63 - 1, "an integer", "count the changes of this record, from 1")]
Price = Annotated[int, _integer(0, 10**12, "an amount in integer minor units", _WHOLE_UNITS)]
Total = Annotated[int, _integer(0, 10**15, "an amount in integer minor units", _WHOLE_UNITS)]
Amount = Annotated[int, _integer(1, 10**15, "an amount in integer minor units", _WHOLE_UNITS)]
Quantity = Annotated[int, _integer(0, 1_000_000, "an integer", "send a whole number of units")]
TermsDays = Annotated[int, _integer(0, 3650, "an integer number of days", "send whole days, such as 14")]
Every = Annotated[int, _integer(1, 1000, "an integer", "send how many units one cycle lasts, such as 1")]
RetryDay = Annotated[int, _integer(1, 365, "an integer number of days", "send whole days after the first failure")]
RetryDays = Annotated[
    tuple[RetryDay, ...],
    _meta(
        "an array of at most 30 integers from 1 to 365, each higher than the one before",
        "send rising days such as [1, 3, 5], or [] for no retries",
        _rising,
        max_length=30,
        extra_json_schema={"uniqueItems": True},
    ),
]

Day = Annotated[
    date,
    _meta(
        "a calendar date as YYYY-MM-DD from 1970-01-01 to 2199-12-31",
        'send a day that exists, such as "2026-06-30"',
        _day_in_range,
        extra_json_schema={"pattern": patterns.DAY},
    ),
]
Instant = Annotated[
    datetime,
    _meta(
        "an RFC 3339 instant with offset, in the years 1970 to 2199",
        'send date, time and offset, such as "2026-06-01T09:00:00Z"',
        _utc,
        tz=True,
        extra_json_schema={"pattern": patterns.INSTANT},
    ),
]

if TYPE_CHECKING:
    LocalTime = time
    Resumption = date | Literal["next_boundary"]
else:
    # msgspec reads no "HH:MM" and has no union of a word and a date: it checks the text, `settle` makes the value.
    LocalTime = Annotated[
        str,
        _meta(
            "a local time of day as HH:MM or HH:MM:SS, without offset",
            'send a time such as "09:00"',
            _local_time,
            pattern=patterns.LOCAL_TIME,
        ),
    ]
    Resumption = Annotated[
        str,
        _meta(
            '"next_boundary" or a calendar date as YYYY-MM-DD from 1970-01-01 to 2199-12-31',
            'leave it out to go on at the next boundary, or send a day such as "2026-06-30"',
            _resumption,
            pattern=patterns.DAY_OR_NEXT_BOUNDARY,
            extra_json_schema={"anyOf": [{"const": NEXT_BOUNDARY}, {"format": "date"}]},
        ),
    ]
