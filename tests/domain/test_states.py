"""The state machines: every state the ledger knows, every legal move, and nothing else."""

from collections.abc import Mapping

import pytest

from shared.domain.states import (
    ANSWERS,
    CHARGE_ANSWERS,
    CHARGE_IN_FLIGHT,
    CHARGE_MOVES,
    CYCLE_MOVES,
    CYCLE_UNSETTLED,
    INVOICE_MOVES,
    PAY_LINK_MOVES,
    REFUND_ANSWERS,
    REFUND_MOVES,
    SERIES_GOES_ON,
    IllegalMoveError,
    check_move,
)

Moves = Mapping[str, frozenset[str]]
MACHINES = {
    "cycle": CYCLE_MOVES,
    "invoice": INVOICE_MOVES,
    "charge": CHARGE_MOVES,
    "refund": REFUND_MOVES,
    "link": PAY_LINK_MOVES,
}


def test_every_state_is_known() -> None:
    assert set(CYCLE_MOVES) == {"due", "waiting", "held", "blocked", "done", "skipped", "cancelled"}
    assert set(INVOICE_MOVES) == {"open", "paid", "void", "uncollectible"}
    assert set(CHARGE_MOVES) == {
        "due",
        "sending",
        "succeeded",
        "declined",
        "action_required",
        "pending",
        "unknown",
        "not_sent",
    }


@pytest.mark.parametrize("moves", MACHINES.values(), ids=MACHINES)
def test_moves_lead_to_known_states(moves: Moves) -> None:
    assert {after for listed in moves.values() for after in listed} <= set(moves)


def test_only_money_that_is_gone_opens_an_end_again() -> None:
    """A paid invoice whose payment was taken back; a refund that the client's bank sent back; a page paid after all."""
    assert (INVOICE_MOVES["paid"], REFUND_MOVES["succeeded"]) == ({"open"}, {"failed"})
    assert PAY_LINK_MOVES["ended"] == {"paying", "paid"}


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        (CYCLE_MOVES, "done"),
        (CYCLE_MOVES, "cancelled"),
        (INVOICE_MOVES, "void"),
        (CHARGE_MOVES, "succeeded"),
        (REFUND_MOVES, "failed"),
    ],
)
def test_an_end_is_an_end(moves: Moves, state: str) -> None:
    """One outcome for each row: from a terminal state no move leads anywhere."""
    assert moves[state] == frozenset()
    for after in moves:
        with pytest.raises(IllegalMoveError, match=f"{state} → {after}"):
            check_move(moves, "row", state, after)


@pytest.mark.parametrize(
    ("moves", "before", "after"),
    [
        (CYCLE_MOVES, "due", "done"),
        (CYCLE_MOVES, "waiting", "due"),
        (CYCLE_MOVES, "due", "held"),
        (CYCLE_MOVES, "held", "due"),
        (CYCLE_MOVES, "due", "blocked"),
        (CYCLE_MOVES, "blocked", "due"),
        (CYCLE_MOVES, "due", "skipped"),
        (CYCLE_MOVES, "due", "cancelled"),
        (INVOICE_MOVES, "open", "paid"),
        (INVOICE_MOVES, "open", "void"),
        (INVOICE_MOVES, "open", "uncollectible"),
        (INVOICE_MOVES, "uncollectible", "paid"),
        (CHARGE_MOVES, "due", "sending"),
        *((CHARGE_MOVES, "sending", end) for end in ("succeeded", "declined", "action_required", "pending", "unknown")),
    ],
)
def test_the_moves_the_ledger_is_made_of(moves: Moves, before: str, after: str) -> None:
    check_move(moves, "row", before, after)


@pytest.mark.parametrize(
    ("moves", "before", "after"),
    [
        (INVOICE_MOVES, "paid", "void"),  # refunded instead
        (INVOICE_MOVES, "uncollectible", "open"),
        (CHARGE_MOVES, "due", "succeeded"),  # nothing succeeds that was not sent
        (CHARGE_MOVES, "unknown", "sending"),  # doubt is never answered by charging again
        (CHARGE_MOVES, "pending", "sending"),
        (CHARGE_MOVES, "declined", "due"),  # the next attempt has a key of its own
        (CHARGE_MOVES, "not_sent", "due"),
        (CHARGE_MOVES, "succeeded", "declined"),
    ],
)
def test_moves_that_never_happen(moves: Moves, before: str, after: str) -> None:
    with pytest.raises(IllegalMoveError):
        check_move(moves, "row", before, after)


def test_a_series_goes_on_while_its_latest_invoice_is_open_or_paid() -> None:
    assert frozenset({"open", "paid"}) == SERIES_GOES_ON


def test_money_may_be_on_its_way_in_three_states() -> None:
    assert frozenset({"sending", "unknown", "pending"}) == CHARGE_IN_FLIGHT


def test_unsettled_is_whatever_has_no_outcome_yet() -> None:
    assert frozenset({"due", "waiting", "held", "blocked"}) == CYCLE_UNSETTLED
    assert {state for state, moves in CYCLE_MOVES.items() if moves} - {"skipped"} == CYCLE_UNSETTLED


def test_a_skipped_cycle_may_only_be_opened_again() -> None:
    """A backfill opens what was skipped as before_known; it becomes due and is decided again, nothing else."""
    assert CYCLE_MOVES["skipped"] == {"due"}


@pytest.mark.parametrize("answers", [CHARGE_ANSWERS, REFUND_ANSWERS], ids=["charge", "refund"])
def test_every_pair_of_state_and_answer_is_decided(answers: Mapping[str, Mapping[str, str | None]]) -> None:
    moves = CHARGE_MOVES if answers is CHARGE_ANSWERS else REFUND_MOVES
    assert set(answers) == set(moves)
    for state, decided in answers.items():
        assert set(decided) == set(ANSWERS)
        assert {after for after in decided.values() if after not in (None, state)} <= moves[state]


@pytest.mark.parametrize("answers", [CHARGE_ANSWERS, REFUND_ANSWERS], ids=["charge", "refund"])
def test_money_that_moved_is_recorded_wherever_it_is_asked_about(
    answers: Mapping[str, Mapping[str, str | None]],
) -> None:
    asked = {state for state, decided in answers.items() if any(after is not None for after in decided.values())}
    assert {answers[state]["succeeded"] for state in asked} == {"succeeded"}


def test_doubt_is_never_ended_by_a_question_that_did_not_get_through() -> None:
    for state in ("unknown", "pending"):
        assert {CHARGE_ANSWERS[state][each] for each in ("not_sent", "refused", "not_yet_knowable", "unknown")} == {
            state
        }
    assert CHARGE_ANSWERS["pending"]["not_found"] == "pending"  # they had accepted it
