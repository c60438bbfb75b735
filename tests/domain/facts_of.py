"""Facts for the tests of the domain: one subscription of one service, as plain as can be."""

from datetime import UTC, date, datetime
from typing import Any

from shared.domain.facts import ServiceRevision, Subscription, SubscriptionRevision
from shared.domain.invoicing import Period


def at(text: str) -> datetime:
    """`2026-06-01` or `2026-06-01T10:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def on(text: str) -> date:
    return date.fromisoformat(text)


def service(revision: int = 1, since: str = "2026-01-01", **changes: Any) -> ServiceRevision:
    """100.00 EUR a month and 19 % tax on top."""
    base = ServiceRevision(
        service_id="seo",
        revision=revision,
        effective_at=at(since),
        name="SEO care",
        price_minor=10000,
        currency="EUR",
        tax_name="VAT",
        tax_rate="19",
        tax_inclusive=False,
        unit="month",
        every=1,
        order_unit="month",
        order_every=1,
        renewal="new_order",
    )
    return base._replace(**changes)


def revision(number: int = 1, since: str = "2026-01-01", **changes: Any) -> SubscriptionRevision:
    base = SubscriptionRevision(
        subscription_id="sub",
        revision=number,
        effective_at=at(since),
        client_id="law",
        service_id="seo",
        status="active",
        cancel_on=None,
        quantity=1,
        collection="automatic",
    )
    return base._replace(**changes)


def subscription(**changes: Any) -> Subscription:
    base = Subscription(
        subscription_id="sub",
        client_id="law",
        service_id="seo",
        checkout="self_checkout",
        starts_on=on("2026-06-01"),
        known_since=at("2026-05-20"),
        bill_from=None,
        order_id=None,
        initial_payment=None,
        ended_at=None,
        ended_reason=None,
    )
    return base._replace(**changes)


def period(index: int = 1, starts_on: str = "2026-07-01", ends_on: str = "2026-08-01") -> Period:
    return Period(index, on(starts_on), on(ends_on), at(starts_on))
