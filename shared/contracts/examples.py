"""One change message of every type, as the published document shows it."""

from collections.abc import Mapping
from typing import Any

_SOURCE = "/portal/northlight"

_DATA: Mapping[str, Mapping[str, Any]] = {
    "duecycle.agency.upserted.v1": {
        "agency_id": "northlight",
        "revision": 1,
        "name": "Northlight Studio GmbH",
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "email": "billing@northlight.example",
        "invoice_prefix": "NL-",
        "address": {"line1": "Torstraße 12", "postcode": "10119", "city": "Berlin", "country": "DE"},
        "dunning": {"retry_days": [1, 3, 5, 7, 10, 14], "on_exhausted": "leave_open"},
    },
    "duecycle.client.upserted.v1": {
        "agency_id": "northlight",
        "client_id": "gym",
        "revision": 1,
        "name": "Kraftwerk Gym",
        "email": "accounts@gym.example",
    },
    "duecycle.service.upserted.v1": {
        "agency_id": "northlight",
        "service_id": "seo-care",
        "revision": 1,
        "name": "SEO care plan",
        "currency": "EUR",
        "price_minor": 150000,
        "billing_cycle": {"unit": "month", "every": 1},
        "tax": {"name": "VAT", "rate": "19", "inclusive": False},
    },
    "duecycle.payment_method.upserted.v1": {
        "agency_id": "northlight",
        "client_id": "gym",
        "payment_method_id": "pm-gym",
        "revision": 1,
        "provider": "sandbox",
        "token": "ok",
    },
    "duecycle.payment_method.removed.v1": {
        "agency_id": "northlight",
        "client_id": "gym",
        "payment_method_id": "pm-gym",
        "revision": 2,
    },
    "duecycle.subscription.upserted.v1": {
        "agency_id": "northlight",
        "subscription_id": "sub-gym-seo",
        "revision": 1,
        "client_id": "gym",
        "service_id": "seo-care",
        "checkout": "self_checkout",
        "starts_on": "2026-06-01",
        "initial_payment": {
            "provider": "sandbox",
            "reference": "checkout-77",
            "amount_minor": 178500,
            "currency": "EUR",
            "paid_at": "2026-06-01T11:00:40Z",
        },
    },
    "duecycle.subscription.resumed.v1": {
        "agency_id": "northlight",
        "subscription_id": "sub-gym-seo",
        "from": "2026-09-01",
    },
    "duecycle.invoice.issued.v1": {
        "agency_id": "northlight",
        "subscription_id": "sub-bakery-seo",
        "invoice_id": "inv-manual-1",
        "issued_on": "2026-06-03",
        "total_minor": 178500,
        "currency": "EUR",
    },
    "duecycle.invoice.paid.v1": {
        "agency_id": "northlight",
        "invoice_id": "inv-manual-1",
        "paid_at": "2026-07-10T15:55:00+02:00",
        "reference": "bank transfer 4711",
    },
    "duecycle.invoice.voided.v1": {
        "agency_id": "northlight",
        "number": "NL-2026-0007",
        "reason": "Issued to the wrong client.",
    },
    "duecycle.invoice.refunded.v1": {
        "agency_id": "northlight",
        "number": "NL-2026-0003",
        "amount_minor": 50000,
        "refunded_at": "2026-07-12T10:00:00+02:00",
        "reference": "bank transfer 4802",
        "reason": "Half of the month was not delivered.",
    },
    "duecycle.refund.requested.v1": {
        "agency_id": "northlight",
        "subscription_id": "sub-gym-seo",
        "period_starts_on": "2026-06-01",
        "reason": "Cancelled within the first week.",
    },
    "duecycle.charge.requested.v1": {
        "agency_id": "northlight",
        "subscription_id": "sub-gym-seo",
        "period_starts_on": "2026-07-01",
    },
}


def change_example(kind: str) -> dict[str, Any]:
    """A whole message of the type, as a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": "714e5d28-b600-5807-8c03-77e8c62044e7",
        "source": _SOURCE,
        "type": kind,
        "time": "2026-06-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": dict(_DATA[kind]),
    }
