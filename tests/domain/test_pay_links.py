"""Payment pages: every answer is decided on purpose, for every standing, and every wait has a last day."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.pay_links import ANSWERS, STANDINGS, VERDICTS, lateness, person_until
from shared.domain.states import PAY_LINK_MOVES

AT = datetime(2026, 6, 1, tzinfo=UTC)
BECOMES = {
    "paid": "paid",
    "accepted": "paying",
    "reopened": "open",
    "ended": "ended",
    "failed": "ended",
    "missing": "paying",
    "asked_again": "paying",
    "doubted": "paying",
}


def test_the_table_is_total() -> None:
    assert set(VERDICTS) == set(STANDINGS)
    assert all(set(answers) == set(ANSWERS) for answers in VERDICTS.values())


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_verdict_is_a_legal_move(standing: str, answer: str) -> None:
    verdict = VERDICTS[standing][answer]  # type: ignore[index]
    state = "paying" if standing == "doubtful" else standing
    assert verdict == "kept" or BECOMES[verdict] in {state, *PAY_LINK_MOVES[state]}


def test_money_is_recorded_whatever_the_state_of_a_payment_page() -> None:
    assert {answers["succeeded"] for answers in VERDICTS.values()} == {"paid"}


@pytest.mark.parametrize(
    ("days", "pending", "is_late"),
    [
        *((2.9, False, "in_time"), (3, False, "ask_a_person"), (9.9, False, "ask_a_person"), (10, False, "over")),
        *((29.9, True, "in_time"), (30, True, "ask_a_person"), (36.9, True, "ask_a_person"), (37, True, "over")),
    ],
)
def test_no_wait_is_without_an_end(days: float, pending: bool, is_late: str) -> None:
    assert lateness(AT, AT + timedelta(days=days), pending=pending) == is_late


def test_a_person_is_told_until_when() -> None:
    assert (person_until(AT, pending=False) - AT, person_until(AT, pending=True) - AT) == (
        timedelta(days=10),
        timedelta(days=37),
    )
