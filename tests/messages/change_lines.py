"""Change messages for the tests: the least data of each type, and how a message is put together."""

import json
from typing import Any, NamedTuple

Data = dict[str, Any]

AGENCY: Data = {
    "agency_id": "a1",
    "revision": 1,
    "name": "Studio Eins",
    "timezone": "Europe/Vienna",
    "currency": "EUR",
    "email": "office@studio.example",
}
CLIENT: Data = {"agency_id": "a1", "client_id": "c1", "revision": 1, "name": "Bäckerei", "email": "c1@client.example"}
SERVICE: Data = {
    "agency_id": "a1",
    "service_id": "s1",
    "revision": 1,
    "name": "Care plan",
    "currency": "EUR",
    "billing_cycle": {"unit": "month", "every": 1},
}
METHOD: Data = {
    "agency_id": "a1",
    "client_id": "c1",
    "payment_method_id": "pm1",
    "revision": 1,
    "provider": "sandbox",
    "token": "ok",
}
REMOVED: Data = {"agency_id": "a1", "client_id": "c1", "payment_method_id": "pm1", "revision": 2}
SUBSCRIPTION: Data = {
    "agency_id": "a1",
    "subscription_id": "sub1",
    "revision": 1,
    "client_id": "c1",
    "service_id": "s1",
    "checkout": "manual",
    "starts_on": "2026-01-31",
}
RESUMED: Data = {"agency_id": "a1", "subscription_id": "sub1"}
ISSUED: Data = {"agency_id": "a1", "subscription_id": "sub1", "invoice_id": "inv1", "issued_on": "2026-02-03"}
PAID: Data = {"agency_id": "a1", "invoice_id": "inv1"}
VOIDED: Data = {"agency_id": "a1", "number": "NL-7"}
REFUNDED: Data = {"agency_id": "a1", "invoice_id": "inv1"}
GIVE_BACK: Data = {"agency_id": "a1", "number": "NL-7"}
REQUESTED: Data = {"agency_id": "a1", "subscription_id": "sub1", "period_starts_on": "2026-02-28"}
PAYMENT: Data = {
    "provider": "stripe",
    "reference": "pi_1",
    "amount_minor": 11900,
    "currency": "EUR",
    "paid_at": "2026-01-31T10:00:00+01:00",
}


def message(name: str, data: Any, /, **attributes: Any) -> dict[str, Any]:
    """A change message of the type `duecycle.<name>.v1`."""
    return {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/portal/a1",
        "type": f"duecycle.{name}.v1",
        "time": "2026-01-31T09:00:00Z",
        "data": data,
    } | attributes


def line(name: str, data: Any, /, **attributes: Any) -> bytes:
    """The message as it comes over the wire."""
    return json.dumps(message(name, data, **attributes)).encode()


def without(data: Data, *names: str) -> Data:
    """The data less some fields."""
    return {name: value for name, value in data.items() if name not in names}


class Refused(NamedTuple):
    """A message that must be refused: its type and data, the first bad field, and words that the reason must say.

    `by_schema` False: a JSON Schema cannot see it.
    """

    name: str
    data: Any
    field: str
    says: str
    attributes: dict[str, Any] = {}  # noqa: RUF012 - read only
    by_schema: bool = True
