"""From output rows to lanes: which subscriptions are drawn, how finely, and how each cycle is shown."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ops.report.axis import DAY, Axis, start_of
from ops.report.lanes import (
    Attempt,
    Block,
    Lane,
    Span,
    StoryRow,
    bin_blocks,
    ends_before,
    merge_runs,
    merge_spans,
    thin_attempts,
)
from ops.report.rows import CHARGES, CYCLES, EVENTS, INVOICE, INVOICES, Charge, Cycle, Event, Invoice, read_rows
from ops.report.summary import LaneKey, Summary
from ops.report.wording import count_text, date_text, instant_text, length_text, money_text, period_text

LANES_MAX = 1_000
CYCLES_SINGLY_MAX = 20_000
BLOCKS_PER_TRACK_MAX = 320  # more would be narrower than about three pixels each
MARKS_MAX = 20_000
STORY_ROWS_MAX = 6_000
LATE_AFTER = DAY  # an idle engine takes seconds; a document a day late has a cause worth seeing


@dataclass
class Gathered:
    """The lanes, ordered by agency and subscription, and what had to be simplified."""

    lanes: list[Lane]
    left_out: int
    merged: bool  # cycles of the whole run are drawn as runs
    narrow: bool  # cycles too narrow to see one by one are


@dataclass
class _Gathering:
    """Rows of the chosen subscriptions while they are read; paid invoices are only kept if cycles are drawn singly."""

    lanes: dict[LaneKey, Lane]
    singly: bool
    story_rows_max: int
    axis: Axis
    invoices: dict[tuple[str, str], Invoice] = field(default_factory=dict)
    failures: dict[tuple[str, str], list[Charge]] = field(default_factory=dict)
    kinds: dict[tuple[str, str, str], datetime] = field(default_factory=dict)  # by agency, invoice, event


def gather_lanes(folder: Path, summary: Summary, axis: Axis) -> Gathered:
    """Read the rows of the subscriptions that are drawn: all, or the LANES_MAX in most trouble."""
    keys = sorted(summary.tallies, key=lambda key: (summary.tallies[key].trouble, key))[:LANES_MAX]
    keys.sort()
    cycles = sum(summary.tallies[key].cycles for key in keys)
    gathering = _Gathering(
        lanes={key: Lane(*key, tally=summary.tallies[key]) for key in keys},
        singly=cycles <= CYCLES_SINGLY_MAX,
        story_rows_max=min(80, max(4, STORY_ROWS_MAX // max(1, len(keys)))),
        axis=axis,
    )
    _read_failures(folder, gathering)
    _read_turns(folder, gathering)
    _read_invoices(folder, gathering)
    _read_cycles(folder, gathering)
    lanes = list(gathering.lanes.values())
    narrow = _fit(lanes, gathering)
    for lane in lanes:
        lane.trim_story(gathering.story_rows_max)
    return Gathered(lanes, left_out=len(summary.tallies) - len(keys), merged=not gathering.singly, narrow=narrow)


def _read_failures(folder: Path, gathering: _Gathering) -> None:
    for charge in read_rows(folder, CHARGES, Charge):
        lane = gathering.lanes.get((charge.agency_id, charge.subscription_id))
        if lane is None or not charge.is_failure:
            continue
        gathering.failures.setdefault((charge.agency_id, charge.invoice_id), []).append(charge)
        cause = " ".join(filter(None, (charge.outcome, charge.code)))
        title = f"Attempt {charge.attempt} on {charge.invoice_number or charge.invoice_id}: {cause}"
        title += f"\n{instant_text(charge.at)} UTC"
        lane.tracks[INVOICE].attempts.append(Attempt(charge.at, charge.outcome or "", title))


def _read_turns(folder: Path, gathering: _Gathering) -> None:
    """When an invoice first failed, also without an attempt, and when it was voided: its own row does not keep that."""
    for event in read_rows(folder, EVENTS, Event):
        for kind in ("invoice.failing", "invoice.voided"):
            if kind in event.type and event.at and event.data:
                key = (event.agency_id or "", str(event.data.get("invoice_id")), kind)
                gathering.kinds.setdefault(key, event.at)


def _read_invoices(folder: Path, gathering: _Gathering) -> None:
    for invoice in read_rows(folder, INVOICES, Invoice):
        lane = gathering.lanes.get((invoice.agency_id, invoice.subscription_id))
        if lane is None:
            continue
        key = (invoice.agency_id, invoice.invoice_id)
        lane.client_id = lane.client_id or invoice.client_id or ""
        failures = gathering.failures.get(key, [])
        _add_failing_span(lane, invoice, failures, gathering)
        if gathering.singly or invoice.status != "paid":
            gathering.invoices[key] = invoice
        if gathering.singly or failures or invoice.status != "paid":
            lane.tell(_invoice_story(invoice, failures), gathering.story_rows_max)


def _add_failing_span(lane: Lane, invoice: Invoice, failures: list[Charge], gathering: _Gathering) -> None:
    refused_at = [charge.at for charge in failures if charge.outcome in ("declined", "action_required")]
    failing_at, voided_at = (
        gathering.kinds.get((invoice.agency_id, invoice.invoice_id, kind))
        for kind in ("invoice.failing", "invoice.voided")
    )
    starts_at = min(filter(None, (invoice.failing_since, failing_at, *refused_at)), default=None)
    if starts_at is None:
        return
    ends_at = invoice.paid_at
    if invoice.status == "void":
        ends_at = voided_at or max(refused_at, default=starts_at)
    until = f"→ {instant_text(ends_at)} UTC" if ends_at else "and still failing"
    title = f"Invoice {invoice.label} failing\n{instant_text(starts_at)} {until}"
    title += f"\n{count_text(len(refused_at), 'refused attempt')}"
    lane.tracks[INVOICE].spans.append(Span(starts_at, ends_at, "failing", title))


def _invoice_story(invoice: Invoice, failures: list[Charge]) -> StoryRow:
    details = [money_text(invoice.total_minor, invoice.currency)]
    if invoice.origin == "manual":
        details.append("issued by hand")
    if invoice.paid_at:
        details.append(f"paid {instant_text(invoice.paid_at)}")
    elif invoice.collected_minor:
        details.append(f"{money_text(invoice.collected_minor, invoice.currency)} collected")
    if invoice.status == "open":
        details.append(f"due {date_text(invoice.due_on)}" if invoice.due_on else "no due date")
    causes = Counter(" ".join(filter(None, (charge.outcome, charge.code))) for charge in failures)
    details += [f"{count} × {cause}" for cause, count in sorted(causes.items())]
    starts_on, ends_on = invoice.period_starts_on, invoice.period_ends_on
    return StoryRow(
        at=start_of(invoice.issued_on),
        when=date_text(invoice.issued_on),
        rank=0 if failures or invoice.status != "paid" else 1,
        what=f"Invoice {invoice.label}",
        period=period_text(starts_on, ends_on) if starts_on and ends_on else "",
        outcome="failing" if invoice.is_failing else invoice.status,
        detail=", ".join(filter(None, details)),
    )


def _read_cycles(folder: Path, gathering: _Gathering) -> None:
    for cycle in read_rows(folder, CYCLES, Cycle):
        lane = gathering.lanes.get((cycle.agency_id, cycle.subscription_id))
        if lane is None or cycle.stream not in lane.tracks:
            continue
        track = lane.tracks[cycle.stream]
        invoice = gathering.invoices.get((cycle.agency_id, cycle.invoice_id or ""))
        paint = _paint(cycle, invoice)
        spans = list(_spans(cycle))
        track.spans += spans
        if ends_before(cycle.ends_on, gathering.axis):
            track.earlier[paint] += 1
        else:
            title = _cycle_title(cycle, paint, invoice, spans) if gathering.singly else ""
            track.add(Block(cycle.starts_on, cycle.ends_on, paint, title), merging=not gathering.singly)
        plain = cycle.state == "done" and not spans
        if (gathering.singly or not plain) and not (plain and cycle.stream == INVOICE):
            lane.tell(_cycle_story(cycle, paint, spans), gathering.story_rows_max)


def _paint(cycle: Cycle, invoice: Invoice | None) -> str:
    """How the block looks: the cycle's state, and the status of its invoice, if there is one."""
    if cycle.state != "done" or cycle.stream != INVOICE:
        return cycle.state
    if invoice is None:
        return "paid"
    return "failing" if invoice.is_failing else invoice.status


def _spans(cycle: Cycle) -> list[Span]:
    spans = []
    for kind, starts_at in (("held", cycle.held_at), ("blocked", cycle.blocked_at)):
        if starts_at is not None:
            spans.append(_trouble(cycle, kind, starts_at))
    is_late = cycle.due_at and cycle.settled_at and cycle.settled_at - cycle.due_at > LATE_AFTER
    if cycle.state == "done" and not spans and is_late and cycle.due_at and cycle.settled_at:
        title = f"{cycle.stream.title()} {cycle.index}"
        title += f"\nmade late: due {instant_text(cycle.due_at)}, made {instant_text(cycle.settled_at)} UTC"
        spans.append(Span(cycle.due_at, cycle.settled_at, "late", title))
    return spans


def _trouble(cycle: Cycle, kind: str, starts_at: datetime) -> Span:
    title = f"{cycle.stream.title()} {cycle.index}\n{kind} {instant_text(starts_at)} "
    if cycle.settled_at:
        title += f"→ {instant_text(cycle.settled_at)} UTC ({length_text(cycle.settled_at - starts_at)})"
    else:
        title += "UTC, not released"
    if kind == "held" and cycle.blocking_starts_on:
        title += f"\nby the invoice of {date_text(cycle.blocking_starts_on, year=True)}"
    return Span(starts_at, cycle.settled_at, kind, title)


def _cycle_title(cycle: Cycle, paint: str, invoice: Invoice | None, spans: list[Span]) -> str:
    name = f"Invoice {invoice.label}" if invoice else f"{cycle.stream.title()} {cycle.index}"
    lines = [f"{name}: {paint}", period_text(cycle.starts_on, cycle.ends_on)]
    if invoice:
        lines.append(money_text(invoice.total_minor, invoice.currency))
    if cycle.reason and cycle.state != "done":
        lines.append(cycle.reason)
    lines += [span.detail for span in spans]
    return "\n".join(lines)


def _cycle_story(cycle: Cycle, paint: str, spans: list[Span]) -> StoryRow:
    details = [cycle.reason] if cycle.reason and cycle.state != "done" else []
    details += [span.detail.replace("\n", ", ") for span in spans]
    starts_at = next((span.starts_at for span in spans), None)
    at = starts_at or cycle.settled_at or cycle.due_at or start_of(cycle.starts_on)
    return StoryRow(
        at=at,
        when=instant_text(at),
        rank=2 if cycle.state in ("done", "due") and not spans else 0,
        what=f"{cycle.stream.title()} {cycle.index}",
        period=period_text(cycle.starts_on, cycle.ends_on),
        outcome=paint,
        detail=", ".join(details),
    )


def _fit(lanes: list[Lane], gathering: _Gathering) -> bool:
    """Merge what is too fine to see or too much to send; True if any cycle is no longer drawn alone."""
    tracks = [track for lane in lanes for track in lane.tracks.values()]
    share = max(12, min(BLOCKS_PER_TRACK_MAX, MARKS_MAX // max(1, len(tracks))))
    for track in tracks:
        if not gathering.singly or len(track.blocks) > BLOCKS_PER_TRACK_MAX:
            track.blocks = merge_runs(track.blocks)
    crowded = sum(len(track.blocks) for track in tracks) > MARKS_MAX
    gap = timedelta(days=gathering.axis.days) / share
    for track in tracks:
        if len(track.blocks) > (share if crowded else BLOCKS_PER_TRACK_MAX):
            track.blocks = bin_blocks(track.blocks, gathering.axis, share)
        if not gathering.singly or len(track.spans) > BLOCKS_PER_TRACK_MAX:
            track.spans = merge_spans(track.spans, gap)
            track.attempts = list(thin_attempts(track.attempts, gap))
    return any(block.count > 1 for track in tracks for block in track.blocks)
