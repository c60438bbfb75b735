"""Every state, and every legal move between them. What is not listed here the database refuses to write.

A change needs a migration: see "Schema changes" in CONTRIBUTING.md.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar

CycleState = Literal["due", "waiting", "held", "blocked", "done", "skipped", "cancelled"]
InvoiceStatus = Literal["open", "paid", "void", "uncollectible"]
ChargeState = Literal["due", "sending", "unknown", "pending", "action_required", "declined", "not_sent", "succeeded"]
RefundState = Literal["due", "sending", "unknown", "pending", "succeeded", "failed"]
PayLinkState = Literal["opening", "open", "paying", "paid", "ended"]
InquiryState = Literal["asking", "answered", "unanswered"]
NoticeState = Literal["due", "sent", "failed", "skipped"]
MessageState = Literal["waiting", "applied", "repeated", "stale", "rejected"]
_State = TypeVar("_State", bound=str)

CYCLE_MOVES: Mapping[CycleState, frozenset[CycleState]] = {
    "due": frozenset({"due", "waiting", "held", "blocked", "done", "skipped", "cancelled"}),
    "waiting": frozenset({"due", "held", "blocked", "done", "skipped", "cancelled"}),
    "held": frozenset({"due", "waiting", "blocked", "done", "skipped", "cancelled"}),
    "blocked": frozenset({"due", "waiting", "held", "done", "skipped", "cancelled"}),
    "done": frozenset(),
    "skipped": frozenset({"due"}),  # what was passed over, when somebody asks for the past to be billed
    "cancelled": frozenset(),
}
CYCLE_UNSETTLED = frozenset({"due", "waiting", "held", "blocked"})

INVOICE_MOVES: Mapping[InvoiceStatus, frozenset[InvoiceStatus]] = {
    "open": frozenset({"paid", "void", "uncollectible"}),
    "uncollectible": frozenset({"paid", "void"}),
    "paid": frozenset({"open"}),  # its money was taken back
    "void": frozenset(),
}
# An invoice series goes on while its latest invoice is one of these.
SERIES_GOES_ON = frozenset({"open", "paid"})

# What a provider can answer, by its outcome's name; `refused`: it has looked at the request and will not carry it out.
ANSWERS = (
    *("succeeded", "pending", "declined", "action_required", "unknown"),
    *("not_sent", "refused", "not_found", "not_yet_knowable"),
)
_Answers = Mapping[str, str | None]
# Nothing moves: the answer is kept as evidence, and what may have moved money is asked about again.
_EVIDENCE: _Answers = dict.fromkeys(ANSWERS)


def _answered(*given: str) -> _Answers:
    return dict(zip(ANSWERS, given, strict=True))


# State → answer → the state that follows. An attempt in doubt is never moved by a question that did not get through, nor one
# that was accepted by "never heard of it". One that has ended is moved by money alone, and only while it is asked about.
CHARGE_ANSWERS: Mapping[str, _Answers] = {
    "due": _EVIDENCE,
    "sending": _answered(
        *("succeeded", "pending", "declined", "action_required", "unknown"),
        *("due", "not_sent", "due", "unknown"),
    ),
    "unknown": _answered(
        *("succeeded", "pending", "declined", "action_required", "unknown"),
        *("unknown", "unknown", "due", "unknown"),
    ),
    "pending": _answered(
        *("succeeded", "pending", "declined", "action_required", "pending"),
        *("pending", "pending", "pending", "pending"),
    ),
    "action_required": _answered(
        *("succeeded", "pending", "action_required", "action_required", "action_required"),
        *("action_required", "action_required", "action_required", "action_required"),
    ),
    "declined": _answered("succeeded", *["declined"] * 8),
    "not_sent": _answered("succeeded", *["not_sent"] * 8),
    "succeeded": _EVIDENCE,
}
# The same where nothing is left to collect: no attempt follows, and nobody is asked to do anything.
CHARGE_UNWANTED: Mapping[str, str] = {"due": "not_sent", "action_required": "declined"}


def charge_after(before: str, answer: str, *, wanted: bool, once: bool = False) -> str | None:
    """The state of an attempt after an answer; None: nothing moves, and the answer is kept as evidence.

    `wanted`: there is something left to collect. `once`: it was asked for, and nobody is sent to confirm anything.
    """
    after = CHARGE_ANSWERS[before][answer]
    if after is None or after == before:
        return after
    if not wanted:
        return CHARGE_UNWANTED.get(after, after)
    return "declined" if once and after == "action_required" else after


REFUND_ANSWERS: Mapping[str, _Answers] = {
    "due": _EVIDENCE,
    "sending": _answered(
        *("succeeded", "pending", "failed", "failed", "unknown"),
        *("due", "due", "due", "unknown"),
    ),
    "unknown": _answered(
        *("succeeded", "pending", "failed", "failed", "unknown"),
        *("unknown", "unknown", "due", "unknown"),
    ),
    "pending": _answered(
        *("succeeded", "pending", "failed", "failed", "pending"),
        *("pending", "pending", "pending", "pending"),
    ),
    "succeeded": _EVIDENCE,
    "failed": _EVIDENCE,
}


def _moves(answers: Mapping[str, _Answers], *others: tuple[str, str]) -> Mapping[str, frozenset[str]]:
    """The moves that answers make, and those that nobody's answer does."""
    listed = {
        (state, after) for state, each in answers.items() for after in each.values() if after not in (None, state)
    }
    return {state: frozenset(after for of, after in listed | set(others) if of == state and after) for state in answers}


# Besides answers: a claim, an end of what was planned, a person's word, an answer that could not be recorded, and an attempt
# that waited for the customer and was replaced.
CHARGE_MOVES: Mapping[str, frozenset[str]] = _moves(
    CHARGE_ANSWERS,
    *(("due", after) for after in ("sending", "not_sent")),
    *(("sending", "not_sent"), ("unknown", "not_sent")),
    *(("action_required", after) for after in ("declined", "not_sent")),
)
REFUND_MOVES: Mapping[str, frozenset[str]] = _moves(
    REFUND_ANSWERS,
    *(("due", "sending"), ("due", "failed")),
    ("succeeded", "failed"),  # the client's bank sent it back
)
PAY_LINK_MOVES: Mapping[PayLinkState, frozenset[PayLinkState]] = {
    "opening": frozenset({"open", "paying", "paid", "ended"}),
    "open": frozenset({"paying", "paid", "ended"}),
    "paying": frozenset({"open", "paid", "ended"}),
    "paid": frozenset(),
    "ended": frozenset({"paying", "paid"}),  # somebody has paid there all the same
}
INQUIRY_MOVES: Mapping[InquiryState, frozenset[InquiryState]] = {
    "asking": frozenset({"answered", "unanswered"}),
    "answered": frozenset({"asking"}),  # the provider has reported it once more
    "unanswered": frozenset({"asking"}),
}
NOTICE_MOVES: Mapping[NoticeState, frozenset[NoticeState]] = {
    "due": frozenset({"sent", "failed", "skipped"}),
    "sent": frozenset(),
    "failed": frozenset({"due", "skipped"}),  # a person's word
    "skipped": frozenset(),
}
MESSAGE_MOVES: Mapping[MessageState, frozenset[MessageState]] = {
    "waiting": frozenset({"applied", "repeated", "stale", "rejected"}),
    "applied": frozenset(),
    "repeated": frozenset(),
    "stale": frozenset(),
    "rejected": frozenset({"waiting"}),  # read again, after it or we were mended
}


class Machine(NamedTuple):
    """The states of a table's rows: `what` a row is called, and the column that holds its state.

    `only`: a move that needs another column to hold one of certain values, as (before, after) -> (column, values).
    """

    what: str
    table: str
    column: str
    moves: Mapping[Any, frozenset[Any]]
    only: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {}


_REOPENED = {("skipped", "due"): ("reason", ("before_known", "before_cut_over"))}
MACHINES = (
    Machine("cycle", "cycles", "state", CYCLE_MOVES, _REOPENED),
    Machine("invoice", "invoices", "status", INVOICE_MOVES),
    Machine("charge", "charges", "state", CHARGE_MOVES),
    Machine("refund", "refunds", "state", REFUND_MOVES),
    Machine("payment link", "pay_links", "state", PAY_LINK_MOVES),
    Machine("reversal inquiry", "payment_inquiries", "state", INQUIRY_MOVES),
    Machine("notice", "notices", "state", NOTICE_MOVES),
    Machine("message", "inbox", "state", MESSAGE_MOVES),
)

# Money may be on its way: nothing else may happen to that invoice's collection.
CHARGE_IN_FLIGHT = frozenset({"sending", "unknown", "pending"})


class IllegalMoveError(Exception):
    """A state machine was asked for a move it does not know."""


def check_move(moves: Mapping[_State, frozenset[_State]], what: str, before: _State, after: _State) -> None:
    """Raise IllegalMoveError unless `before → after` is listed in `moves`."""
    if after not in moves[before]:
        raise IllegalMoveError(f"{what}: {before} → {after} is not a legal move")


# Why a cycle has not ended yet: every reason there is, so that whoever counts by reason knows how many kinds to expect.
WAITING_REASONS = frozenset(
    {"invoice_missing", "invoice_unpaid", "invoice_blocked", "series_stopped", "payment_unanswered"}
)
HELD_REASONS = frozenset({"payment_failed", "invoice_overdue", "invoice_uncollectible"})
BLOCKED_REASONS = frozenset(
    {"price_missing", "currency_mismatch", "earlier_cycle_blocked", "data_error", "kills_its_worker"}
)
# Why an attempt or a refund does not go out, or can't be said to have ended.
STUCK_REASONS = frozenset(
    {
        *("account_missing", "account_refused", "gateway_missing", "secret_missing", "secret_malformed"),
        *("amount_too_small", "amount_too_large", "amount_not_payable", "currency_not_supported"),
        *("rate_limited", "unreachable", "client_is_paying", "too_many_declines", "no_payment_method"),
        *("needs_a_person", "data_error", "kills_its_worker", "pending_capture", "refused", "unrecorded"),
    }
)
UNSETTLED_REASONS = frozenset({""}) | WAITING_REASONS | HELD_REASONS | BLOCKED_REASONS
