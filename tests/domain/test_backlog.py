"""What the end of a hold brings, by the agency's policy."""

from shared.domain.backlog import SUPERSEDED, superseded
from tests.domain.facts_of import on, period

MAY = period(0, "2026-05-01", "2026-06-01")
JUNE = period(1, "2026-06-01", "2026-07-01")
JULY = period(2, "2026-07-01", "2026-08-01")


def test_all_keeps_every_held_order() -> None:
    assert superseded([MAY, JUNE, JULY], "all", on("2026-07-15")) == set()


def test_latest_keeps_the_order_whose_period_contains_today() -> None:
    assert superseded([MAY, JUNE, JULY], "latest", on("2026-07-15")) == {0, 1}


def test_a_period_begins_on_its_first_day_and_ends_before_the_next() -> None:
    assert superseded([MAY, JUNE, JULY], "latest", on("2026-07-01")) == {0, 1}
    assert superseded([MAY, JUNE, JULY], "latest", on("2026-06-30")) == {0, 2}


def test_latest_keeps_none_when_no_held_period_is_running() -> None:
    assert superseded([MAY, JUNE], "latest", on("2026-07-15")) == {0, 1}


def test_the_reason_is_part_of_the_ledger() -> None:
    assert SUPERSEDED == "backlog_latest"
