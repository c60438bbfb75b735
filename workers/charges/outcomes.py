"""The names of what a gateway can answer: for metrics, and for the tables of what follows."""

from collections.abc import Mapping
from typing import Any

from shared.acts.account_health import OF_THE_MOMENT
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


def answer_name(found: Found) -> str:
    """The answer as the tables of states know it. An amount that is not taken is never asked for again under this key, and what
    only did not get through is asked for in the same words."""
    if isinstance(found, NotSent) and found.key_spent and found.code not in UNPAYABLE | OF_THE_MOMENT:
        return "refused"
    return OUTCOMES[type(found)]


def said(found: Found | Expired | Gone | TakenBack) -> dict[str, Any]:
    """An answer as an event or a code tells it; what a database can't hold is spelled out."""
    return {"outcome": type(found).__name__, **{name: printable(value) for name, value in found._asdict().items()}}


def printable(value: Any) -> Any:
    """A text without what can't be stored: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
