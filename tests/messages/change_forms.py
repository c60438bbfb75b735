"""The least and the most that each type of change can say, and what it must decode to."""

from datetime import UTC, date, datetime, time
from typing import Any

from msgspec.structs import replace

from shared.messages import (
    Address,
    AgencyUpserted,
    ClientUpserted,
    Cycle,
    Dunning,
    InitialPayment,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    ServiceUpserted,
    SubscriptionResumed,
    SubscriptionUpserted,
    Tax,
)
from tests.messages.change_lines import (
    AGENCY,
    CLIENT,
    METHOD,
    PAYMENT,
    REMOVED,
    RESUMED,
    SERVICE,
    SUBSCRIPTION,
    Data,
)
from tests.messages.invoice_forms import FULL_OF_INVOICES, MINIMAL_OF_INVOICES

# name of the type -> (what is sent, what it must decode to)
MINIMAL: dict[str, tuple[Data, Any]] = {
    "agency.upserted": (
        AGENCY,
        AgencyUpserted(
            agency_id="a1",
            revision=1,
            name="Studio Eins",
            timezone="Europe/Vienna",
            currency="EUR",
            email="office@studio.example",
            locale="en",
            invoice_prefix="",
            payment_terms_days=14,
            issue_time=time(0, 0),
            gateway="sandbox",
            address=None,
            tax_id=None,
            dunning=Dunning(retry_days=(1, 3, 5, 7, 10, 14), on_exhausted="leave_open"),
            backlog="all",
            hold_on="failure",
        ),
    ),
    "client.upserted": (
        CLIENT,
        ClientUpserted(
            agency_id="a1",
            client_id="c1",
            revision=1,
            name="Bäckerei",
            email="c1@client.example",
            locale=None,
            address=None,
            tax_id=None,
        ),
    ),
    "service.upserted": (
        SERVICE,
        ServiceUpserted(
            agency_id="a1",
            service_id="s1",
            revision=1,
            name="Care plan",
            currency="EUR",
            billing_cycle=Cycle(unit="month", every=1),
            price_minor=None,
            order_cycle=None,
            tax=None,
            renewal="new_order",
        ),
    ),
    "payment_method.upserted": (
        METHOD,
        PaymentMethodUpserted(
            agency_id="a1",
            client_id="c1",
            payment_method_id="pm1",
            revision=1,
            provider="sandbox",
            token="ok",  # noqa: S106 - a token of the sandbox
            customer=None,
            default=True,
        ),
    ),
    "payment_method.removed": (
        REMOVED,
        PaymentMethodRemoved(agency_id="a1", client_id="c1", payment_method_id="pm1", revision=2),
    ),
    "subscription.upserted": (
        SUBSCRIPTION,
        SubscriptionUpserted(
            agency_id="a1",
            subscription_id="sub1",
            revision=1,
            client_id="c1",
            service_id="s1",
            checkout="manual",
            starts_on=date(2026, 1, 31),
            status="active",
            cancel_on=None,
            quantity=1,
            collection=None,
            order_id=None,
            bill_from=None,
            initial_payment=None,
        ),
    ),
    "subscription.resumed": (
        RESUMED,
        SubscriptionResumed(agency_id="a1", subscription_id="sub1", from_="next_boundary"),
    ),
    **MINIMAL_OF_INVOICES,
}

FULL: dict[str, tuple[Data, Any]] = {
    "agency.upserted": (
        AGENCY
        | {
            "locale": "de-AT",
            "invoice_prefix": "SE-",
            "payment_terms_days": 0,
            "issue_time": "09:30",
            "gateway": "stripe",
            "address": {
                "line1": "Hauptplatz 1\nHof 2",
                "line2": "",
                "postcode": "1010",
                "city": "Wien",
                "country": "AT",
            },
            "tax_id": "ATU12345678",
            "dunning": {"retry_days": [], "on_exhausted": "cancel"},
            "backlog": "latest",
            "hold_on": "overdue",
        },
        replace(
            MINIMAL["agency.upserted"][1],
            locale="de-AT",
            invoice_prefix="SE-",
            payment_terms_days=0,
            issue_time=time(9, 30),
            gateway="stripe",
            address=Address(
                line1="Hauptplatz 1\nHof 2", line2="", postcode="1010", city="Wien", region=None, country="AT"
            ),
            tax_id="ATU12345678",
            dunning=Dunning(retry_days=(), on_exhausted="cancel"),
            backlog="latest",
            hold_on="overdue",
        ),
    ),
    "client.upserted": (
        CLIENT | {"locale": "de", "address": {"region": "NÖ"}, "tax_id": "DE123"},
        replace(MINIMAL["client.upserted"][1], locale="de", address=Address(region="NÖ"), tax_id="DE123"),
    ),
    "service.upserted": (
        SERVICE
        | {
            "price_minor": 10**12,
            "order_cycle": {"unit": "week", "every": 1000},
            "tax": {"name": "VAT", "rate": "7.7500", "inclusive": True},
            "renewal": "keep_order",
        },
        ServiceUpserted(
            agency_id="a1",
            service_id="s1",
            revision=1,
            name="Care plan",
            currency="EUR",
            billing_cycle=Cycle(unit="month", every=1),
            price_minor=1_000_000_000_000,
            order_cycle=Cycle(unit="week", every=1000),
            tax=Tax(name="VAT", rate="7.7500", inclusive=True),
            renewal="keep_order",
        ),
    ),
    "payment_method.upserted": (
        METHOD | {"provider": "stripe", "token": "pm_123", "customer": "cus_1", "default": False},
        PaymentMethodUpserted(
            agency_id="a1",
            client_id="c1",
            payment_method_id="pm1",
            revision=1,
            provider="stripe",
            token="pm_123",  # noqa: S106 - a made-up token
            customer="cus_1",
            default=False,
        ),
    ),
    "subscription.upserted": (
        SUBSCRIPTION
        | {
            "revision": 2**63 - 1,
            "checkout": "self_checkout",
            "status": "cancelled",
            "cancel_on": "2199-12-31",
            "quantity": 1_000_000,
            "collection": "manual",
            "order_id": "o1",
            "bill_from": "1970-01-01",
            "initial_payment": PAYMENT,
        },
        SubscriptionUpserted(
            agency_id="a1",
            subscription_id="sub1",
            revision=9_223_372_036_854_775_807,
            client_id="c1",
            service_id="s1",
            checkout="self_checkout",
            starts_on=date(2026, 1, 31),
            status="cancelled",
            cancel_on=date(2199, 12, 31),
            quantity=1_000_000,
            collection="manual",
            order_id="o1",
            bill_from=date(1970, 1, 1),
            initial_payment=InitialPayment(
                provider="stripe",
                reference="pi_1",
                amount_minor=11900,
                currency="EUR",
                paid_at=datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
            ),
        ),
    ),
    "subscription.resumed": (
        RESUMED | {"from": "2026-09-01"},
        SubscriptionResumed(agency_id="a1", subscription_id="sub1", from_=date(2026, 9, 1)),
    ),
    **FULL_OF_INVOICES,
}
