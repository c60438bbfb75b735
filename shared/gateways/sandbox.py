"""The sandbox gateway: deterministic, scripted by the payment method's token, with a ledger of its own.

Tokens: `ok` · `decline:<code>` · `action_required` · `decline_until:YYYY-MM-DD` · `outage_until:YYYY-MM-DD` · `pending:N` ·
`unknown_then_ok` · `unknown_then_declined`. Dates are the agency's local days. The ledger is keyed by idempotency key, so
that a test can count what was really charged.
"""

from datetime import date, timedelta
from typing import NamedTuple, Protocol

from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotFound,
    NotSent,
    Outcome,
    Pending,
    RefundRequest,
    Sent,
    Succeeded,
    Unknown,
)

INVALID_TOKEN = "invalid_token"  # noqa: S105 - a decline code


class Entry(NamedTuple):
    """What the sandbox remembers of a key."""

    agency_id: str
    key: str
    amount_minor: int
    currency: str
    token: str
    outcome: str
    code: str | None
    reference: str
    settles_on: date | None


class Ledger(Protocol):
    """Where the sandbox keeps its entries: one per key, the first one stays."""

    def find(self, agency_id: str, key: str) -> Entry | None: ...

    def keep(self, entry: Entry) -> Entry: ...


class SandboxGateway:
    """See the module. Safe to share between threads if its ledger is."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        """The scripted outcome; a key seen before replays its first answer."""
        entry = self._ledger.find(request.agency_id, request.key)
        if entry is None:
            script, _, argument = request.token.partition(":")
            if script == "outage_until" and _before(today, argument):
                return NotSent(f"sandbox is down until {argument}")
            entry = self._ledger.keep(_entry(request, today))
            if script.startswith("unknown_then_"):
                return Unknown("the sandbox lost the answer")
        if entry.amount_minor != request.amount_minor or entry.currency != request.currency:
            return NotSent("key was used with other parameters")
        return _outcome(entry, today)

    def lookup(self, request: ChargeRequest, today: date, sent: Sent) -> Found:
        """What the ledger holds under the key."""
        del sent
        entry = self._ledger.find(request.agency_id, request.key)
        return NotFound() if entry is None else _outcome(entry, today)

    def refund(self, request: RefundRequest) -> Outcome:
        """The sandbox gives back whatever it is asked for; the same key means the same refund."""
        return Succeeded(f"sbxre_{request.key[-24:]}")

    def find_refund(self, request: RefundRequest, sent: Sent) -> Found:
        """As `refund`: nothing is ever lost on the way."""
        del sent
        return self.refund(request)


def _before(today: date, argument: str) -> bool:
    try:
        return today < date.fromisoformat(argument)
    except ValueError:
        return False


def _entry(request: ChargeRequest, today: date) -> Entry:
    outcome, code, settles_on = _script(request.token, today)
    return Entry(
        agency_id=request.agency_id,
        key=request.key,
        amount_minor=request.amount_minor,
        currency=request.currency,
        token=request.token,
        outcome=outcome,
        code=code,
        reference=f"sbx_{request.key[-24:]}",
        settles_on=settles_on,
    )


def _script(token: str, today: date) -> tuple[str, str | None, date | None]:
    """Outcome, code and day of settlement that a token means."""
    script, _, argument = token.partition(":")
    if script in ("ok", "unknown_then_ok"):
        return "succeeded", None, None
    if script == "unknown_then_declined":
        return "declined", "processing_error", None
    if script == "decline" and argument:
        return "declined", argument, None
    if script == "action_required":
        return "action_required", "authentication_required", None
    if script == "pending" and argument.isdecimal() and len(argument) <= 4:
        return "pending", None, today + timedelta(days=int(argument))
    if script in ("decline_until", "outage_until") and _is_date(argument):
        declined = script == "decline_until" and _before(today, argument)
        return ("declined", "insufficient_funds", None) if declined else ("succeeded", None, None)
    return "declined", INVALID_TOKEN, None


def _is_date(argument: str) -> bool:
    try:
        date.fromisoformat(argument)
    except ValueError:
        return False
    return True


def _outcome(entry: Entry, today: date) -> Outcome:
    if entry.outcome == "succeeded":
        return Succeeded(entry.reference)
    if entry.outcome == "pending":
        settled = entry.settles_on is not None and today >= entry.settles_on
        return Succeeded(entry.reference) if settled else Pending(entry.reference)
    if entry.outcome == "action_required":
        return ActionRequired(entry.code or "authentication_required")
    return Declined(entry.code or "processing_error")
