"""What the portal of a diary says of each thing unless told otherwise, and what names it."""

from typing import Any

MONTHLY, WEEKLY, YEARLY = ({"unit": unit, "every": 1} for unit in ("month", "week", "year"))
VAT = {"name": "VAT", "rate": "19", "inclusive": False}

# What a message says unless told otherwise.
DEFAULTS: dict[str, dict[str, Any]] = {
    "agency.upserted": {
        "name": "Northlight",
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "email": "office@agency.example",
    },
    "client.upserted": {"client_id": "law", "name": "Kanzlei Brandt", "email": "accounts@law.example"},
    "service.upserted": {
        "service_id": "seo",
        "name": "SEO care",
        "price_minor": 10000,
        "currency": "EUR",
        "billing_cycle": MONTHLY,
        "tax": VAT,
    },
    "payment_method.upserted": {"client_id": "law", "payment_method_id": "card", "provider": "sandbox", "token": "ok"},
    "payment_method.removed": {"client_id": "law", "payment_method_id": "card"},
    "subscription.upserted": {
        "subscription_id": "sub",
        "client_id": "law",
        "service_id": "seo",
        "checkout": "self_checkout",
        "starts_on": "2026-06-01",
    },
    "subscription.resumed": {"subscription_id": "sub"},
    "invoice.issued": {"subscription_id": "sub", "invoice_id": "by-hand-1"},
}
IDS = {
    "agency": ("agency_id",),
    "client": ("client_id",),
    "service": ("service_id",),
    "payment_method": ("client_id", "payment_method_id"),
    "subscription": ("subscription_id",),
}
