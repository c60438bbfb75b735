"""What a lane shows: the cycles of one subscription as blocks, its troubles as spans, and its story in words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from ops.report.axis import Axis, start_of
from ops.report.rows import INVOICE, ORDER
from ops.report.summary import Tally

# The worst first: when many cycles share one block, the worst of them gives the colour.
PAINTS = (
    "blocked",
    "held",
    "failing",
    "uncollectible",
    "waiting",
    "open",
    "due",
    "void",
    "skipped",
    "cancelled",
    "done",
    "paid",
)
SEVERITY = {paint: rank for rank, paint in enumerate(PAINTS)}


@dataclass(slots=True)
class Block:
    """A period of one cycle, or a run of `count` neighbours with the same outcome; `title` is empty for a run."""

    starts_on: date
    ends_on: date
    paint: str
    title: str = ""
    count: int = 1


@dataclass(slots=True)
class Span:
    """Time between trouble and its end: `held`, `blocked`, `late`, `failing`. Without an end it lasts to the edge."""

    starts_at: datetime
    ends_at: datetime | None
    kind: str
    title: str  # its first line names the document
    count: int = 1

    @property
    def detail(self) -> str:
        """The title without the name of the document."""
        return self.title.partition("\n")[2]


@dataclass(slots=True)
class Attempt:
    """A failed attempt to collect."""

    at: datetime
    outcome: str
    title: str


@dataclass(slots=True)
class StoryRow:
    """One line of the story, dated `when`, sorted by `at`; `rank` 0 is trouble, 1 an invoice, 2 anything else."""

    at: datetime
    when: str
    rank: int
    what: str
    period: str
    outcome: str
    detail: str


@dataclass(slots=True)
class Track:
    """One stream of a lane."""

    blocks: list[Block] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    paints: Counter[str] = field(default_factory=Counter)
    earlier: Counter[str] = field(default_factory=Counter)  # cycles that ended before the page begins

    def add(self, block: Block, *, merging: bool) -> None:
        """Append a block; when merging, a neighbour with the same outcome grows instead."""
        self.paints[block.paint] += 1
        last = self.blocks[-1] if self.blocks else None
        if merging and last and last.paint == block.paint and last.ends_on == block.starts_on:
            last.ends_on = block.ends_on
            last.count += 1
            last.title = ""
        else:
            self.blocks.append(block)


@dataclass(slots=True)
class Lane:
    """One subscription."""

    agency_id: str
    subscription_id: str
    tally: Tally
    client_id: str = ""
    tracks: dict[str, Track] = field(default_factory=lambda: {ORDER: Track(), INVOICE: Track()})
    story: list[StoryRow] = field(default_factory=list)
    untold: int = 0  # story rows left out

    def tell(self, row: StoryRow, most: int) -> None:
        """Keep a row of the story; what is far too much to show is only counted."""
        if len(self.story) < most * 20:
            self.story.append(row)
        else:
            self.untold += 1

    def trim_story(self, most: int) -> None:
        """Keep the `most` rows that matter most, in order of time."""
        ranked = sorted(self.story, key=lambda row: (row.rank, row.at, row.what))
        self.untold += max(0, len(ranked) - most)
        self.story = sorted(ranked[:most], key=lambda row: (row.at, row.rank, row.what))


def merge_runs(blocks: Iterable[Block]) -> list[Block]:
    """Neighbours with the same outcome become one block; the order of time is restored first."""
    runs: list[Block] = []
    for block in sorted(blocks, key=lambda block: (block.starts_on, block.ends_on)):
        last = runs[-1] if runs else None
        if last and last.paint == block.paint and last.ends_on == block.starts_on:
            runs[-1] = replace(last, ends_on=block.ends_on, count=last.count + block.count, title="")
        else:
            runs.append(block)
    return runs


def bin_blocks(blocks: Iterable[Block], axis: Axis, bins: int) -> list[Block]:
    """At most about `bins` blocks over the whole axis, each in the colour of its worst cycle."""
    step = max(1, -(-axis.days // bins))
    first_on = axis.begins_at.date()
    worst: dict[int, str] = {}
    counts: Counter[int] = Counter()
    for block in blocks:
        low = max(0, (block.starts_on - first_on).days // step)
        high = min(-(-axis.days // step) - 1, ((block.ends_on - first_on).days - 1) // step)
        counts[min(low, high)] += block.count
        for cell in range(low, high + 1):
            known = worst.get(cell)
            if known is None or SEVERITY.get(block.paint, 99) < SEVERITY.get(known, 99):
                worst[cell] = block.paint
    days = timedelta(days=1) * step
    return merge_runs(
        Block(first_on + days * cell, first_on + days * (cell + 1), worst[cell], count=counts[cell])
        for cell in sorted(worst)
    )


def merge_spans(spans: Iterable[Span], gap: timedelta) -> list[Span]:
    """Spans of one kind that touch, or are less than `gap` apart, become one with their count."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.kind, span.starts_at)):
        last = merged[-1] if merged else None
        if last is None or last.kind != span.kind or (last.ends_at is not None and span.starts_at > last.ends_at + gap):
            merged.append(span)
            continue
        ends_at = None if last.ends_at is None or span.ends_at is None else max(last.ends_at, span.ends_at)
        merged[-1] = replace(last, ends_at=ends_at, count=last.count + span.count)
    return merged


def thin_attempts(attempts: Iterable[Attempt], gap: timedelta) -> Iterator[Attempt]:
    """Attempts at least `gap` apart: marks on top of each other show no more than one."""
    last_at: datetime | None = None
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        if last_at is None or attempt.at - last_at >= gap:
            last_at = attempt.at
            yield attempt


def ends_before(ends_on: date, axis: Axis) -> bool:
    """True for a period that the axis does not reach back to."""
    return start_of(ends_on) <= axis.begins_at
