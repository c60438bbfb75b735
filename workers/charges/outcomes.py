"""The names of what a gateway can answer: for metrics, and for the tables of what follows."""

from collections.abc import Mapping
from typing import Any

from shared.billing.account_health import OF_THE_MOMENT
from shared.billing.event_fields import OfCharge, of_invoice
from shared.domain.refusals import UNPAYABLE
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Expired,
    Found,
    Gone,
    NotFound,
    NotSent,
    NotYetKnowable,
    Pending,
    Succeeded,
    TakenBack,
    Unknown,
)
from shared.messages import event_data
from shared.store.invoices import Invoice
from workers.charges.claim import Call

OUTCOMES: Mapping[type, str] = {
    Succeeded: "succeeded",
    Pending: "pending",
    Declined: "declined",
    ActionRequired: "action_required",
    Unknown: "unknown",
    NotSent: "not_sent",
    NotFound: "not_found",
    NotYetKnowable: "not_yet_knowable",
}

ANSWERS: Mapping[type, str] = {**OUTCOMES, Expired: "expired", Gone: "gone", TakenBack: "taken_back"}
"""What pages and questions about money taken back are answered, too."""


def answer_name(found: Found) -> str:
    """The answer as the tables of states know it. An amount that is not taken is never asked for again under this key, and what
    only did not get through is asked for in the same words."""
    if isinstance(found, NotSent) and found.key_spent and found.code not in UNPAYABLE | OF_THE_MOMENT:
        return "refused"
    return OUTCOMES[type(found)]


def provider_answer(found: Found | Expired | Gone | TakenBack) -> event_data.ProviderAnswer:
    """An answer as it is in an event; what a database can't hold is spelled out."""
    return event_data.ProviderAnswer(
        outcome=ANSWERS[type(found)],
        reference=printable(getattr(found, "reference", None)),
        code=printable(getattr(found, "code", None)),
        detail=printable(getattr(found, "detail", None) or None),
        amount_minor=found.amount_minor if isinstance(found, TakenBack) else None,
        currency=printable(found.currency) if isinstance(found, TakenBack) else None,
    )


def of_call(agency_id: str, call: Call, invoice: Invoice) -> OfCharge:
    """What an event says of the attempt that a call was made for, as it was asked for."""
    return {
        **of_invoice(agency_id, invoice),
        "attempt": call.attempt,
        "key": call.request.key,
        "provider": call.provider,
        "amount_minor": call.request.amount_minor,
        "currency": call.request.currency,
    }


def printable(value: Any) -> Any:
    """A text without what can't be stored: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
