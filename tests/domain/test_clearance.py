"""May an order go out? The whole decision table."""

from datetime import date

import pytest

from shared.domain.clearance import Clearance, Cleared, Covering, Held, Unresolved, Waiting, clear
from shared.domain.invoicing import Cancel, Skip

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
TODAY = date(2026, 7, 20)
DUE_LATER, DUE_TODAY, DUE_BEFORE = date(2026, 7, 21), date(2026, 7, 20), date(2026, 7, 19)


def covering(status: str | None, state: str = "done", reason: str | None = None) -> Covering:
    return Covering(JULY, state, reason, status)


def unresolved(status: str = "open", *, failing: bool = False, due_on: date = DUE_LATER, id_: str = "i6") -> Unresolved:
    return Unresolved(invoice_id=id_, starts_on=JUNE, status=status, failing=failing, due_on=due_on)


FAILED = Held("payment_failed", JUNE, "i6")
TABLE: list[tuple[str, bool, str, Covering | None, list[Unresolved], Clearance]] = [
    # (what, self-checkout, hold_on, the covering invoice cycle, unresolved invoices, clearance)
    ("manual, nothing open", False, "failure", None, [], Cleared()),
    ("manual, open and not failing", False, "failure", None, [unresolved()], Cleared()),
    ("manual, overdue but not failing", False, "failure", None, [unresolved(due_on=DUE_BEFORE)], Cleared()),
    ("manual, failing", False, "failure", None, [unresolved(failing=True)], FAILED),
    (
        "manual, given up",
        False,
        "failure",
        None,
        [unresolved("uncollectible")],
        Held("invoice_uncollectible", JUNE, "i6"),
    ),
    ("manual, void covering counts not", False, "failure", covering("void"), [], Cleared()),
    ("manual, overdue policy, due today", False, "overdue", None, [unresolved(due_on=DUE_TODAY)], Cleared()),
    (
        "manual, overdue policy, past",
        False,
        "overdue",
        None,
        [unresolved(due_on=DUE_BEFORE)],
        Held("invoice_overdue", JUNE, "i6"),
    ),
    ("overdue policy holds on failure too", False, "overdue", None, [unresolved(failing=True)], FAILED),
    (
        "the oldest that holds is named",
        False,
        "failure",
        None,
        [unresolved(), unresolved(failing=True, id_="i7"), unresolved(failing=True, id_="i8")],
        Held("payment_failed", JUNE, "i7"),
    ),
    ("checkout, paid", True, "failure", covering("paid"), [], Cleared()),
    ("checkout, open", True, "failure", covering("open"), [unresolved(id_="i7")], Waiting("invoice_unpaid", JULY)),
    ("checkout, not issued yet", True, "failure", covering(None, "due"), [], Waiting("invoice_unpaid", JULY)),
    ("checkout, cycle blocked", True, "failure", covering(None, "blocked"), [], Waiting("invoice_blocked", JULY)),
    ("checkout, no cycle yet", True, "failure", None, [], Waiting("invoice_missing", None)),
    ("checkout, paid but another fails", True, "failure", covering("paid"), [unresolved(failing=True)], FAILED),
    ("checkout, void", True, "failure", covering("void"), [], Skip("invoice_void")),
    (
        "checkout, void though another fails",
        True,
        "failure",
        covering("void"),
        [unresolved(failing=True)],
        Skip("invoice_void"),
    ),
    ("checkout, skipped for a pause", True, "failure", covering(None, "skipped", "paused"), [], Skip("paused")),
    ("checkout, cancelled", True, "failure", covering(None, "cancelled", "x"), [], Cancel("x")),
    (
        "checkout, given up",
        True,
        "failure",
        covering("uncollectible"),
        [unresolved("uncollectible", id_="i7")],
        Held("invoice_uncollectible", JUNE, "i7"),
    ),
]


@pytest.mark.parametrize(
    ("self_checkout", "hold_on", "cover", "open_", "expected"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE]
)
def test_clearance(
    self_checkout: bool, hold_on: str, cover: Covering | None, open_: list[Unresolved], expected: Clearance
) -> None:
    """No failing invoice, no given-up one, no overdue one if the agency wants so; and a paid period for a checkout."""
    found = clear(
        cover,
        open_,
        self_checkout=self_checkout,
        hold_on=hold_on,
        today=TODAY,
        series_stopped=False,
        starts_on=JULY,
    )
    assert found == expected


def test_a_checkout_order_behind_a_stopped_series_says_so() -> None:
    found = clear(None, [], self_checkout=True, hold_on="failure", today=TODAY, series_stopped=True, starts_on=JULY)
    assert found == Waiting("series_stopped", None)


def manual(open_: list[Unresolved], *, to_come: bool = False) -> Clearance:
    return clear(
        None,
        open_,
        self_checkout=False,
        hold_on="failure",
        today=TODAY,
        series_stopped=False,
        starts_on=JULY,
        invoice_to_come=to_come,
    )


def test_a_manual_order_waits_until_the_first_attempt_of_an_invoice_due_no_later_is_answered() -> None:
    unanswered = unresolved()._replace(unanswered=True)
    assert manual([unanswered]) == Waiting("payment_unanswered", JUNE)
    assert manual([unanswered._replace(starts_on=JULY)]) == Waiting("payment_unanswered", JULY)
    assert manual([unanswered._replace(starts_on=TODAY)]) == Cleared()  # due later than the order
    assert manual([unresolved()]) == Cleared()


def test_a_manual_order_waits_for_an_invoice_that_is_about_to_be_issued_and_collected() -> None:
    assert manual([], to_come=True) == Waiting("payment_unanswered", None)


def test_an_order_in_a_period_that_was_billed_elsewhere_before_the_cut_over_goes_out() -> None:
    elsewhere = covering(None, "skipped", "before_cut_over")
    found = clear(
        elsewhere, [], self_checkout=True, hold_on="failure", today=TODAY, series_stopped=False, starts_on=JULY
    )
    assert found == Cleared()
