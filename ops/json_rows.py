"""The rows that commands print with `--json`, one struct per kind, and the page docs/operating/json.md generated from them.

A row is checked against its struct before it is printed. `python -m ops.json_rows` writes the page.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec

PAGE = Path(__file__).parents[1] / "docs" / "operating" / "json.md"


class JsonRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row for programs. No field has a default: every row has every field, null where nothing is known."""


class AccountRow(JsonRow, frozen=True, kw_only=True):
    """A gateway account: the names of its secrets, never the secrets."""

    agency_id: str
    provider: str
    secret: str
    test: bool
    rate_per_second: int | None
    webhook_secret: str | None
    shared: bool
    secret_found: bool
    webhooks: str


class BackfillRow(JsonRow, frozen=True, kw_only=True):
    """A cycle in the given dates, and what is done about it (`action`, null for nothing)."""

    agency_id: str
    subscription_id: str
    stream: str
    starts_on: date
    ends_on: date
    state: str | None
    reason: str | None
    document: str | None
    by_hand: str | None
    action: str | None
    what: str


class BlockedRow(JsonRow, frozen=True, kw_only=True):
    """A blocked cycle, with the reason and since when."""

    agency_id: str
    subscription_id: str
    stream: str
    starts_on: date
    ends_on: date
    due_at: datetime
    state: str
    reason: str | None
    detail: str | None
    since: datetime | None
    wake_at: datetime | None
    tries: int
    blocking_invoice_id: str | None
    blocking_starts_on: date | None


class BacklogRow(BlockedRow, frozen=True, kw_only=True):
    """A missing document; `state` is `unplanned` for a cycle that has no row yet."""

    will_make: str
    missing_for: str
    missing_seconds: int
    why: str


class EventRow(JsonRow, frozen=True, kw_only=True):
    """An event, as docs/events.md has it."""

    at: datetime
    type: str
    data: dict[str, Any]


class ChargeRow(JsonRow, frozen=True, kw_only=True):
    """An open charge attempt."""

    agency_id: str
    invoice_id: str
    attempt: int
    state: str
    code: str | None
    provider: str | None
    key: str | None
    amount_minor: int | None
    currency: str
    reference: str | None
    since: datetime
    sent_at: datetime | None
    wake_at: datetime | None


class InvariantRow(JsonRow, frozen=True, kw_only=True):
    """A promise about the ledger, and whether it holds."""

    invariant: str
    promise: str
    holds: bool


class ViolationRow(JsonRow, frozen=True, kw_only=True):
    """The keys of a row that breaks a promise."""

    invariant: str
    broken_by: dict[str, Any]


class MessageRow(JsonRow, frozen=True, kw_only=True):
    """A message from upstream as the inbox holds it."""

    inbox_id: int
    source: str
    id: str
    agency_id: str
    type: str
    received_at: datetime
    state: str
    field: str | None
    reason: str | None
    waits_for: str | None


class ReplayedRow(JsonRow, frozen=True, kw_only=True):
    """The outcome of a replayed message."""

    inbox_id: int
    agency_id: str
    source: str
    id: str
    state: str
    field: str
    reason: str


class NoticeRow(JsonRow, frozen=True, kw_only=True):
    """A mail and its delivery."""

    agency_id: str
    key: str
    occasion: str
    audience: str
    recipient: str
    invoice_id: str | None
    state: str
    outcome: str | None
    created_at: datetime
    tries: int
    tried_at: datetime | None
    refused_since: datetime | None
    doubts: int
    wake_at: datetime | None
    sent_at: datetime | None
    reason: str | None
    last_try_at: datetime | None


class RefundRow(JsonRow, frozen=True, kw_only=True):
    """A refund and its state."""

    agency_id: str
    invoice_id: str
    refund_seq: int
    state: str
    amount_minor: int
    currency: str
    source: str
    origin: str
    code: str | None
    reason: str | None
    key: str
    reference: str | None
    requested_at: datetime
    settled_at: datetime | None
    wake_at: datetime | None


class DifferenceRow(JsonRow, frozen=True, kw_only=True):
    """A difference between our records and a provider's list."""

    agency_id: str
    provider: str
    what: str
    reference: str
    invoice_id: str | None
    here_minor: int | None
    there_minor: int | None
    currency: str
    payment: str | None


class UnaskedRow(JsonRow, frozen=True, kw_only=True):
    """An account that could not be compared, and why."""

    agency_id: str
    provider: str
    what: str
    why: str


class CycleRow(JsonRow, frozen=True, kw_only=True):
    """A cycle of a recurrence."""

    index: int
    starts_on: date
    ends_on: date
    due_at: datetime


class SentRow(JsonRow, frozen=True, kw_only=True):
    """How many events were sent."""

    sent: int


class IngestedRow(JsonRow, frozen=True, kw_only=True):
    """How many lines were published, and how many were not."""

    published: int
    unreadable: int


class Counted(JsonRow, frozen=True, kw_only=True):
    """How many rows, and since when the oldest of them waits."""

    count: int
    oldest_at: datetime | None
    oldest_seconds: int | None


class CycleCount(JsonRow, frozen=True, kw_only=True):
    """Unsettled cycles of one stream, in one state, for one reason."""

    stream: str
    state: str
    reason: str | None
    cycles: int
    oldest_due_at: datetime | None
    oldest_seconds: int | None


class PauseRow(JsonRow, frozen=True, kw_only=True):
    """A paused pool; an empty `agency_id` means for all agencies. `reason`: null where the database role may not read it."""

    pool: str
    agency_id: str
    paused_at: datetime
    reason: str | None


class QueueDepth(JsonRow, frozen=True, kw_only=True):
    """Messages that wait in a queue, and how many read it."""

    waiting: int
    consumers: int


class Alarms(JsonRow, frozen=True, kw_only=True):
    """Counts that must stay 0."""

    late_releases: int
    refused_duplicates: int


class StatusRow(JsonRow, frozen=True, kw_only=True):
    """What is due, held, blocked and in doubt. `queues`: by pool; `{"error": words}` if the broker can't be asked."""

    as_of: datetime
    agency_id: str | None
    cycles: list[CycleCount]
    charges: dict[str, Counted]
    charges_stuck: dict[str, Counted]
    notices: dict[str, Counted]
    other: dict[str, Counted]
    alarms: Alarms
    scheduler_seen_seconds: int | None
    accounts_paused: int
    paused: list[PauseRow]
    queues: dict[str, QueueDepth | str | None] | None


class AboutSubscription(JsonRow, frozen=True, kw_only=True):
    """The subscription that a history is about."""

    kind: Literal["about"]
    agency_id: str
    timezone: str
    subscription_id: str
    client_id: str
    service_id: str
    checkout: str
    starts_on: date
    status: str
    quantity: int
    collection: str
    cancel_on: date | None
    known_since: datetime
    ended_at: datetime | None
    ended_reason: str | None


class AboutInvoice(JsonRow, frozen=True, kw_only=True):
    """The invoice that a history is about. `collected_minor`: what was paid, less what was reversed."""

    kind: Literal["about"]
    agency_id: str
    timezone: str
    subscription_id: str
    invoice_id: str
    number: str | None
    client_id: str
    cycle_starts_on: date
    cycle_ends_on: date
    issued_on: date
    due_on: date
    status: str
    collection: str
    currency: str
    total_minor: int
    failing_since: datetime | None
    failing_code: str | None
    exhausted_at: datetime | None
    collected_minor: int


class HappenedRow(JsonRow, frozen=True, kw_only=True):
    """Something that happened. `local`: the instant in the agency's time zone; `data` depends on `what`."""

    kind: Literal["happened"]
    local: str
    at: datetime
    what: str
    text: str
    data: dict[str, Any]


class NowRow(JsonRow, frozen=True, kw_only=True):
    """Something that has not ended, and why. `data` depends on `what`."""

    kind: Literal["now"]
    what: str
    text: str
    data: dict[str, Any]


class Money(JsonRow, frozen=True, kw_only=True):
    """Sums in one currency."""

    invoiced_minor: int
    collected_minor: int
    open_minor: int


class SummaryRow(JsonRow, frozen=True, kw_only=True):
    """What a simulated run came to: counts by state or kind."""

    moments: int
    messages: dict[str, int]
    orders: dict[str, int]
    invoices: dict[str, int]
    charges: dict[str, int]
    notices: dict[str, int]
    order_cycles: dict[str, int]
    invoice_cycles: dict[str, int]
    money: dict[str, Money]


COMMANDS: Mapping[str, tuple[type[JsonRow], ...]] = {
    "account list": (AccountRow,),
    "backfill": (BackfillRow,),
    "backlog": (BacklogRow,),
    "blocked list": (BlockedRow,),
    "blocked show": (BlockedRow, EventRow),
    "charge list": (ChargeRow,),
    "cycles": (CycleRow,),
    "doctor": (InvariantRow, ViolationRow),
    "events replay": (SentRow,),
    "inbox list": (MessageRow,),
    "inbox replay": (ReplayedRow,),
    "ingest": (IngestedRow,),
    "notices list": (NoticeRow,),
    "reconcile": (DifferenceRow, UnaskedRow),
    "invoice show": (AboutInvoice, HappenedRow, NowRow),
    "refund list": (RefundRow,),
    "simulate": (SummaryRow, Money),
    "status": (StatusRow, CycleCount, Counted, Alarms, PauseRow, QueueDepth),
    "subscription show": (AboutSubscription, HappenedRow, NowRow),
}


def json_line(row: Mapping[str, Any], struct: type[JsonRow]) -> str:
    """The row as a line of JSON. Raises msgspec.ValidationError if it does not fit the struct."""
    return msgspec.json.encode(msgspec.convert(row, struct)).decode()


_ABOUT = """\
One JSON object per line. Every row of a kind has all its fields, `null` where there is no value (marked `?`).
Dates are `YYYY-MM-DD`, instants RFC 3339 in UTC, amounts integers in minor units. Fields may be added. `status` and
`simulate` print one object; what it nests is listed after it. [Histories](history.md) explains each `what` of a history."""


def page() -> str:
    """The text of docs/operating/json.md."""
    lines = [
        "# What `--json` prints",
        "",
        "Written from `ops/json_rows.py` by `python -m ops.json_rows`; edit that file, not this one.",
        "",
        _ABOUT,
    ]
    for command, structs in COMMANDS.items():
        lines += ["", f"## `duecycle {command} --json`"]
        lines += [each for struct in structs for each in _kind(struct)]
    return "\n".join(lines) + "\n"


def _kind(struct: type[JsonRow]) -> Iterator[str]:
    hints = get_type_hints(struct)
    yield ""
    yield " ".join((struct.__doc__ or "").split())
    yield ""
    yield ", ".join(f"`{name}`{'?' if type(None) in getattr(hints[name], '__args__', ()) else ''}" for name in hints)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
