"""What happened, line by line in the order of time: facts, events, notices, and what left no event behind."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from ops.backlog import WHY
from ops.history.events import as_now, told
from ops.history.words import Words, amount, period, rhythm
from shared.store.history import Known

FACTS, EVENTS, REST, NOTICES = range(4)  # in this order within one instant
ENDED_WITH_ITS_INVOICE = ("invoice_paid", "invoice_void", "invoice_uncollectible", "replaced")
MAILS = {
    "due": "mail to be sent",
    "sent": "mail sent",
    "failed": "mail could not be sent",
    "skipped": "mail skipped",
}


class Line(NamedTuple):
    """Something that happened. `what` names its kind for programs, `data` is what is known of it."""

    at: datetime
    what: str
    text: str
    data: dict[str, Any]


def happened(known: Known, words: Words, invoice_id: str | None = None) -> list[Line]:
    """Everything of a subscription, or what concerns one of its invoices, oldest first."""
    parts = (_facts(known), _events(known, words), _rest(known, words), _notices(known, words))
    of = next((row for row in known.invoices if row["invoice_id"] == invoice_id), None)
    ranked = [
        (line.at, rank, number, line)
        for rank, part in enumerate(parts)
        for number, line in enumerate(part)
        if of is None or (rank != FACTS and _concerns(line, of))
    ]
    return [line for *_, line in sorted(ranked, key=lambda each: each[:3])]


def _concerns(line: Line, invoice: dict[str, Any]) -> bool:
    """Events of the invoice, what it holds, and its cycle."""
    data, id_ = line.data, invoice["invoice_id"]
    if id_ in (data.get("invoice_id"), data.get("blocking_invoice_id")):
        return True
    about = (data.get("stream"), str(data.get("period_starts_on") or data.get("starts_on")))
    return line.what.startswith("cycle.") and about == ("invoice", str(invoice["cycle_starts_on"]))


def _facts(known: Known) -> Iterator[Line]:
    before: dict[str, Any] = {}
    for row in known.revisions:
        said = {
            name: row[name] for name in ("status", "cancel_on", "quantity", "collection", "service_id", "client_id")
        }
        new = {name: value for name, value in said.items() if value != before.get(name)}
        before = said
        if new:
            listed = (
                ", ".join(f"{name} {value}" for name, value in new.items() if value is not None) or "no end any more"
            )
            text = f"subscription revision {row['revision']}: {listed}"
            yield Line(row["effective_at"], "fact.subscription", text, row)
    for row in known.prices:
        price = "no price" if row["price_minor"] is None else amount(row["price_minor"], row["currency"])
        text = f"service {row['service_id']} revision {row['revision']}: {price} {rhythm(row['every'], row['unit'])}"
        yield Line(row["effective_at"], "fact.service", text, row)
    for row in known.methods:
        method = f"payment method {row['payment_method_id']} of {row['client_id']} ({row['provider']})"
        default = ", the default" if row["is_default"] else ""
        yield Line(row["received_at"], "fact.payment_method", f"{method} given{default}", row)
        if row["instructed_at"] > row["received_at"]:
            yield Line(row["instructed_at"], "fact.payment_method", f"{method} to be used from now on", row)
        if row["removed_at"] is not None:
            yield Line(row["removed_at"], "fact.payment_method", f"{method} removed", row)


def _events(known: Known, words: Words) -> Iterator[Line]:
    for row in known.events:
        data = as_now(row["data"])
        yield Line(row["at"], row["type"], told(words, row["type"], data), data)


def _rest(known: Known, words: Words) -> Iterator[Line]:
    """Periods that planning skipped, and attempts that fell away with what they were for: rows without an event."""
    kept = {
        (data.get("stream"), data.get("period_starts_on"))
        for data in (as_now(row["data"]) for row in known.events if row["type"] in ("cycle.skipped", "cycle.cancelled"))
    }
    for row in known.cycles:
        if row["state"] in ("skipped", "cancelled") and (row["stream"], row["starts_on"].isoformat()) not in kept:
            count = f"{row['periods']} periods, " if row["periods"] > 1 else ""
            why = WHY.get(row["reason"], row["reason"])
            span = period(row["starts_on"], row["ends_on"])
            text = f"{row['stream']} cycle {row['state']} ({count}{span}): {why}"
            yield Line(row["settled_at"] or row["due_at"], f"cycle.{row['state']}", text, row)
    for row in known.charges:
        if row["state"] == "not_sent" and row["code"] in ENDED_WITH_ITS_INVOICE and row["settled_at"] is not None:
            text = f"{words.invoice(row)}: planned charge attempt {row['attempt']} dropped: {row['code']}"
            yield Line(row["settled_at"], "charge.dropped", text, row)


def _notices(known: Known, words: Words) -> Iterator[Line]:
    for row in known.notices:
        about = f"{words.invoice(row)}: " if row["invoice_id"] else ""
        reason = f" ({row['reason']})" if row["state"] != "sent" and row["reason"] else ""
        text = f"{about}{MAILS[row['state']]} to the {row['audience']}: {row['occasion'].replace('_', ' ')}{reason}"
        yield Line(row["sent_at"] or row["created_at"], f"notice.{row['state']}", text, row)
