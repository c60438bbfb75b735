"""What the structs of change messages share: how they check themselves, the objects inside them, their digest."""

from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from typing import Any, Literal, get_type_hints

import msgspec

from shared.messages.kinds import (
    Amount,
    Currency,
    Every,
    Instant,
    Line,
    Lines,
    Name,
    Rate,
    Reference,
    RetryDays,
    kind_of,
)

Provider = Literal["sandbox", "stripe", "paypal"]


class MisfitError(ValueError):
    """A value of the right type that a rule forbids. `field` is its name within the struct; `reason` is the whole
    reason where several fields disagree, else the problem alone."""

    def __init__(self, field: str, problem: str, *, reason: str = "") -> None:
        super().__init__(f"{field}: {reason or problem}")
        self.field, self.problem, self.reason = field, problem, reason


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A message's data or an object in it: finishes its values by their kinds, then lets its fields agree."""

    def __post_init__(self) -> None:
        for name, encoded, settle in _settlers(type(self)):
            value = getattr(self, name)
            if value is not None:
                try:
                    settled = settle(value)
                except ValueError as error:
                    raise MisfitError(encoded, str(error)) from None
                if settled is not value:
                    msgspec.structs.force_setattr(self, name, settled)
        self._agree()

    def _agree(self) -> None:
        """Raises MisfitError where fields contradict each other."""


@cache
def _settlers(part: type[Part]) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    """(attribute, name in the message, function) of every field whose kind has more to do than msgspec did."""
    hints = get_type_hints(part, include_extras=True)
    found = ((field.name, field.encode_name, kind_of(hints[field.name])) for field in msgspec.structs.fields(part))
    return tuple((name, encoded, kind.settle) for name, encoded, kind in found if kind.settle is not None)


class Address(Part, frozen=True):
    """Where an agency or a client has its seat; every line may be missing."""

    line1: Lines | None = None
    line2: Lines | None = None
    postcode: Line | None = None
    city: Line | None = None
    region: Line | None = None
    country: Line | None = None


class Cycle(Part, frozen=True):
    """A recurrence: every n days, weeks, months or years."""

    unit: Literal["day", "week", "month", "year"]
    every: Every


class Tax(Part, frozen=True):
    """The tax on a service: its name on the invoice, the rate in percent, and whether the price contains it."""

    name: Name
    rate: Rate
    inclusive: bool = False


class Dunning(Part, frozen=True):
    """When a failed payment is tried again (days after the first failure), and what happens after the last day."""

    retry_days: RetryDays = (1, 3, 5, 7, 10, 14)
    on_exhausted: Literal["leave_open", "mark_uncollectible", "cancel"] = "leave_open"


class InitialPayment(Part, frozen=True):
    """The payment that a checkout already took for the first period."""

    provider: Provider
    reference: Reference
    amount_minor: Amount
    currency: Currency
    paid_at: Instant


def content_digest(data: Part) -> str:
    """The sha256, in hex, of what the struct says: equal content gives equal digests, whatever the order of its keys,
    the unknown fields beside them, and whether a default was spelled out.

    Fields at their default are left out of the encoding, so that a field added later does not change the digests of
    messages that were taken before.
    """
    return sha256(msgspec.json.encode(dict(_told(data)), order="deterministic")).hexdigest()


def _told(part: Part) -> Iterator[tuple[str, Any]]:
    for name, encoded, default in _defaults(type(part)):
        value = getattr(part, name)
        if value != default:
            yield encoded, dict(_told(value)) if isinstance(value, Part) else value


@cache
def _defaults(part: type[Part]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((field.name, field.encode_name, field.default) for field in msgspec.structs.fields(part))
