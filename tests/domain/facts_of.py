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
        "seo", revision, at(since), "SEO care", 10000, "EUR", "VAT", "19", False, "month", 1, "month", 1, "new_order"
    )
    return base._replace(**changes)


def revision(number: int = 1, since: str = "2026-01-01", **changes: Any) -> SubscriptionRevision:
    base = SubscriptionRevision("sub", number, at(since), "law", "seo", "active", None, 1, "automatic")
    return base._replace(**changes)


def subscription(**changes: Any) -> Subscription:
    base = Subscription(
        "sub", "law", "seo", "self_checkout", on("2026-06-01"), at("2026-05-20"), None, None, None, None, None
    )
    return base._replace(**changes)


def period(index: int = 1, starts_on: str = "2026-07-01", ends_on: str = "2026-08-01") -> Period:
    return Period(index, on(starts_on), on(ends_on), at(starts_on))
