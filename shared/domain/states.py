"""Every state, and every legal move between them. What is not listed here the database refuses to write.

A change needs a migration: see "Schema changes" in CONTRIBUTING.md.
"""

from collections.abc import Mapping
from typing import NamedTuple

CYCLE_MOVES: Mapping[str, frozenset[str]] = {
    "due": frozenset({"due", "waiting", "held", "blocked", "done", "skipped", "cancelled"}),
    "waiting": frozenset({"due", "held", "blocked", "done", "skipped", "cancelled"}),
    "held": frozenset({"due", "waiting", "blocked", "done", "skipped", "cancelled"}),
    "blocked": frozenset({"due", "waiting", "held", "done", "skipped", "cancelled"}),
    "done": frozenset(),
    "skipped": frozenset({"due"}),  # what was passed over, when somebody asks for the past to be billed
    "cancelled": frozenset(),
}
CYCLE_UNSETTLED = frozenset({"due", "waiting", "held", "blocked"})

INVOICE_MOVES: Mapping[str, frozenset[str]] = {
    "open": frozenset({"paid", "void", "uncollectible"}),
    "uncollectible": frozenset({"paid", "void"}),
    "paid": frozenset({"open"}),  # its money was taken back
    "void": frozenset(),
}
# An invoice series goes on while its latest invoice is one of these.
SERIES_GOES_ON = frozenset({"open", "paid"})

CHARGE_MOVES: Mapping[str, frozenset[str]] = {
    "due": frozenset({"sending", "not_sent"}),
    "sending": frozenset({"due", "succeeded", "declined", "action_required", "pending", "unknown", "not_sent"}),
    # not_sent: the provider never got it, and meanwhile nothing is left to collect
    "unknown": frozenset({"due", "succeeded", "declined", "action_required", "pending", "not_sent"}),
    "pending": frozenset({"succeeded", "declined", "unknown"}),
    "action_required": frozenset({"succeeded", "declined", "not_sent"}),
    "succeeded": frozenset(),
    "declined": frozenset({"succeeded"}),
    "not_sent": frozenset(),
}
REFUND_MOVES: Mapping[str, frozenset[str]] = {
    "due": frozenset({"sending", "failed"}),
    "sending": frozenset({"due", "unknown", "pending", "succeeded", "failed"}),
    "unknown": frozenset({"due", "pending", "succeeded", "failed"}),
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset({"failed"}),  # the client's bank sent it back
    "failed": frozenset(),
}
PAY_LINK_MOVES: Mapping[str, frozenset[str]] = {
    "opening": frozenset({"open", "paying", "paid", "ended"}),
    "open": frozenset({"paying", "paid", "ended"}),
    "paying": frozenset({"open", "paid", "ended"}),
    "paid": frozenset(),
    "ended": frozenset({"paying", "paid"}),  # somebody has paid there all the same
}
INQUIRY_MOVES: Mapping[str, frozenset[str]] = {
    "asking": frozenset({"answered", "unanswered"}),
    "answered": frozenset({"asking"}),  # the provider has told of it once more
    "unanswered": frozenset({"asking"}),
}
NOTICE_MOVES: Mapping[str, frozenset[str]] = {
    "due": frozenset({"sent", "failed"}),
    "sent": frozenset(),
    "failed": frozenset(),
}
MESSAGE_MOVES: Mapping[str, frozenset[str]] = {
    "waiting": frozenset({"applied", "repeated", "stale", "rejected"}),
    "applied": frozenset(),
    "repeated": frozenset(),
    "stale": frozenset(),
    "rejected": frozenset({"waiting"}),  # read again, after it or we were mended
}


class Machine(NamedTuple):
    """The states of a table's rows: `what` a row is called, and the column in which its state stands.

    `only`: a move that needs another column to hold one of certain values, as (before, after) -> (column, values).
    """

    what: str
    table: str
    column: str
    moves: Mapping[str, frozenset[str]]
    only: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {}


_REOPENED = {("skipped", "due"): ("reason", ("before_known", "before_cut_over"))}
MACHINES = (
    Machine("cycle", "cycles", "state", CYCLE_MOVES, _REOPENED),
    Machine("invoice", "invoices", "status", INVOICE_MOVES),
    Machine("charge", "charges", "state", CHARGE_MOVES),
    Machine("refund", "refunds", "state", REFUND_MOVES),
    Machine("place to pay", "pay_links", "state", LINK_MOVES),
    Machine("question about money taken back", "payment_inquiries", "state", INQUIRY_MOVES),
    Machine("notice", "notices", "state", NOTICE_MOVES),
    Machine("message", "inbox", "state", MESSAGE_MOVES),
)

# Money may be on its way: nothing else may happen to that invoice's collection.
CHARGE_IN_FLIGHT = frozenset({"sending", "unknown", "pending"})


class IllegalMoveError(Exception):
    """A state machine was asked for a move it does not know."""


def check_move(moves: Mapping[str, frozenset[str]], what: str, before: str, after: str) -> None:
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
        *("account_missing", "gateway_missing", "secret_missing", "secret_malformed", "credentials_refused"),
        *("amount_too_small", "amount_too_large", "amount_not_payable", "currency_not_supported"),
        *("rate_limited", "unreachable", "client_is_paying", "too_many_declines", "no_payment_method"),
        *("needs_a_person", "data_error", "kills_its_worker", "pending_capture"),
    }
)
UNSETTLED_REASONS = frozenset({""}) | WAITING_REASONS | HELD_REASONS | BLOCKED_REASONS
