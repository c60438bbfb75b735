"""What becomes of a due invoice cycle, case by case."""

import pytest

from shared.domain.facts import InitialPayment, ServiceRevision, Subscription, SubscriptionRevision
from shared.domain.invoicing import Blocked, Cancel, Issue, Line, Skip, Tax, decide, describe
from tests.domain.facts_of import at, on, period, revision, service, subscription

ACTIVE = [revision()]
PAID_EARLIER = InitialPayment("stripe", "pi_1", 11900, "USD", at("2026-06-01"))


def decided(
    of: Subscription,
    revisions: list[SubscriptionRevision],
    services: list[ServiceRevision],
    previous: str | None = "paid",
    index: int = 1,
) -> Issue | Skip | Cancel | Blocked:
    return decide(period(index), of, revisions, {"seo": services}, previous)


ENDINGS = [
    # (what, subscription, its revisions, services, previous invoice, outcome)
    ("void before", subscription(), ACTIVE, [service()], "void", Skip("previous_invoice_void", stops_series=True)),
    (
        "uncollectible before",
        subscription(),
        ACTIVE,
        [service()],
        "uncollectible",
        Skip("previous_invoice_uncollectible", stops_series=True),
    ),
    ("paused", subscription(), [revision(status="paused")], [service()], "paid", Skip("paused")),
    (
        "paused since later",
        subscription(),
        [revision(), revision(2, "2026-07-01T00:01", status="paused")],
        [service()],
        "paid",
        Issue,
    ),
    (
        "paused until just before",
        subscription(),
        [revision(status="paused"), revision(2, "2026-07-01")],
        [service()],
        "paid",
        Issue,
    ),
    (
        "cancelled on its first day",
        subscription(),
        [revision(status="cancelled", cancel_on=on("2026-07-01"))],
        [service()],
        "paid",
        Cancel("subscription_cancelled"),
    ),
    (
        "cancelled a day later: it started before",
        subscription(),
        [revision(status="cancelled", cancel_on=on("2026-07-02"))],
        [service()],
        "paid",
        Issue,
    ),
    (
        "cancelled only after it fell due",
        subscription(),
        [revision(), revision(2, "2026-07-01T00:01", status="cancelled", cancel_on=on("2026-07-01"))],
        [service()],
        "paid",
        Issue,
    ),
    (
        "ended by dunning wins over an active revision",
        subscription(ended_at=at("2026-06-30"), ended_reason="dunning_exhausted"),
        ACTIVE,
        [service()],
        "open",
        Cancel("dunning_exhausted"),
    ),
    (
        "fell due before dunning ended it",
        subscription(ended_at=at("2026-07-02"), ended_reason="dunning_exhausted"),
        ACTIVE,
        [service()],
        "open",
        Issue,
    ),
    (
        "pause comes before a void invoice",
        subscription(),
        [revision(status="paused")],
        [service()],
        "void",
        Skip("paused"),
    ),
    ("open before", subscription(), ACTIVE, [service()], "open", Issue),
    ("the first of its series", subscription(), ACTIVE, [service()], None, Issue),
]


@pytest.mark.parametrize(
    ("of", "revisions", "services", "previous", "outcome"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS]
)
def test_whether_an_invoice_is_issued(
    of: Subscription,
    revisions: list[SubscriptionRevision],
    services: list[ServiceRevision],
    previous: str | None,
    outcome: object,
) -> None:
    """The revision in force at the due instant decides, and the series' latest invoice has to be open or paid."""
    found = decided(of, revisions, services, previous)
    assert (type(found) if outcome is Issue else found) == outcome


def test_a_missing_price_blocks_and_says_what_to_send() -> None:
    found = decided(subscription(), ACTIVE, [service(price_minor=None)])
    assert found == Blocked("price_missing", "service seo has no price: send service.upserted with price_minor")


def test_a_price_that_comes_later_prices_the_cycles_that_waited_for_it() -> None:
    """The first later revision with a price counts; tax and quantity stay those in force at the due instant."""
    services = [
        service(price_minor=None),
        service(2, "2026-08-01", price_minor=None, tax_rate="5"),
        service(3, "2026-09-01", price_minor=20000, tax_rate="7", name="New name"),
        service(4, "2026-10-01", price_minor=90000),
    ]
    found = decided(subscription(), [revision(quantity=2), revision(2, "2026-08-01", quantity=9)], services)
    assert isinstance(found, Issue)
    assert found.bill.lines == (
        Line(
            description="SEO care, 2026-07-01 – 2026-07-31",
            quantity=2,
            unit_price_minor=20000,
            net_minor=40000,
            tax_name="VAT",
            tax_rate="19",
        ),
    )
    assert (found.bill.subtotal_minor, found.bill.tax_minor, found.bill.total_minor) == (40000, 7600, 47600)


def test_the_price_in_force_at_the_due_instant_counts() -> None:
    """A change at the due instant itself is in force; one a minute later is not."""
    on_time = decided(subscription(), ACTIVE, [service(), service(2, "2026-07-01", price_minor=12000)])
    too_late = decided(subscription(), ACTIVE, [service(), service(2, "2026-07-01T00:01", price_minor=12000)])
    assert isinstance(on_time, Issue)
    assert isinstance(too_late, Issue)
    assert (on_time.bill.total_minor, too_late.bill.total_minor) == (14280, 11900)


def test_an_inclusive_price_is_the_total() -> None:
    found = decided(subscription(), [revision(quantity=3)], [service(price_minor=9999, tax_inclusive=True)])
    assert isinstance(found, Issue)
    assert found.bill.lines == (
        Line(
            description="SEO care, 2026-07-01 – 2026-07-31",
            quantity=3,
            unit_price_minor=9999,
            net_minor=25208,
            tax_name="VAT",
            tax_rate="19",
        ),
    )
    assert found.bill.taxes == (Tax("VAT", "19", 25208, 4789),)
    assert (found.bill.subtotal_minor, found.bill.tax_minor, found.bill.total_minor) == (25208, 4789, 29997)


def test_rounding_happens_once_a_line_not_once_a_unit() -> None:
    """3 × 0.33 with 19 % is 0.99 + 0.19 (0.1881), not three times 0.06."""
    found = decided(subscription(), [revision(quantity=3)], [service(price_minor=33)])
    assert isinstance(found, Issue)
    assert (found.bill.subtotal_minor, found.bill.tax_minor) == (99, 19)


@pytest.mark.parametrize(("currency", "price", "total"), [("JPY", 1500, 1785), ("KWD", 1501, 1786)])
def test_currencies_of_zero_and_three_decimals_count_in_their_own_units(currency: str, price: int, total: int) -> None:
    found = decided(subscription(), ACTIVE, [service(currency=currency, price_minor=price)])
    assert isinstance(found, Issue)
    assert (found.bill.currency, found.bill.total_minor) == (currency, total)


def test_a_first_payment_in_another_currency_blocks_cycle_0_and_names_both() -> None:
    found = decided(subscription(initial_payment=PAID_EARLIER), ACTIVE, [service()], None, index=0)
    assert isinstance(found, Blocked)
    assert found.reason == "currency_mismatch"
    assert "USD" in found.detail
    assert "EUR" in found.detail
    later = decided(subscription(initial_payment=PAID_EARLIER), ACTIVE, [service()], "paid", index=1)
    assert isinstance(later, Issue)


def test_a_line_names_the_first_and_the_last_day() -> None:
    assert describe("Plan", on("2026-02-01"), on("2026-03-01")) == "Plan, 2026-02-01 – 2026-02-28"
