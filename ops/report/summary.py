"""What the run came to: one pass over the output files, keeping sums and the few rows that went wrong."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from ops.report.rows import (
    CHARGES,
    CYCLES,
    EVENTS,
    INVOICES,
    NOTICES,
    ORDERS,
    REJECTED,
    Charge,
    Cycle,
    Event,
    Invoice,
    Notice,
    Order,
    Rejected,
    read_rows,
)

REJECTED_ROWS_MAX = 500
UNDOCUMENTED = ("skipped", "cancelled")

LaneKey = tuple[str, str]  # agency_id, subscription_id


@dataclass
class Money:
    """One currency, in minor units. Void invoices are separate: they are neither invoiced nor open."""

    invoices: int = 0
    invoiced_minor: int = 0
    collected_minor: int = 0
    open_minor: int = 0
    failing_minor: int = 0
    uncollectible_minor: int = 0
    void_minor: int = 0
    void: int = 0
    invoiced_by_day: Counter[date] = field(default_factory=Counter)
    collected_by_day: Counter[date] = field(default_factory=Counter)
    payments_by_day: Counter[date] = field(default_factory=Counter)

    @property
    def payments_known(self) -> bool:
        """True if the recorded payments are all that was collected, so that the day of each is known."""
        return self.payments_by_day.total() == self.collected_minor

    @property
    def received_by_day(self) -> Counter[date]:
        """Minor units by the day on which the money was received, as far as that is known."""
        return self.payments_by_day if self.payments_known else self.collected_by_day

    def add(self, invoice: Invoice) -> None:
        """Count one invoice, its money on the UTC day on which it became paid, of an unpaid one on the day of issue."""
        if invoice.collected_minor:
            paid_on = invoice.paid_at.astimezone(UTC).date() if invoice.paid_at else invoice.issued_on
            self.collected_minor += invoice.collected_minor
            self.collected_by_day[paid_on] += invoice.collected_minor
        if invoice.status == "void":
            self.void += 1
            self.void_minor += invoice.total_minor
            return
        rest = max(0, invoice.total_minor - invoice.collected_minor)
        self.invoices += 1
        self.invoiced_minor += invoice.total_minor
        self.invoiced_by_day[invoice.issued_on] += invoice.total_minor
        if invoice.status == "open":
            self.open_minor += rest
            self.failing_minor += rest if invoice.is_failing else 0
        elif invoice.status == "uncollectible":
            self.uncollectible_minor += rest


@dataclass
class Tally:
    """What one subscription went through: enough to say which lanes matter most."""

    cycles: int = 0
    held: int = 0
    blocked: int = 0
    failing: int = 0
    was_held: int = 0
    was_blocked: int = 0

    @property
    def trouble(self) -> tuple[int, ...]:
        """Sorts the worst first."""
        return (-self.blocked, -self.held, -self.failing, -self.was_blocked, -self.was_held)


@dataclass
class Stuck:
    """Cycles of one stream that are held or blocked for the same reason when the run ends."""

    cycles: int = 0
    since: datetime | None = None


@dataclass
class FailedInvoice:
    """Failed attempts on one invoice, and its status when the run ends."""

    subscription_id: str
    label: str
    currency: str
    attempts: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None
    invoice: Invoice | None = None


@dataclass
class Summary:
    """The whole run in figures."""

    orders: Counter[str] = field(default_factory=Counter)  # by origin
    invoices: Counter[str] = field(default_factory=Counter)  # by status, a failing one as "failing"
    money: dict[str, Money] = field(default_factory=lambda: defaultdict(Money))
    cycles: Counter[tuple[str, str]] = field(default_factory=Counter)  # by stream, state
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # by stream, state, reason
    tallies: dict[LaneKey, Tally] = field(default_factory=lambda: defaultdict(Tally))
    stuck: dict[tuple[str, str, str, str, str], Stuck] = field(default_factory=lambda: defaultdict(Stuck))
    failures: dict[tuple[str, str], FailedInvoice] = field(default_factory=dict)  # by agency, invoice
    charges: Counter[str] = field(default_factory=Counter)  # by outcome
    notices: Counter[tuple[str, str]] = field(default_factory=Counter)  # by occasion, audience
    rejected: list[Rejected] = field(default_factory=list)  # the first REJECTED_ROWS_MAX
    rejected_count: int = 0
    waiting_messages: int = 0

    def now(self, state: str) -> int:
        """Cycles in `state` when the run ended."""
        return sum(count for (_, at), count in self.cycles.items() if at == state)

    def subscriptions(self, what: str) -> int:
        """Subscriptions whose tally of `what` is not zero."""
        return sum(1 for tally in self.tallies.values() if getattr(tally, what))

    def total(self, what: str) -> int:
        """Sum of one figure of all tallies."""
        return sum(getattr(tally, what) for tally in self.tallies.values())

    @property
    def nothing_happened(self) -> bool:
        """True if the run left no row that the page could show."""
        return not (self.tallies or self.orders or self.rejected_count or self.waiting_messages)


def summarise(folder: Path) -> Summary:
    """Read every output file of `folder` once. Raises ValueError for a line that is not a row of its file."""
    summary = Summary()
    for order in read_rows(folder, ORDERS, Order):
        summary.orders[order.origin] += 1
    for cycle in read_rows(folder, CYCLES, Cycle):
        _add_cycle(summary, cycle)
    for charge in read_rows(folder, CHARGES, Charge):
        _add_charge(summary, charge)
    for invoice in read_rows(folder, INVOICES, Invoice):
        _add_invoice(summary, invoice)
    for notice in read_rows(folder, NOTICES, Notice):
        summary.notices[notice.occasion, notice.audience] += 1
    for rejected in read_rows(folder, REJECTED, Rejected):
        summary.rejected_count += 1
        if summary.rejected_count <= REJECTED_ROWS_MAX:
            summary.rejected.append(rejected)
    _add_events(summary, folder)
    return summary


def _add_cycle(summary: Summary, cycle: Cycle) -> None:
    summary.cycles[cycle.stream, cycle.state] += 1
    tally = summary.tallies[cycle.agency_id, cycle.subscription_id]
    tally.cycles += 1
    tally.held += cycle.state == "held"
    tally.blocked += cycle.state == "blocked"
    tally.was_held += cycle.held_at is not None
    tally.was_blocked += cycle.blocked_at is not None
    reason = cycle.reason or ""
    if cycle.state in UNDOCUMENTED:
        summary.reasons[cycle.stream, cycle.state, reason] += 1
    if cycle.state in ("held", "blocked"):
        stuck = summary.stuck[cycle.agency_id, cycle.subscription_id, cycle.stream, cycle.state, reason]
        since = cycle.held_at if cycle.state == "held" else cycle.blocked_at
        stuck.cycles += 1
        stuck.since = min(filter(None, (stuck.since, since)), default=None)


def _add_charge(summary: Summary, charge: Charge) -> None:
    summary.charges[charge.outcome or "sending"] += 1
    if not charge.is_failure:
        return
    failed = summary.failures.setdefault(
        (charge.agency_id, charge.invoice_id),
        FailedInvoice(
            subscription_id=charge.subscription_id,
            label=charge.invoice_number or charge.invoice_id,
            currency=charge.currency,
        ),
    )
    failed.attempts += 1
    failed.causes[" ".join(filter(None, (charge.outcome, charge.code)))] += 1
    failed.first_at = min(filter(None, (failed.first_at, charge.at)))
    failed.last_at = max(filter(None, (failed.last_at, charge.at)))


def _add_invoice(summary: Summary, invoice: Invoice) -> None:
    summary.invoices["failing" if invoice.is_failing else invoice.status] += 1
    summary.money[invoice.currency].add(invoice)
    summary.tallies[invoice.agency_id, invoice.subscription_id].failing += invoice.is_failing
    failed = summary.failures.get((invoice.agency_id, invoice.invoice_id))
    if failed is None and invoice.is_failing:  # it has no usable payment method, so nothing was tried
        failed = FailedInvoice(subscription_id=invoice.subscription_id, label=invoice.label, currency=invoice.currency)
        failed.causes["no attempt"] += 1
        failed.first_at = failed.last_at = invoice.failing_since
        summary.failures[invoice.agency_id, invoice.invoice_id] = failed
    if failed is not None:
        failed.invoice = invoice


def _add_events(summary: Summary, folder: Path) -> None:
    """Payments by day, and the upstream messages that were answered `change.waiting` and by nothing since."""
    waiting: set[tuple[str, str]] = set()
    for event in read_rows(folder, EVENTS, Event):
        data = event.data or {}
        message = (str(data.get("change_source") or ""), str(data.get("change_id") or event.subject))
        if "payment.recorded" in event.type and data.keys() >= {"received_at", "currency", "amount_minor"}:
            received_at = datetime.fromisoformat(data["received_at"]).astimezone(UTC)
            summary.money[data["currency"]].payments_by_day[received_at.date()] += data["amount_minor"]
        elif "change.waiting" in event.type:
            waiting.add(message)
        elif "change.applied" in event.type or "change.rejected" in event.type:
            waiting.discard(message)
    summary.waiting_messages = len(waiting)
