"""The least and the most that the messages about one invoice can say, and what each must decode to."""

from datetime import UTC, date, datetime
from typing import Any

from shared.messages import ChargeRequested, InvoiceIssued, InvoicePaid, InvoiceRefunded, InvoiceVoided, RefundRequested
from tests.messages.change_lines import GIVE_BACK, ISSUED, PAID, REFUNDED, REQUESTED, VOIDED, Data

MINIMAL_OF_INVOICES: dict[str, tuple[Data, Any]] = {
    "invoice.issued": (
        ISSUED,
        InvoiceIssued(
            agency_id="a1",
            subscription_id="sub1",
            invoice_id="inv1",
            issued_on=date(2026, 2, 3),
            status="open",
            number=None,
            total_minor=None,
            currency=None,
            send=False,
        ),
    ),
    "invoice.paid": (
        PAID,
        InvoicePaid(agency_id="a1", invoice_id="inv1", paid_at=None, reference=None, amount_minor=None),
    ),
    "invoice.voided": (VOIDED, InvoiceVoided(agency_id="a1", number="NL-7", reason=None)),
    "invoice.refunded": (REFUNDED, InvoiceRefunded(agency_id="a1", invoice_id="inv1")),
    "refund.requested": (GIVE_BACK, RefundRequested(agency_id="a1", number="NL-7")),
    "charge.requested": (
        REQUESTED,
        ChargeRequested(agency_id="a1", subscription_id="sub1", period_starts_on=date(2026, 2, 28)),
    ),
}

FULL_OF_INVOICES: dict[str, tuple[Data, Any]] = {
    "invoice.issued": (
        ISSUED | {"status": "paid", "number": "2026/7", "total_minor": 0, "currency": "JPY", "send": True},
        InvoiceIssued(
            agency_id="a1",
            subscription_id="sub1",
            invoice_id="inv1",
            issued_on=date(2026, 2, 3),
            status="paid",
            number="2026/7",
            total_minor=0,
            currency="JPY",
            send=True,
        ),
    ),
    "invoice.paid": (
        {"agency_id": "a1", "number": "NL-7", "invoice_id": None}
        | {"paid_at": "2026-07-10T13:55:00.25Z", "reference": "transfer 4711", "amount_minor": 10**15},
        InvoicePaid(
            agency_id="a1",
            number="NL-7",
            paid_at=datetime(2026, 7, 10, 13, 55, 0, 250_000, tzinfo=UTC),
            reference="transfer 4711",
            amount_minor=1_000_000_000_000_000,
        ),
    ),
    "invoice.voided": (
        {"agency_id": "a1", "subscription_id": "sub1", "period_starts_on": "2026-02-28", "reason": "twice\n\tsorry"},
        InvoiceVoided(
            agency_id="a1", subscription_id="sub1", period_starts_on=date(2026, 2, 28), reason="twice\n\tsorry"
        ),
    ),
    "invoice.refunded": (
        REFUNDED
        | {
            "refunded_at": "2026-07-10T13:55:00Z",
            "reference": "transfer 4802",
            "amount_minor": 1,
            "reason": "half\na month",
        },
        InvoiceRefunded(
            agency_id="a1",
            invoice_id="inv1",
            refunded_at=datetime(2026, 7, 10, 13, 55, tzinfo=UTC),
            reference="transfer 4802",
            amount_minor=1,
            reason="half\na month",
        ),
    ),
    "refund.requested": (
        GIVE_BACK | {"amount_minor": 10**15, "reason": "goodwill"},
        RefundRequested(agency_id="a1", number="NL-7", amount_minor=1_000_000_000_000_000, reason="goodwill"),
    ),
}
