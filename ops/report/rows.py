"""The output files of a run, read one line at a time: only the fields that the page shows."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

CYCLES = "cycles.jsonl"
ORDERS = "orders.jsonl"
INVOICES = "invoices.jsonl"
CHARGES = "charges.jsonl"
NOTICES = "notices.jsonl"
EVENTS = "events.jsonl"
REJECTED = "rejected.jsonl"

ORDER = "order"
INVOICE = "invoice"


class Cycle(msgspec.Struct, frozen=True, gc=False):
    """One expected occurrence of a stream; `settled_at` is when it stopped being due, waiting, held or blocked."""

    subscription_id: str
    stream: str
    index: int
    starts_on: date
    ends_on: date
    state: str
    agency_id: str = ""
    due_at: datetime | None = None
    reason: str | None = None
    held_at: datetime | None = None
    blocked_at: datetime | None = None
    settled_at: datetime | None = None
    blocking_starts_on: date | None = None
    blocking_invoice_id: str | None = None
    invoice_id: str | None = None


class Order(msgspec.Struct, frozen=True, gc=False):
    """One order; the page only counts them by origin."""

    subscription_id: str
    agency_id: str = ""
    origin: str = "automatic"


class Invoice(msgspec.Struct, frozen=True, gc=False):
    """One invoice as it stood when the run ended; amounts in minor units of `currency`."""

    invoice_id: str
    subscription_id: str
    issued_on: date
    status: str
    currency: str
    total_minor: int
    agency_id: str = ""
    period_starts_on: date | None = None
    period_ends_on: date | None = None
    client_id: str | None = None
    number: str | None = None
    external_number: str | None = None
    due_on: date | None = None
    cycle_index: int | None = None
    paid_at: datetime | None = None
    failing_since: datetime | None = None
    collected_minor: int = 0
    origin: str = "automatic"

    @property
    def label(self) -> str:
        """The number people know it by."""
        return self.number or self.external_number or self.invoice_id

    @property
    def is_failing(self) -> bool:
        """True while the invoice is open after a payment failed."""
        return self.status == "open" and self.failing_since is not None


class Charge(msgspec.Struct, frozen=True, gc=False):
    """One attempt to collect an invoice; a null `outcome` has not been answered yet."""

    invoice_id: str
    subscription_id: str
    attempt: int
    at: datetime
    agency_id: str = ""
    invoice_number: str | None = None
    outcome: str | None = None
    code: str | None = None
    currency: str = ""

    @property
    def is_failure(self) -> bool:
        """True if the attempt brought no money and is not simply under way, nor dropped because none was needed any more."""
        dropped = self.outcome == "not_sent" and (self.code or "").startswith("invoice_")
        return not dropped and self.outcome not in (None, "succeeded", "pending", "due", "sending")


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One message sent; the page only counts them by occasion and audience."""

    occasion: str
    audience: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """One business fact; the page follows the answers to upstream messages, payments, and the fate of invoices."""

    type: str
    agency_id: str | None = None
    subject: str = ""
    at: datetime | None = None
    data: dict[str, Any] | None = None


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """One upstream line that was refused, with the first bad field and why."""

    line: int | None = None
    id: str | None = None
    field: str | None = None
    reason: str | None = None
    agency_id: str | None = None


Row = TypeVar("Row", Cycle, Order, Invoice, Charge, Notice, Event, Rejected)


def read_rows(folder: Path, name: str, kind: type[Row]) -> Iterator[Row]:
    """Yield the rows of `folder/name` in file order; a missing file has none.

    Raises ValueError, naming file and line, for a line that is not such a row.
    """
    path = folder / name
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
