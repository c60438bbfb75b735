"""What becomes of a due invoice cycle: issue, skip, cancel or block; and what is on the invoice."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.domain.facts import InitialPayment, ServiceRevision, Subscription, SubscriptionRevision, in_force
from shared.domain.money import split_tax
from shared.domain.states import SERIES_GOES_ON


class Period(NamedTuple):
    """A cycle as a decision sees it. The period is half-open: `ends_on` is the start of the next."""

    cycle_index: int
    starts_on: date
    ends_on: date
    due_at: datetime


class Line(NamedTuple):
    """One line; `net_minor` is without tax, `unit_price_minor` as the service states it."""

    description: str
    quantity: int
    unit_price_minor: int
    net_minor: int
    tax_name: str | None
    tax_rate: str


class Tax(NamedTuple):
    """The tax of one rate over all lines."""

    name: str | None
    rate: str
    net_minor: int
    tax_minor: int


class Bill(NamedTuple):
    """Lines and totals of one invoice: total = subtotal + tax."""

    currency: str
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int


class Issue(NamedTuple):
    """Issue this invoice."""

    bill: Bill
    client_id: str
    service: ServiceRevision
    quantity: int
    collection: str


class Skip(NamedTuple):
    """A rule says no, for good; `stops_series` also ends the series."""

    reason: str
    stops_series: bool = False


class Cancel(NamedTuple):
    """The subscription had ended when the cycle fell due."""

    reason: str


class Blocked(NamedTuple):
    """An error that a change of facts or a later try may cure: a value, never an exception."""

    reason: str
    detail: str


Ended = Skip | Cancel


def ended_before(subscription: Subscription, revision: SubscriptionRevision, period: Period) -> Ended | None:
    """Why a cycle has no document by the subscription's own state in force at its due instant; None if it has one.

    Cancelled: cycles that start on or after `cancel_on`, which may be set ahead while the status is still active. Paused:
    skipped, and the series goes on from the anchor. A subscription that dunning ended stays ended, whatever upstream says;
    a cycle that fell due at that very moment is not touched.
    """
    if subscription.ended_at is not None and period.due_at > subscription.ended_at:
        return Cancel(subscription.ended_reason or "subscription_ended")
    if revision.cancel_on is not None and period.starts_on >= revision.cancel_on:
        return Cancel("subscription_cancelled")
    if revision.status == "paused":
        return Skip("paused")
    return None


def make_bill(service: ServiceRevision, price_minor: int, currency: str, quantity: int, description: str) -> Bill:
    """The invoice of one service: exact product, rounded once per line, then the tax of its rate."""
    amount = price_minor * quantity
    net, tax = split_tax(amount, service.tax_rate, inclusive=service.tax_inclusive)
    line = Line(
        description=description,
        quantity=quantity,
        unit_price_minor=price_minor,
        net_minor=net,
        tax_name=service.tax_name,
        tax_rate=service.tax_rate,
    )
    taxes = (Tax(service.tax_name, service.tax_rate, net, tax),)
    return Bill(currency=currency, lines=(line,), taxes=taxes, subtotal_minor=net, tax_minor=tax, total_minor=net + tax)


def describe(name: str, starts_on: date, ends_on: date) -> str:
    """The text of a line: the service and its half-open period, shown with its last day."""
    return f"{name}, {starts_on.isoformat()} – {date.fromordinal(ends_on.toordinal() - 1).isoformat()}"


def priced(
    revisions: Sequence[SubscriptionRevision],
    services: Mapping[str, Sequence[ServiceRevision]],
    at: datetime,
    currency: str | None = None,
) -> tuple[ServiceRevision, ServiceRevision | None]:
    """The service's revision in force at `at`, and the one that prices it: itself, or if it has no price (or is not in the
    wanted currency) the one of the first later moment at which the subscription's service, whichever it then is, fits."""
    facts = _service_at(revisions, services, at)
    if _fits(facts, currency):
        return facts, facts
    changes = {each.effective_at for each in revisions}
    changes |= {each.effective_at for listed in services.values() for each in listed}
    later = (_service_at(revisions, services, moment) for moment in sorted(changes) if moment > at)
    return facts, next((each for each in later if _fits(each, currency)), None)


def _service_at(
    revisions: Sequence[SubscriptionRevision], services: Mapping[str, Sequence[ServiceRevision]], at: datetime
) -> ServiceRevision:
    return in_force(services[in_force(revisions, at).service_id], at)


def _fits(service: ServiceRevision, currency: str | None) -> bool:
    return service.price_minor is not None and currency in (None, service.currency)


def decide(
    period: Period,
    subscription: Subscription,
    revisions: Sequence[SubscriptionRevision],
    services: Mapping[str, Sequence[ServiceRevision]],
    previous_status: str | None,
) -> Issue | Skip | Cancel | Blocked:
    """What becomes of a due invoice cycle.

    `previous_status` is the status of the series' latest invoice before this cycle, None if there is none that counts.
    Price, tax, quantity, status and pause are those in force when the cycle fell due, but not before the subscription was
    known.
    """
    at = subscription.judged_at(period.due_at)
    revision = in_force(revisions, at)
    ended = ended_before(subscription, revision, period)
    if ended is not None:
        return ended
    if previous_status is not None and previous_status not in SERIES_GOES_ON:
        return Skip(f"previous_invoice_{previous_status}", stops_series=True)
    paid = subscription.initial_payment if period.cycle_index == 0 else None
    facts, pricing = priced(revisions, services, at, None if paid is None else paid.currency)
    if pricing is None or pricing.price_minor is None:
        return _unpriced(facts, paid, priced(revisions, services, at)[1])
    description = describe(facts.name, period.starts_on, period.ends_on)
    bill = make_bill(facts, pricing.price_minor, pricing.currency, revision.quantity, description)
    return Issue(bill, revision.client_id, facts, revision.quantity, revision.collection)


def _unpriced(facts: ServiceRevision, paid: InitialPayment | None, pricing: ServiceRevision | None) -> Blocked:
    if paid is None or pricing is None:
        return Blocked(
            "price_missing", f"service {facts.service_id} has no price: send service.upserted with price_minor"
        )
    return Blocked(
        "currency_mismatch",
        f"the initial payment is in {paid.currency}, service {pricing.service_id} in {pricing.currency}:"
        " send the subscription or the service again with one currency",
    )
