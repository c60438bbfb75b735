"""Every state, and every legal move between them. What is not listed here never happens."""

from collections.abc import Mapping

CYCLE_MOVES: Mapping[str, frozenset[str]] = {
    "due": frozenset({"due", "waiting", "held", "blocked", "done", "skipped", "cancelled"}),
    "waiting": frozenset({"due", "held", "blocked", "done", "skipped", "cancelled"}),
    "held": frozenset({"due", "waiting", "blocked", "done", "skipped", "cancelled"}),
    "blocked": frozenset({"due", "waiting", "held", "done", "skipped", "cancelled"}),
    "done": frozenset(),
    "skipped": frozenset({"due"}),  # before_known alone, when an operator asks for the past to be billed
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
    "unknown": frozenset({"due", "succeeded", "declined", "action_required", "pending"}),
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
# Money may be on its way: nothing else may happen to that invoice's collection.
CHARGE_IN_FLIGHT = frozenset({"sending", "unknown", "pending"})


class IllegalMoveError(Exception):
    """A state machine was asked for a move it does not know."""


def check_move(moves: Mapping[str, frozenset[str]], what: str, before: str, after: str) -> None:
    """Raise IllegalMoveError unless `before → after` is listed in `moves`."""
    if after not in moves[before]:
        raise IllegalMoveError(f"{what}: {before} → {after} is not a legal move")


# Why a cycle has not ended yet: every reason there is, so that whoever counts by reason knows how many kinds to expect.
WAITING_REASONS = frozenset({"invoice_missing", "invoice_unpaid", "invoice_blocked", "series_stopped"})
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
