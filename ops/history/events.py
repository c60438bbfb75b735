"""Events in words, one function for each type. A type without a text is shown with its name and data."""

from collections.abc import Callable
from typing import Any

from ops.backlog import WHY
from ops.history.words import Data, Words, because, period, rhythm

IDS = ("invoice_id", "number", "subscription_id", "client_id", "key", "agency_id", "currency")


# What fields were called before the shapes of events were fixed: such events stay in the database as they were written.
_BEFORE = {
    "starts_on": "period_starts_on",
    "ends_on": "period_ends_on",
    "next_at": "next_attempt_at",
    "turn": "refund_seq",
    "credit_note": "credit_note_number",
    "surplus_minor": "amount_minor",
    "from": "resumes_on",
    "note": "detail",
}


def as_now(data: Data) -> dict[str, Any]:
    """The payload of an event with the current names of its fields."""
    if "agency_id" in data:
        return dict(data)
    return {_BEFORE.get(name, name): value for name, value in data.items()}


def told(words: Words, type_: str, data: Data) -> str:
    """An event in words; its fields have their current names."""
    make = TEXTS.get(type_)
    if make is not None:
        return make(words, data)
    about = f"{words.invoice(data)}: " if data.get("invoice_id") else ""
    rest = ", ".join(f"{name} {value}" for name, value in data.items() if name not in IDS and value is not None)
    return f"{about}{type_.replace('.', ' ').replace('_', ' ')}{f' ({rest})' if rest else ''}"


def _issued(words: Words, data: Data) -> str:
    starts_on, ends_on = data.get("period_starts_on"), data.get("period_ends_on")
    span = f" for {period(starts_on, ends_on)}" if starts_on and ends_on else ""
    by = "" if data.get("origin") == "automatic" else ", by hand"
    return (
        f"{words.invoice(data)} issued{by}{span}: {words.money(data, 'total_minor')}, due {data['due_on']},"
        f" collection {data['collection']}"
    )


def _declined(words: Words, data: Data) -> str:
    after = f"; next attempt {words.day(data['next_attempt_at'])}" if data.get("next_attempt_at") else ""
    return f"{_attempt(words, data)} declined: {data.get('code') or 'no code'}{after}"


def _attempt(words: Words, data: Data) -> str:
    return f"{words.invoice(data)}: charge attempt {data.get('attempt')}"


def _failing(words: Words, data: Data) -> str:
    return f"{words.invoice(data)} is failing ({data.get('code') or 'no code'}): orders that need it are held"


def _not_sent(words: Words, data: Data) -> str:
    detail = f" ({data['detail']})" if data.get("detail") else ""
    return f"{_attempt(words, data)} could not be sent: {data.get('code')}{detail}; it will be retried"


def _doubtful(words: Words, data: Data) -> str:
    return f"{_attempt(words, data)} has been in doubt since {words.when(data['since'])}; look it up and use: charge resolve"


def _resolved(words: Words, data: Data) -> str:
    which = f"charge attempt {data['attempt']}" if data.get("attempt") else "the payment on the payment page"
    what = f"was paid by {data['reference']}" if data.get("reference") else "was not charged"
    return f"{words.invoice(data)}: {which} {what}{because(data)}"


def _payment(words: Words, data: Data) -> str:
    return f"{words.invoice(data)}: payment of {words.money(data)} by {data['source']} ({data['reference']})"


def _refund(what: str) -> Callable[[Words, Data], str]:
    def text(words: Words, data: Data) -> str:
        code = f": {data['code']}" if data.get("code") else ""
        note = f", credit note {data['credit_note_number']}" if data.get("credit_note_number") else ""
        return f"{words.invoice(data)}: refund {data['refund_seq']} of {words.money(data)} {what}{code}{note}{because(data)}"

    return text


def _moved(what: str) -> Callable[[Words, Data], str]:
    return lambda words, data: f"{words.invoice(data)}: {words.money(data)} {what} ({data.get('kind')})"


def _order(_words: Words, data: Data) -> str:
    by = "" if data.get("origin") == "automatic" else ", by hand"
    return f"order {data['order_id']} created{by} for {period(data['period_starts_on'], data['period_ends_on'])}"


def _cycle(what: str) -> Callable[[Words, Data], str]:
    def text(words: Words, data: Data) -> str:
        reason = data.get("reason")
        why = f": {WHY.get(reason, reason)}" if reason else ""
        blocking = data.get("blocking_invoice_id")
        by = f" ({words.invoice({'invoice_id': blocking})})" if blocking else ""
        return f"{data['stream']} cycle from {data['period_starts_on']} {what}{why}{by}{because(data)}"

    return text


def _changed(_words: Words, data: Data) -> str:
    return f"{data['stream']} cycles now recur {rhythm(data['every'], data['unit'])}, counted from {data['anchor_on']}"


def _on_invoice(what: str) -> Callable[[Words, Data], str]:
    def text(words: Words, data: Data) -> str:
        reason = f": {data['reason']}" if data.get("reason") else ""
        return f"{words.invoice(data)} {what}{reason}"

    return text


def _on_attempt(what: str) -> Callable[[Words, Data], str]:
    def text(words: Words, data: Data) -> str:
        code = f": {data['code']}" if data.get("code") else ""
        return f"{_attempt(words, data)} {what}{code}"

    return text


TEXTS: dict[str, Callable[[Words, Data], str]] = {
    "invoice.issued": _issued,
    "invoice.paid": _on_invoice("is paid"),
    "invoice.failing": _failing,
    "invoice.voided": _on_invoice("is void"),
    "invoice.uncollectible": _on_invoice("is uncollectible"),
    "invoice.refunded": _refund("was made"),
    "refund.requested": _refund("was requested"),
    "refund.pending": _refund("was accepted by the provider"),
    "refund.unknown": _refund("has no answer; the provider is asked"),
    "refund.failed": _refund("failed"),
    "order.created": _order,
    "order.renewed": lambda _, data: (
        f"order {data['order_id']} was renewed for {period(data['period_starts_on'], data['period_ends_on'])}"
    ),
    "cycle.held": _cycle("held"),
    "cycle.blocked": _cycle("blocked"),
    "cycle.skipped": _cycle("skipped"),
    "cycle.cancelled": _cycle("cancelled"),
    "cycle.retried": _cycle("retried"),
    "cycle.reopened": _cycle("reopened"),
    "charge.succeeded": _on_attempt("succeeded"),
    "charge.declined": _declined,
    "charge.action_required": _on_attempt("needs the client's confirmation"),
    "charge.pending": _on_attempt("was accepted by the provider; it settles later"),
    "charge.unknown": _on_attempt("has no answer; the provider is asked, and nothing else is charged until then"),
    "charge.not_sent": _not_sent,
    "charge.doubtful": _doubtful,
    "charge.resolved": _resolved,
    "dunning.exhausted": lambda words, data: (
        f"{words.invoice(data)}: the last attempt failed; there are no more automatic retries"
    ),
    "series.stopped": lambda _, data: f"the invoice series stopped: {data['reason']}",
    "series.resumed": lambda _, data: f"the invoice series resumes from {data['resumes_on']}",
    "schedule.changed": _changed,
    "payment.recorded": _payment,
    "payment.surplus": lambda words, data: f"{words.invoice(data)}: {words.money(data)} more than was due was received",
    "payment.disputed": lambda words, data: f"{words.invoice(data)}: the client disputed the payment",
    "payment.reversed": _moved("was reversed"),
    "payment.reinstated": _moved("was reinstated"),
    "link.opened": lambda words, data: (
        f"{words.invoice(data)}: the client opened the payment page ({data['provider']})"
    ),
    "link.failed": lambda words, data: f"{words.invoice(data)}: the payment on the payment page did not go through",
    "subscription.ended": lambda _, data: f"the subscription ended: {data['reason']}",
}
