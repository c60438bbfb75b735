"""The figures above and the tables below the lanes: tiles, outcomes of cycles, what went wrong, what was sent."""

from collections.abc import Iterable, Iterator

from ops.report.money_view import share_bar
from ops.report.rows import INVOICE, ORDER
from ops.report.summary import REJECTED_ROWS_MAX, FailedInvoice, Money, Summary
from ops.report.wording import amount_text, count_text, esc, instant_text, money_text

FAILED_ROWS_MAX = 500
STUCK_ROWS_MAX = 500
STATES = ("done", "skipped", "cancelled", "due", "waiting", "held", "blocked")


def tiles(summary: Summary) -> Iterator[str]:
    """The summary: documents, money by currency, and the five counts that should be zero."""
    yield '<div class="tiles">'
    orders, invoices = summary.orders.total(), summary.invoices.total()
    yield _tile("Orders created", orders, _listed(summary.orders, ("automatic", "manual")))
    yield _tile(
        "Invoices issued", invoices, _listed(summary.invoices, ("paid", "open", "failing", "uncollectible", "void"))
    )
    held, blocked = summary.now("held"), summary.now("blocked")
    yield _tile("Held now", held, _stuck_text(summary, "held"), "held")
    yield _tile("Blocked now", blocked, _stuck_text(summary, "blocked"), "blocked")
    failing = summary.invoices["failing"]
    yield _tile("Failing now", failing, f"{count_text(len(summary.failures), 'invoice')} failed in the run", "failing")
    rejected = summary.rejected_count
    yield _tile("Rejected lines", rejected, "of the input" if rejected else "none of the input", "failing")
    waiting = summary.waiting_messages
    yield _tile(
        "Waiting messages", waiting, "refer to something not known yet" if waiting else "none unanswered", "held"
    )
    yield '</div><div class="tiles currencies">'
    for currency, money in sorted(summary.money.items(), key=lambda item: (-item[1].invoices, item[0])):
        yield _money_tile(currency, money)
    yield "</div>"


def _tile(label: str, count: int, note: str, alarm: str = "") -> str:
    css = f"tile {alarm}" if alarm and count else "tile calm" if alarm else "tile"
    return f'<div class="{css}"><h3>{label}</h3><p class="figure">{count:,}</p><p class="note">{esc(note)}</p></div>'


def _listed(counts: dict[str, int], order: Iterable[str]) -> str:
    known = [name for name in order if counts.get(name)]
    others = sorted(name for name in counts if counts[name] and name not in known)
    return ", ".join(f"{counts[name]:,} {name}" for name in (*known, *others)) or "none"


def _stuck_text(summary: Summary, what: str) -> str:
    count, ever = summary.subscriptions(what), summary.total(f"was_{what}")
    released = ever - summary.now(what)
    parts = [f"in {count_text(count, 'subscription')}"] if count else []
    parts += [f"{released:,} released in the run"] if released > 0 else []
    return ", ".join(parts) or f"never {what}"


def _money_tile(currency: str, money: Money) -> str:
    cells = [("Invoiced", money.invoiced_minor), ("Collected", money.collected_minor), ("Open", money.open_minor)]
    notes = []
    if money.failing_minor:
        notes.append(f"{amount_text(money.failing_minor, currency)} of the open failing")
    if money.uncollectible_minor:
        notes.append(f"{amount_text(money.uncollectible_minor, currency)} uncollectible")
    if money.void:
        notes.append(f"{count_text(money.void, 'void invoice')} ({amount_text(money.void_minor, currency)}) left out")
    figures = "".join(f"<div><dt>{name}<dd>{amount_text(minor, currency)}</div>" for name, minor in cells)
    return (
        f'<div class="tile money"><h3>{esc(currency)} <small>{count_text(money.invoices, "invoice")}</small></h3>'
        f'<dl>{figures}</dl>{share_bar(money)}<p class="note">{esc(", ".join(notes)) or "nothing failing"}</p></div>'
    )


def outcomes_section(summary: Summary) -> Iterator[str]:
    """Every cycle ends in one outcome or says why not: the count of each, and the reasons."""
    if not summary.cycles:
        return
    yield '<section id="outcomes" aria-labelledby="outcomes-title"><h2 id="outcomes-title">Cycles by outcome</h2>'
    yield '<div class="columns">'
    head = "".join(f'<th class="n">{state}' for state in STATES)
    body = []
    for stream in (ORDER, INVOICE):
        counts = [summary.cycles[stream, state] for state in STATES]
        cells = "".join(f'<td class="n{"" if count else " zero"}">{count:,}' for count in counts)
        body.append(f'<tr><th scope="row">{stream.title()}s{cells}<td class="n"><b>{sum(counts):,}</b></tr>')
    yield _table(f'<th>Stream{head}<th class="n">all', "".join(body))
    reasons = sorted(summary.reasons.items(), key=lambda item: (-item[1], item[0]))
    if reasons:
        rows = "".join(
            f'<tr><td>{esc(stream)}<td><span class="state {esc(state)}">{esc(state)}</span>'
            f'<td>{esc(reason) or "no reason given"}<td class="n">{count:,}</tr>'
            for (stream, state, reason), count in reasons[:50]
        )
        yield _table('<th>Stream<th>Outcome<th>Reason<th class="n">Cycles', rows)
    if summary.notices:
        rows = "".join(
            f'<tr><td>{esc(occasion)}<td>{esc(audience)}<td class="n">{count:,}</tr>'
            for (occasion, audience), count in sorted(summary.notices.items())
        )
        yield _table('<th>Notice<th>Told<th class="n">Sent', rows)
    yield "</div></section>"


def troubles_section(summary: Summary) -> Iterator[str]:
    """What is stuck now, which charges failed, which lines were refused."""
    yield '<section id="troubles" aria-labelledby="troubles-title"><h2 id="troubles-title">Failures</h2>'
    yield "<h3>Held and blocked when the run ended</h3>"
    yield from _stuck_table(summary)
    yield "<h3>Failed charges, by invoice</h3>"
    yield from _failed_table(summary)
    yield '<h3 id="rejected">Rejected lines</h3>'
    yield from _rejected_table(summary)
    yield "</section>"


def _stuck_table(summary: Summary) -> Iterator[str]:
    if not summary.stuck:
        yield '<p class="good">None: every cycle that was held or blocked has been released.</p>'
        return
    rows = []
    for (agency_id, subscription_id, stream, state, reason), stuck in sorted(summary.stuck.items())[:STUCK_ROWS_MAX]:
        since = instant_text(stuck.since, year=True) if stuck.since else ""
        rows.append(
            f"<tr><td>{esc(agency_id)}<td>{esc(subscription_id)}<td>{esc(stream)}"
            f'<td><span class="state {esc(state)}">{esc(state)}</span><td class="n">{stuck.cycles:,}'
            f"<td>{since}<td>{esc(reason)}</tr>"
        )
    yield _table('<th>Agency<th>Subscription<th>Stream<th>State<th class="n">Cycles<th>Since<th>Reason', "".join(rows))
    yield _cut(len(summary.stuck), STUCK_ROWS_MAX, "cycles.jsonl")


def _failed_table(summary: Summary) -> Iterator[str]:
    if not summary.failures:
        yield '<p class="good">None: every charge succeeded or is under way.</p>'
        return
    ranked = sorted(
        summary.failures.items(),
        key=lambda item: (not (item[1].invoice and item[1].invoice.is_failing), str(item[1].first_at), item[0]),
    )
    rows = "".join(_failed_row(agency_id, failed) for (agency_id, _), failed in ranked[:FAILED_ROWS_MAX])
    head = '<th>Agency<th>Subscription<th>Invoice<th class="n">Amount<th class="n">Attempts'
    yield _table(head + "<th>Cause<th>First<th>Last<th>Now", rows)
    yield _cut(len(ranked), FAILED_ROWS_MAX, "charges.jsonl")


def _failed_row(agency_id: str, failed: FailedInvoice) -> str:
    invoice = failed.invoice
    causes = ", ".join(f"{cause} × {count}" if count > 1 else cause for cause, count in sorted(failed.causes.items()))
    amount, now = "", ""
    if invoice:
        amount = money_text(invoice.total_minor, invoice.currency)
        state = "failing" if invoice.is_failing else invoice.status
        paid = f" {instant_text(invoice.paid_at)}" if invoice.paid_at else ""
        now = f'<span class="state {esc(state)}">{esc(state)}</span>{paid}'
    first, last = (instant_text(at) if at else "" for at in (failed.first_at, failed.last_at))
    return (
        f"<tr><td>{esc(agency_id)}<td>{esc(failed.subscription_id)}"
        f'<td>{esc(invoice.label if invoice else failed.label)}<td class="n">{esc(amount)}'
        f'<td class="n">{failed.attempts}<td>{esc(causes)}<td>{first}<td>{last}<td>{now}</tr>'
    )


def _rejected_table(summary: Summary) -> Iterator[str]:
    if not summary.rejected_count:
        yield '<p class="good">None: every line of the input was accepted.</p>'
        return
    rows = "".join(
        f'<tr><td class="n">{"" if row.line is None else row.line}<td>{esc(row.id or "")}'
        f"<td><code>{esc(row.field or '')}</code><td>{esc(row.reason or '')}</tr>"
        for row in summary.rejected
    )
    yield _table('<th class="n">Line<th>Message<th>Field<th>Reason', rows)
    yield _cut(summary.rejected_count, REJECTED_ROWS_MAX, "rejected.jsonl")


def _table(head: str, rows: str) -> str:
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cut(count: int, most: int, file_name: str) -> str:
    if count <= most:
        return ""
    return f'<p class="lead">The first {most:,} of {count:,} rows; {file_name} has all of them.</p>'
