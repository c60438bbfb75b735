"""What is open now: for each invoice why nothing is charged, for each cycle why there is no document."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ops.backlog import WHY
from ops.history.words import Words, amount, period, rhythm
from shared.domain.planning import CANCELLED
from shared.store.history import Known
from shared.store.pauses import told

OWED = ("open", "uncollectible")
# Why a due attempt does not go out, by the first part of its code.
WAITS = {
    "no_payment_method": "the client has no payment method that can be used; send payment_method.upserted",
    "too_many_declines": "declined too often within 30 days; it will be sent once they are over",
    "account_missing": "the agency has no account with the provider; see: account set",
    "gateway_missing": "the provider of the payment method is not supported",
    "secret_missing": "the secret of the agency's account is missing; see: account list",
    "secret_malformed": "the secret of the agency's account has the wrong form; see: account list",
    "account_refused": "the provider refuses the agency's account",
    "client_is_paying": "the client is paying on the payment page right now",
    "unreachable": "the provider can't be reached",
    "amount_too_small": "the amount is below the provider's minimum",
    "amount_too_large": "the amount is above the provider's maximum",
    "amount_not_payable": "the provider does not accept this many decimal places in this currency",
    "currency_not_supported": "the provider does not support this currency",
    "data_error": "an error in its data",
}
STATES = {
    "sending": "attempt {attempt} has been in progress since {sent}",
    "unknown": "attempt {attempt} of {sent} has no answer: the provider is asked, and nothing else is charged until then",
    "pending": "attempt {attempt} of {sent} was accepted by the provider and has not settled yet",
    "action_required": "attempt {attempt} is waiting for the client's confirmation",
}


class Standing(NamedTuple):
    """Something open, and why. `data` names it for programs."""

    what: str
    text: str
    data: dict[str, Any]


def stands(known: Known, words: Words, invoice_id: str | None = None) -> list[Standing]:
    """What is open of a subscription, or of one of its invoices."""
    found = [*_invoices(known, words, invoice_id)]
    if invoice_id is None:
        found += [*_cycles(known, words), *_schedules(known, words), *_methods(known)]
    if found or invoice_id is None:
        found += [*_rechecks(known, words), *_clock(known, words)]
    if found:
        found += [Standing("paused", _paused(words, row), row) for row in known.pauses]
    return found


def _paused(words: Words, row: dict[str, Any]) -> str:
    return told(row["pool"], row["agency_id"], words.when(row["paused_at"]), row["reason"])


def _invoices(known: Known, words: Words, invoice_id: str | None) -> Iterator[Standing]:
    latest = {row["invoice_id"]: row for row in known.charges}
    paying = {row["invoice_id"] for row in known.links if row["state"] == "paying"}
    for row in known.invoices:
        rest = row["total_minor"] - row["collected_minor"]
        if row["status"] not in OWED or invoice_id not in (None, row["invoice_id"]):
            continue
        why = "the client is paying on the payment page" if row["invoice_id"] in paying else ""
        why = why or _uncharged(words, known, row, latest.get(row["invoice_id"]))
        text = f"{words.invoice(row)} is {row['status']}, {amount(rest, row['currency'])} due {row['due_on']}: {why}"
        yield Standing(
            "invoice", text, {"invoice_id": row["invoice_id"], "status": row["status"], "outstanding_minor": rest}
        )


def _uncharged(words: Words, known: Known, invoice: dict[str, Any], charge: dict[str, Any] | None) -> str:
    """Why an invoice is not charged at this moment."""
    if charge is not None and charge["state"] in STATES:
        sent = words.when(charge["sent_at"] or charge["planned_at"])
        person = "; look it up and use: charge resolve" if charge["code"] == "needs_a_person" else ""
        return STATES[charge["state"]].format(attempt=charge["attempt"], sent=sent) + person
    if charge is not None and charge["state"] == "due":
        return _planned(words, known, charge)
    if invoice["status"] == "uncollectible":
        return "nothing is charged automatically any more; charge.requested makes one attempt"
    if invoice["exhausted_at"] is not None:
        return f"all attempts failed by {words.when(invoice['exhausted_at'])}; a new payment method starts them again"
    if invoice["collection"] == "manual":
        return "collection is manual: nothing is charged automatically; charge.requested makes one attempt"
    if invoice["failing_code"] is not None:
        return f"it failed ({invoice['failing_code']}), and no attempt is planned; charge.requested makes one"
    return "no attempt is planned; charge.requested makes one"


def _planned(words: Words, known: Known, charge: dict[str, Any]) -> str:
    attempt = f"attempt {charge['attempt']}"
    code = charge["code"] or ""
    kind, _, rest = code.partition(":")
    why = WAITS.get(kind, f"waits ({code})" if code else "")
    named = f" ({rest})" if rest and kind in WAITS else ""
    if charge["planned_at"] > known.as_of:
        after = f": {why}{named}" if why else ""
        return f"{attempt} is planned for {words.when(charge['planned_at'])}{after}"
    if why:
        return f"{attempt} can't be sent: {why}{named}"
    return f"{attempt} is due since {words.when(charge['planned_at'])}; the charges pool is next"


def _cycles(known: Known, words: Words) -> Iterator[Standing]:
    for row in known.cycles:
        if row["state"] not in ("due", "waiting", "held", "blocked"):
            continue
        why = WHY.get(row["reason"] or "", row["reason"]) or "the pool is next"
        blocking = row["blocking_invoice_id"]
        by = f" ({words.invoice({'invoice_id': blocking})})" if blocking else ""
        detail = f" ({row['detail']})" if row["detail"] else ""
        span = period(row["starts_on"], row["ends_on"])
        said = {name: row[name] for name in ("stream", "starts_on", "state", "reason")}
        yield Standing("cycle", f"{row['stream']} cycle {span} is {row['state']}: {why}{by}{detail}", said)


def _schedules(known: Known, words: Words) -> Iterator[Standing]:
    for row in known.schedules:
        of = {name: row[name] for name in ("stream", "next_at", "stopped_reason")}
        if row["retry_at"] is not None:
            yield _set_aside(words, row)
        elif row["stopped_reason"] is not None:
            since = f" since {words.when(row['stopped_at'])}" if row["stopped_at"] else ""
            hint = "" if row["stopped_reason"] == CANCELLED else "; send subscription.resumed"
            yield Standing("series", f"the {row['stream']} series is stopped{since}: {row['stopped_reason']}{hint}", of)
        elif row["next_at"] is None:
            text = f"no further {row['stream']} cycle is planned: "
            text += "the agency creates the first one by hand" if row["next_index"] == 0 else "the series has ended"
            yield Standing("series", text, of)
        else:
            often = rhythm(row["every"], row["unit"])
            yield Standing("series", f"next {row['stream']} cycle {words.when(row['next_at'])}, {often}", of)


def _set_aside(words: Words, row: dict[str, Any]) -> Standing:
    text = (
        f"the {row['stream']} series can't be planned from {words.when(row['next_at'])} on: {_failing(words, row)};"
        " the scheduler's log says why (schedule.set_aside)"
    )
    return Standing("series_failing", text, {name: row[name] for name in ("stream", "next_at", "failures", "retry_at")})


def _rechecks(known: Known, words: Words) -> Iterator[Standing]:
    for row in known.rechecks:
        text = (
            f"a change of {row['kind'].replace('_', ' ')} {row['ref']} of {words.when(row['effective_at'])} could not be"
            f" processed: {_failing(words, row)}; the scheduler's log says why (recheck.set_aside)"
        )
        yield Standing("recheck_failing", text, row)


def _failing(words: Words, row: dict[str, Any]) -> str:
    times = "once" if row["failures"] == 1 else f"{row['failures']} times"
    return f"it failed {times}, next try {words.when(row['retry_at'])}"


def _clock(known: Known, words: Words) -> Iterator[Standing]:
    for row in known.jumps:
        seen, expected = words.when(row["seen_at"]), words.when(row["expected_at"])
        text = (
            f"nothing is planned or charged: the database's clock said {seen} at {expected}; see: duecycle clock show"
        )
        yield Standing("clock", text, row)


def _methods(known: Known) -> Iterator[Standing]:
    client_id = known.subscription["client_id"]
    if not any(row["client_id"] == client_id and row["removed_at"] is None for row in known.methods):
        text = f"client {client_id} has no payment method; send payment_method.upserted"
        yield Standing("payment_method", text, {"client_id": client_id})
