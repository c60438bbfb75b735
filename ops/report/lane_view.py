"""The lanes as HTML and inline SVG: horizontal places in per cent, so that they stay crisp at any width."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from ops.report.axis import FULL, Axis, percent, start_of
from ops.report.gather import LANES_MAX, Gathered
from ops.report.lanes import SEVERITY, Attempt, Block, Lane, Span, Track
from ops.report.rows import INVOICE, ORDER
from ops.report.wording import count_text, esc, instant_text, period_text

ROOMY_UP_TO = 40  # subscriptions; more than that get the compact lanes
LEAST_WIDTH = 20  # of FULL: about two pixels
DOTTED = ("held", "blocked", "late")  # spans that end with a document or another outcome: a dot says when

LEGEND_BLOCKS = (
    ("done", "order created"),
    ("paid", "invoice paid"),
    ("open", "invoice open"),
    ("failing", "invoice failing"),
    ("uncollectible", "uncollectible"),
    ("void", "void"),
    ("due", "due"),
    ("waiting", "waiting"),
    ("held", "held"),
    ("blocked", "blocked"),
    ("skipped", "skipped"),
    ("cancelled", "cancelled"),
)
LEGEND_SPANS = (
    ("held", "held until released"),
    ("blocked", "blocked until freed"),
    ("late", "due until made, over a day"),
    ("failing", "payment failing"),
)

PATTERNS = (
    '<svg class="defs" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="held-ground" width="6" height="6"/><rect class="held-line" width="2.5" height="6"/></pattern>'
    '<pattern id="bars" width="4" height="4" patternUnits="userSpaceOnUse">'
    '<rect class="blocked-ground" width="4" height="4"/><rect class="blocked-line" width="1.5" height="4"/></pattern>'
    '<pattern id="dots" width="6" height="20" patternUnits="userSpaceOnUse">'
    '<rect class="dot" width="2" height="20"/></pattern>'
    '<symbol id="cross" overflow="visible"><path d="M-3-3 3 3M-3 3 3-3"/></symbol>'
    '<symbol id="query" overflow="visible"><path d="M0-3 3 0 0 3-3 0Z"/></symbol>'
    "</defs></svg>"
)


def lanes_section(gathered: Gathered, axis: Axis, outage: tuple[datetime, datetime] | None) -> Iterator[str]:
    """The whole section: legend, filter, time axis and one lane per subscription, grouped by agency."""
    lanes = gathered.lanes
    density = "roomy" if len(lanes) <= ROOMY_UP_TO else "compact"
    yield '<section id="lanes" aria-labelledby="lanes-title"><h2 id="lanes-title">Subscriptions</h2>'
    yield f'<p class="lead">{_lead(gathered)}</p>'
    yield PATTERNS
    yield _legend()
    yield f'<div class="lanes {density}"><div class="bar">{_toolbar(lanes)}{_axis_row(axis, outage)}</div>'
    yield f'<div class="body">{_grid(axis, outage)}'
    for agency_id, group in groupby(lanes, key=lambda lane: lane.agency_id):
        members = list(group)
        yield f'<section class="agency"><h3>{esc(agency_id) or "no agency"} '
        yield f"<small>{count_text(len(members), 'subscription')}</small></h3>"
        for lane in members:
            yield _lane(lane, axis, roomy=len(lanes) <= ROOMY_UP_TO)
        yield "</section>"
    yield '</div><p class="none" hidden>No subscription matches.</p></div></section>'


def _lead(gathered: Gathered) -> str:
    text = (
        "Each lane is one subscription: order cycles above, invoice cycles below, every block as wide as its period. "
        "The thin bars above and below the blocks are trouble, from its beginning to its end; a dot is the moment in "
        "which the cycle got its outcome. Open a lane to read its story. Instants are UTC."
    )
    if gathered.merged:
        text += (
            " <strong>Simplified:</strong> the run has more cycles than can be drawn one by one, so neighbours with "
            "the same outcome are merged; where even that is too fine, a block has the colour of its worst cycle. "
            "cycles.jsonl has every one."
        )
    elif gathered.narrow:
        text += " <strong>Simplified:</strong> cycles too narrow to see one by one are drawn as one block."
    if gathered.left_out:
        text += (
            f" <strong>Not all are drawn:</strong> these are the {LANES_MAX:,} subscriptions in most trouble (blocked, "
            f"held, failing, then by name); {count_text(gathered.left_out, 'other')} are in the figures only."
        )
    return text


def _legend() -> str:
    parts = ['<ul class="legend" aria-label="Legend">']
    for paint, text in LEGEND_BLOCKS:
        swatch = f'<svg aria-hidden="true"><g class="swatch"><rect class="{paint}" x="1" width="20"/></g></svg>'
        parts.append(f"<li>{swatch}{text}</li>")
    for kind, text in LEGEND_SPANS:
        dot = f'<circle class="{kind}" cx="19" cy="5" r="2.5"/>' if kind in DOTTED else ""
        swatch = f'<svg aria-hidden="true"><g class="bars"><rect class="{kind}" x="1" width="18"/>{dot}</g></svg>'
        parts.append(f"<li>{swatch}{text}</li>")
    parts.append(
        '<li><svg aria-hidden="true"><use href="#cross" class="refused" x="11" y="5"/></svg>refused charge</li>'
    )
    parts.append('<li><svg aria-hidden="true"><use href="#query" class="unsure" x="11" y="5"/></svg>')
    parts.append("charge unknown or not sent</li></ul>")
    return "".join(parts)


def _toolbar(lanes: list[Lane]) -> str:
    counts = Counter(flag for lane in lanes for flag in _flags(lane))
    chips = [f'<button type="button" data-flag="" aria-pressed="true">All <b>{len(lanes):,}</b></button>']
    for flag, text in (
        ("held", "Held now"),
        ("blocked", "Blocked now"),
        ("failing", "Failing now"),
        ("released", "Released in the run"),
        ("skipped", "Skipped or cancelled"),
        ("late", "Made late"),
    ):
        if counts[flag]:
            chips.append(f'<button type="button" data-flag="{flag}" aria-pressed="false">')
            chips.append(f"{text} <b>{counts[flag]:,}</b></button>")
    box = '<input type="search" id="filter" placeholder="Subscription, client, agency" aria-label="Filter lanes">'
    shown = '<output id="shown" aria-live="polite"></output>'
    group = f'<div class="chips" role="group" aria-label="Show">{"".join(chips)}</div>'
    return f'<div class="tools">{box}{group}{shown}</div>'


def _axis_row(axis: Axis, outage: tuple[datetime, datetime] | None) -> str:
    parts = ['<div class="axis" aria-hidden="true"><span class="who">UTC dates</span><div class="scale">']
    for tick in axis.ticks():
        if tick.x <= (9_400 if tick.major else 9_800):
            kind = "major" if tick.major else "minor"
            parts.append(f'<span class="{kind}" style="left:{percent(tick.x)}">{esc(tick.label)}</span>')
    if outage:
        parts.append(f'<b style="{axis.span_style(*outage)}"></b>')
    parts.append("</div></div>")
    return "".join(parts)


def _grid(axis: Axis, outage: tuple[datetime, datetime] | None) -> str:
    parts = ['<div class="grid" aria-hidden="true">']
    for tick in axis.ticks():
        kind = "major" if tick.major else "minor"
        parts.append(f'<i class="{kind}" style="left:{percent(tick.x)}"></i>')
    if outage:
        parts.append(f'<b style="{axis.span_style(*outage)}"></b>')
    parts.append("</div>")
    return "".join(parts)


def _flags(lane: Lane) -> list[str]:
    paints = lane.tracks[ORDER].paints + lane.tracks[INVOICE].paints
    spans = [span for track in lane.tracks.values() for span in track.spans]
    found = {
        "held": lane.tally.held,
        "blocked": lane.tally.blocked,
        "failing": lane.tally.failing,
        "released": any(span.kind in ("held", "blocked") and span.ends_at for span in spans),
        "skipped": paints["skipped"] + paints["cancelled"],
        "late": any(span.kind == "late" for span in spans),
    }
    return [flag for flag, count in found.items() if count]


def _lane(lane: Lane, axis: Axis, *, roomy: bool) -> str:
    words = esc(f"{lane.agency_id} {lane.subscription_id} {lane.client_id}".lower())
    badges = "".join(
        f'<em class="{what}">{count:,} {what}</em>'
        for what, count in (("held", lane.tally.held), ("blocked", lane.tally.blocked), ("failing", lane.tally.failing))
        if count
    )
    client = f"<small>{esc(lane.client_id)}</small>" if lane.client_id else ""
    name = esc(lane.subscription_id)
    rows = '<span class="rows" aria-hidden="true"><span>orders</span><span>invoices</span></span>' if roomy else ""
    return (
        f'<details class="lane" data-words="{words}" data-flags="{" ".join(_flags(lane))}"><summary>'
        f'<span class="who"><span class="name" title="{name}">{name}{client}</span>{badges}{rows}</span>'
        f'<svg class="tracks" role="img" aria-label="{esc(_aloud(lane))}">'
        f"{_track(lane.tracks[ORDER], 'o', axis)}{_track(lane.tracks[INVOICE], 'i', axis)}</svg>"
        f"</summary>{_story(lane)}</details>\n"
    )


def _aloud(lane: Lane) -> str:
    """The lane in one sentence, for those who do not see it."""
    said = []
    for stream, name in ((ORDER, "Orders"), (INVOICE, "Invoices")):
        paints = lane.tracks[stream].paints + lane.tracks[stream].earlier
        listed = ", ".join(
            f"{paints[paint]} {paint}" for paint in sorted(paints, key=lambda paint: (SEVERITY.get(paint, 99), paint))
        )
        said.append(f"{name}: {listed or 'none'}.")
    return " ".join(said)


def _track(track: Track, css: str, axis: Axis) -> str:
    blocks = "".join(_block(block, css, axis) for block in track.blocks)
    spans = "".join(_span(span, axis) for span in track.spans)
    attempts = "".join(_attempt(attempt, axis) for attempt in track.attempts)
    earlier = ""
    if track.earlier:
        listed = ", ".join(f"{count} {paint}" for paint, count in sorted(track.earlier.items()))
        earlier = f'<path class="earlier" d="M7 0 1 4 7 8Z"><title>{esc(f"Earlier: {listed}")}</title></path>'
    return f'<g class="{css}">{blocks}<g class="bars">{spans}{attempts}</g>{earlier}</g>'


def _place(low: datetime, high: datetime | None, axis: Axis) -> str:
    """The x and width of a bar, never too thin to see."""
    x = axis.x(low)
    width = max(LEAST_WIDTH, (FULL if high is None else axis.x(high)) - x)
    return f'x="{percent(min(x, FULL - LEAST_WIDTH))}" width="{percent(width)}"'


def _block(block: Block, css: str, axis: Axis) -> str:
    place = _place(start_of(block.starts_on), start_of(block.ends_on), axis)
    title = block.title
    if not title:
        noun = "order cycle" if css == "o" else "invoice cycle"
        title = f"{count_text(block.count, noun)}: {block.paint}\n{period_text(block.starts_on, block.ends_on)}"
    return f'<rect class="{esc(block.paint)}" {place}><title>{esc(title)}</title></rect>'


def _span(span: Span, axis: Axis) -> str:
    if span.ends_at is not None and span.ends_at <= axis.begins_at:
        return ""
    place = _place(span.starts_at, span.ends_at, axis)
    title = span.title
    if span.count > 1:
        until = f"→ {instant_text(span.ends_at)} UTC" if span.ends_at else "UTC, not all released"
        title = f"{count_text(span.count, 'cycle')} {span.kind}\n{instant_text(span.starts_at)} {until}"
    bar = f'<rect class="{span.kind}" {place}><title>{esc(title)}</title></rect>'
    if span.kind in DOTTED and span.ends_at is not None:
        x = percent(axis.x(span.ends_at))
        bar += f'<circle class="{span.kind}" cx="{x}" r="2.5"><title>{esc(title)}</title></circle>'
    return bar


def _attempt(attempt: Attempt, axis: Axis) -> str:
    refused = attempt.outcome in ("declined", "action_required")
    symbol, css = ("cross", "refused") if refused else ("query", "unsure")
    x = percent(axis.x(attempt.at))
    return f'<use href="#{symbol}" class="{css}" x="{x}"><title>{esc(attempt.title)}</title></use>'


def _story(lane: Lane) -> str:
    if not lane.story:
        return '<div class="story"><p>Every document was made on time and paid at the first attempt.</p></div>'
    rows = "".join(
        f"<tr><td>{row.when}<td>{esc(row.what)}<td>{esc(row.period)}"
        f'<td><span class="state {esc(row.outcome)}">{esc(row.outcome)}</span><td>{esc(row.detail)}</tr>'
        for row in lane.story
    )
    more = f"<p>{count_text(lane.untold, 'more row')}: see the .jsonl files.</p>" if lane.untold else ""
    return (
        '<div class="story"><table><thead><tr><th>When<th>Document<th>Period<th>Outcome<th>Detail</tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}</div>"
    )
