"""Money over time, one chart for each currency: cumulative invoiced and collected as step lines, and as a table."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate

from ops.report.axis import FULL, Axis, percent
from ops.report.summary import Money, Summary
from ops.report.wording import MONTHS, amount_text, count_text, date_text, decimals, esc, json_text, money_text

CHARTS_MAX = 6
HEIGHT = 1000  # units of the stretched drawing; strokes do not scale with it


def money_section(summary: Summary, axis: Axis, outage: tuple[datetime, datetime] | None) -> Iterator[str]:
    """The charts, the currency with the most invoices first."""
    if not summary.money:
        return
    ranked = sorted(summary.money.items(), key=lambda item: (-item[1].invoices, item[0]))
    yield '<section id="money" aria-labelledby="money-title"><h2 id="money-title">Money over time</h2>'
    yield '<p class="lead">Added up from the first day. Invoices count on their date, void ones not at all; '
    yield "money on the day on which it was received.</p>"
    if not all(money.payments_known for money in summary.money.values()):
        yield '<p class="lead">The days of some payments are not in events.jsonl: they count on the day on which the '
        yield "invoice became paid, a part payment on the day of issue.</p>"
    if len(ranked) > CHARTS_MAX:
        yield f'<p class="lead">The {CHARTS_MAX} currencies with the most invoices are drawn; the tiles have all.</p>'
    yield '<div class="charts">'
    for currency, money in ranked[:CHARTS_MAX]:
        yield from _chart(currency, money, axis, outage)
    yield "</div></section>"


def _days(by_day: dict[date, int], axis: Axis) -> list[int]:
    """The cumulative sum at the end of each day of the axis; what came before its first day counts on that day."""
    first_on = axis.begins_at.date()
    daily = [0] * axis.days
    for on, minor in by_day.items():
        daily[min(axis.days - 1, max(0, (on - first_on).days))] += minor
    return list(accumulate(daily))


def top_and_step(highest: int) -> tuple[int, int]:
    """A round top for the scale and the distance of its lines, with three to five lines."""
    step, power = 1, 0
    while True:
        for lead in (1, 2, 5):
            step = lead * 10**power
            if highest <= step * 5:
                return max(step, -(-highest // step) * step), step
        power += 1


def _scale_text(minor: int, currency: str) -> str:
    """`12,000`, `1.5M`: the scale needs no decimals that are all zero."""
    unit = 10 ** decimals(currency)
    if minor >= 1_000_000 * unit and minor % (10_000 * unit) == 0:
        millions, hundredths = divmod(minor // unit // 10_000, 100)
        return f"{millions}.{hundredths:02d}".rstrip("0").rstrip(".") + "M"
    return f"{minor // unit:,}" if minor % unit == 0 else amount_text(minor, currency)


def _steps(days: list[int], top: int) -> str:
    """An SVG path over `len(days)` columns: level through a day, rising where the next begins."""
    path, last = "M0 " + str(HEIGHT), 0
    for index, total in enumerate(days):
        if total != last:
            path += f"H{index}V{HEIGHT - total * HEIGHT // top}"
            last = total
    return f"{path}H{len(days)}"


def _chart(currency: str, money: Money, axis: Axis, outage: tuple[datetime, datetime] | None) -> Iterator[str]:
    invoiced, collected = _days(money.invoiced_by_day, axis), _days(money.received_by_day, axis)
    top, step = top_and_step(max(invoiced[-1], collected[-1], 1))
    last_on = axis.ends_at.date() - timedelta(days=1)
    spoken = (
        f"{money_text(invoiced[-1], currency)} invoiced and {money_text(collected[-1], currency)} collected "
        f"by {date_text(last_on, year=True)}"
    )
    yield f'<figure class="chart" data-currency="{esc(currency)}"><figcaption><b>{esc(currency)}</b>'
    yield '<span class="key invoiced">invoiced</span><span class="key collected">collected</span>'
    readout = f"{last_on.isoformat()}: {amount_text(invoiced[-1], currency)} invoiced, "
    readout += f"{amount_text(collected[-1], currency)} collected"
    yield f'<span class="readout" aria-hidden="true">{readout}</span></figcaption>'
    yield f'<div class="plot" role="img" aria-label="{esc(spoken)}">'
    for level in range(0, top + 1, step):
        text = _scale_text(level, currency)
        yield f'<i class="level" style="bottom:{percent(level * FULL // top)}"><span>{text}</span></i>'
    if outage:
        yield f'<b class="outage" style="{axis.span_style(*outage)}"><i>outage</i></b>'
    yield f'<svg viewBox="0 0 {axis.days} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
    yield f'<path class="area" d="{_steps(collected, top)}V{HEIGHT}H0Z"/>'
    yield f'<path class="invoiced" d="{_steps(invoiced, top)}"/>'
    yield f'<path class="collected" d="{_steps(collected, top)}"/></svg>'
    yield '<i class="cursor" hidden></i></div><div class="dates" aria-hidden="true">'
    yield from _date_labels(axis)
    yield f"</div>{_month_table(currency, invoiced, collected, axis)}"
    texts = [[amount_text(a, currency), amount_text(b, currency)] for a, b in zip(invoiced, collected, strict=True)]
    data = {"first": axis.begins_at.date().isoformat(), "days": _without_repeats(texts), "count": axis.days}
    yield f'<script type="application/json">{json_text(data)}</script></figure>'


def _without_repeats(texts: list[list[str]]) -> list[list[str | int]]:
    """`[day, invoiced, collected]` for the days on which either changes."""
    kept: list[list[str | int]] = []
    last: list[str] = []
    for index, pair in enumerate(texts):
        if pair != last:
            kept.append([index, *pair])
            last = pair
    return kept


def _date_labels(axis: Axis) -> Iterator[str]:
    major = [tick for tick in axis.ticks() if tick.major]
    for tick in major if len(major) > 1 else axis.ticks():
        if tick.x <= 9_400:
            yield f'<span style="left:{percent(tick.x)}">{esc(tick.label)}</span>'


def _month_table(currency: str, invoiced: list[int], collected: list[int], axis: Axis) -> str:
    """The same figures month by month, as a table."""
    rows, seen_invoiced, seen_collected = [], 0, 0
    first_on = axis.begins_at.date()
    for index in range(axis.days):
        on = first_on + timedelta(days=index)
        if index + 1 < axis.days and (on + timedelta(days=1)).day != 1:
            continue
        new_invoiced, new_collected = invoiced[index] - seen_invoiced, collected[index] - seen_collected
        seen_invoiced, seen_collected = invoiced[index], collected[index]
        cells = "".join(
            f'<td class="n">{amount_text(minor, currency)}'
            for minor in (new_invoiced, new_collected, seen_invoiced - seen_collected)
        )
        rows.append(f"<tr><th scope=row>{MONTHS[on.month - 1]} {on.year}{cells}</tr>")
    head = '<th>Month<th class="n">Invoiced<th class="n">Collected<th class="n">Not collected, in all'
    return (
        f"<details><summary>{count_text(len(rows), 'month')} as a table</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></details>"
    )


def share_bar(money: Money) -> str:
    """A bar that shows how much of what was invoiced is collected, open and failing."""
    whole = max(1, money.invoiced_minor, money.collected_minor)
    calm = max(0, money.open_minor - money.failing_minor)
    parts = (("collected", money.collected_minor), ("open", calm), ("failing", money.failing_minor))
    spans = "".join(
        f'<i class="{kind}" style="width:{percent(minor * FULL // whole)}"></i>' for kind, minor in parts if minor
    )
    return f'<div class="share" aria-hidden="true">{spans}</div>'
