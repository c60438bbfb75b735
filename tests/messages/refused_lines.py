"""Messages that must be refused: what is wrong, at which field, and words that the reason must say."""

from typing import Any

from tests.messages.change_lines import (
    AGENCY,
    CLIENT,
    ISSUED,
    METHOD,
    PAID,
    PAYMENT,
    REMOVED,
    REQUESTED,
    RESUMED,
    SERVICE,
    SUBSCRIPTION,
    VOIDED,
    Refused,
    without,
)
from tests.messages.refused_data import AGENCIES, OTHERS, SERVICES, SUBSCRIPTIONS


def _missing() -> list[Refused]:
    required = {
        "agency.upserted": AGENCY,
        "client.upserted": CLIENT,
        "service.upserted": SERVICE,
        "payment_method.upserted": METHOD,
        "payment_method.removed": REMOVED,
        "subscription.upserted": SUBSCRIPTION,
        "subscription.resumed": RESUMED,
        "invoice.issued": ISSUED,
    }
    found = [
        Refused(name=name, data=without(data, field), field=f"data.{field}", says="missing")
        for name, data in required.items()
        for field in data
    ]
    found += [
        Refused(name=name, data=without(data, "agency_id"), field="data.agency_id", says="missing")
        for name, data in (("invoice.paid", PAID), ("invoice.voided", VOIDED), ("charge.requested", REQUESTED))
    ]
    found += [
        Refused(
            name="subscription.upserted",
            data=SUBSCRIPTION | {"initial_payment": without(PAYMENT, field)},
            field=f"data.initial_payment.{field}",
            says="missing",
        )
        for field in PAYMENT
    ]
    found.append(
        Refused(name="service.upserted", data=SERVICE | {"tax": {"name": "VAT"}}, field="data.tax.rate", says="missing")
    )
    found.append(
        Refused(name="service.upserted", data=SERVICE | {"tax": {"rate": "19"}}, field="data.tax.name", says="missing")
    )
    cycle = {"billing_cycle": {"unit": "month"}}
    found.append(
        Refused(name="service.upserted", data=SERVICE | cycle, field="data.billing_cycle.every", says="missing")
    )
    cycle = {"billing_cycle": {"every": 1}}
    found.append(
        Refused(name="service.upserted", data=SERVICE | cycle, field="data.billing_cycle.unit", says="missing")
    )
    return found


def _envelope(field: str, says: str, by_schema: bool = True, **attributes: Any) -> Refused:
    return Refused(name="invoice.paid", data=PAID, field=field, says=says, attributes=attributes, by_schema=by_schema)


ENVELOPES = [
    _envelope("specversion", '"1.0"', specversion="0.3"),
    _envelope("specversion", '"1.0"', specversion=1.0),
    _envelope("datacontenttype", "application/json", datacontenttype="text/xml"),
    _envelope("id", "got an integer (5)", id=5),
    _envelope("id", "1 to 128", id=""),
    _envelope("id", "1 to 128", id="x" * 129),
    _envelope("source", "1 to 256", source=""),
    _envelope("subject", "1 to 256", subject=""),
    _envelope("subject", "U+0000", subject="a\x00"),
    _envelope("traceparent", "U+0000", traceparent="a\x00"),
    _envelope("time", "needs an offset", time="2026-01-31T09:00:00"),
    _envelope("time", "RFC 3339", time="2026-01-31"),
    _envelope("time", "RFC 3339", time="yesterday"),
    _envelope("time", "no such day or time", time="2026-02-30T09:00:00Z", by_schema=False),
    _envelope("time", "no such day or time", time="2026-01-31T25:00:00Z"),
    _envelope("time", "out of range", time="1969-12-31T23:59:59Z"),
    _envelope("time", "out of range", time="2200-01-01T00:00:00Z"),
    _envelope("time", "out of range", time="1970-01-01T00:30:00+01:00", by_schema=False),
    _envelope("time", "out of range", time="0001-01-01T00:00:00+01:00"),
    _envelope("time", "got null", time=None),
    _envelope("type", "duecycle.invoice.paid.v1", type="duecycle.invoice.payed.v1"),
    _envelope("type", "duecycle.agency.upserted.v1", type="agency.upserted"),
    _envelope("type", "agency.upserted, client.upserted", type="x"),
    _envelope("type", "got null", type=None),
    _envelope("data", "got an array", data=[]),
    _envelope("data", "got null", data=None),
    _envelope("data", "got a string", data='{"agency_id": "a1"}'),
]

# The sample's broken line: what is wrong with one field counts before what is missing.
BROKEN = Refused(
    name="subscription.upserted",
    data={"agency_id": "a1", "subscription_id": "sub1", "revision": 1, "starts_on": "2026-02-30"},
    field="data.starts_on",
    says='got a string ("2026-02-30"), no such day',
)

REFUSED = [BROKEN, *_missing(), *AGENCIES, *SERVICES, *SUBSCRIPTIONS, *OTHERS, *ENVELOPES]
