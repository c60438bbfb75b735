"""May this order go out? Cleared, waiting for its payment (silent), or held by a failed one (always a problem)."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from shared.domain.invoicing import Cancel, Skip
from shared.domain.planning import BEFORE_CUT_OVER
from shared.domain.states import CycleState, InvoiceStatus

UNANSWERED = "payment_unanswered"


class Unresolved(NamedTuple):
    """An invoice of the subscription that is not paid and not void. Outside the series `starts_on` is None."""

    invoice_id: str
    starts_on: date | None
    status: InvoiceStatus
    failing: bool
    due_on: date
    unanswered: bool = False  # its first attempt to collect has not been answered


class Covering(NamedTuple):
    """The invoice cycle whose period contains the order's date, with its invoice's status once there is one."""

    starts_on: date
    state: CycleState
    reason: str | None
    invoice_status: InvoiceStatus | None


class Cleared(NamedTuple):
    """The order may be created."""


class Waiting(NamedTuple):
    """Not yet, and nothing is wrong: the invoice of the period comes first."""

    reason: str
    blocking_starts_on: date | None


class Held(NamedTuple):
    """Not before this invoice is resolved."""

    reason: str
    blocking_starts_on: date | None
    blocking_invoice_id: str


Clearance = Cleared | Waiting | Held | Skip | Cancel


def clear(
    covering: Covering | None,
    unresolved: Sequence[Unresolved],
    *,
    self_checkout: bool,
    hold_on: str,
    today: date,
    series_stopped: bool,
    starts_on: date,
    invoice_to_come: bool = False,
) -> Clearance:
    """May the order that starts on `starts_on` go out today?

    No open invoice of the subscription is failing (or, with hold_on "overdue", past its due date), and for self-checkout
    the invoice whose period covers the order's date is paid. The order of a void or skipped period is skipped too; that of a
    period billed elsewhere before the cut-over is not. A manual order waits while the first attempt to collect an invoice due
    no later than itself has not been answered (`invoice_to_come`: one is about to be issued and collected).
    """
    if self_checkout and covering is not None:
        ended = _ended_with_its_invoice(covering)
        if ended is not None:
            return ended
    held = _hold(unresolved, hold_on, today)
    if held is not None:
        return held
    if not self_checkout:
        return _by_hand(unresolved, starts_on, invoice_to_come=invoice_to_come)
    if covering is not None and covering.reason == BEFORE_CUT_OVER:
        return Cleared()
    if covering is None:
        return Waiting("series_stopped" if series_stopped else "invoice_missing", None)
    if covering.invoice_status == "paid":
        return Cleared()
    return Waiting("invoice_blocked" if covering.state == "blocked" else "invoice_unpaid", covering.starts_on)


def _by_hand(unresolved: Sequence[Unresolved], starts_on: date, *, invoice_to_come: bool) -> Clearance:
    for invoice in unresolved:
        if invoice.unanswered and invoice.starts_on is not None and invoice.starts_on <= starts_on:
            return Waiting(UNANSWERED, invoice.starts_on)
    return Waiting(UNANSWERED, None) if invoice_to_come else Cleared()


def _ended_with_its_invoice(covering: Covering) -> Skip | Cancel | None:
    if covering.state == "skipped" and covering.reason != BEFORE_CUT_OVER:
        return Skip(covering.reason or "invoice_skipped")
    if covering.state == "cancelled":
        return Cancel(covering.reason or "subscription_cancelled")
    if covering.invoice_status == "void":
        return Skip("invoice_void")
    return None


def _hold(unresolved: Sequence[Unresolved], hold_on: str, today: date) -> Held | None:
    """The oldest invoice that holds orders, as a hold."""
    for invoice in unresolved:
        if invoice.status == "uncollectible":
            reason = "invoice_uncollectible"
        elif invoice.failing:
            reason = "payment_failed"
        elif hold_on == "overdue" and today > invoice.due_on:
            reason = "invoice_overdue"
        else:
            continue
        return Held(reason, invoice.starts_on, invoice.invoice_id)
    return None
