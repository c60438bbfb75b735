"""Many periods of which only the end matters are one row of the ledger: in order, complete, and told apart when asked for."""

from datetime import date

import pytest
from click.testing import CliRunner

from ops.cli import commands
from tests.journeys.diary import Diary, told


def import_of_1970(diary: Diary) -> None:
    """A daily service; the import says that its three subscriptions began with the epoch."""
    diary.open("2025-12-20")
    diary.say("service.upserted", "2025-12-20", price_minor=500, billing_cycle={"unit": "day", "every": 1})
    for number in range(3):
        diary.say("subscription.upserted", "2026-01-01T08:00:00Z", subscription_id=f"s{number}", starts_on="1970-01-01")


def test_56_years_of_days_before_the_first_message_are_one_row_of_each_stream(diary: Diary) -> None:
    """From 1 January 1970 to 1 January 2026 there are 20,454 days; billed are the first days after."""
    import_of_1970(diary)
    diary.go("2026-01-02T12:00:00Z")
    for stream in ("invoice", "order"):
        assert told(diary.cycles("s1", stream), "index periods starts_on ends_on state reason") == [
            (0, 20454, "1970-01-01", "2026-01-01", "skipped", "before_known"),
            (20454, 1, "2026-01-01", "2026-01-02", "done", None),
            (20455, 1, "2026-01-02", "2026-01-03", "done", None),
        ]
    assert told(diary.invoices("s1"), "period_starts_on total_minor status") == [
        ("2026-01-01", 595, "paid"),
        ("2026-01-02", 595, "paid"),
    ]
    assert diary.ask("SELECT count(*) FROM cycles") == [(18,)]


def test_bill_from_ends_the_row_at_the_period_that_it_lies_in(diary: Diary) -> None:
    """Monthly from the 31st since 1999: the period from 31 October is the first that ends after 1 November 2025."""
    diary.open("2026-01-01")
    diary.say("subscription.upserted", "2026-01-01T08:00:00Z", starts_on="1999-01-31", bill_from="2025-11-01")
    assert told(diary.cycles(stream="invoice"), "index periods starts_on ends_on state") == [
        (0, 321, "1999-01-31", "2025-10-31", "skipped"),
        (321, 1, "2025-10-31", "2025-11-30", "done"),
        (322, 1, "2025-11-30", "2025-12-31", "done"),
        (323, 1, "2025-12-31", "2026-01-31", "done"),
    ]


def backfill(diary: Diary, *words: str) -> str:
    env = {"DUECYCLE_DATABASE_URL": diary.store.engine.url.render_as_string(hide_password=False)}
    answer = CliRunner().invoke(commands, ["backfill", "--agency", "ag", *words], env=env)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_a_part_of_a_long_row_can_be_billed_after_all(diary: Diary) -> None:
    """Monthly from 31 January 1999; asked for are the periods that start in March and April 2010. A look changes nothing."""
    diary.open("2026-01-01")
    diary.say("subscription.upserted", "2026-01-01T08:00:00Z", starts_on="1999-01-31")
    before = diary.cycles(stream="invoice")
    words = ("--from", "2010-03-01", "--to", "2010-05-01", "--stream", "invoice")
    assert "2 cycles would be" in backfill(diary, *words, "--dry-run")
    assert diary.cycles(stream="invoice") == before
    assert "2 cycles reopened or planned" in backfill(diary, *words, "--apply")
    with diary.store.transaction() as tx:  # commands go by the database's clock
        tx.run("UPDATE cycles SET wake_at = :now WHERE state = 'due'", now=diary.clock.at)
    diary.go("2026-01-02")
    assert told(diary.cycles(stream="invoice"), "index periods starts_on ends_on state")[:4] == [
        (0, 134, "1999-01-31", "2010-03-31", "skipped"),
        (134, 1, "2010-03-31", "2010-04-30", "done"),
        (135, 1, "2010-04-30", "2010-05-31", "done"),
        (136, 187, "2010-05-31", "2025-12-31", "skipped"),
    ]
    assert ("2010-04-30", "2010-05-31") in told(diary.invoices(), "period_starts_on period_ends_on")
    assert "is done" in backfill(diary, *words, "--dry-run") or "already" in backfill(diary, *words, "--dry-run")


@pytest.mark.parametrize(("unit", "from_on", "stopped_for"), [("day", "2026-09-01", 91), ("month", "2026-09-01", 2)])
def test_what_a_stopped_series_missed_is_one_row_if_it_is_much(
    diary: Diary, unit: str, from_on: str, stopped_for: int
) -> None:
    """A voided invoice of 1 June stops the series, which goes on on 1 September: of 91 days most are one row."""
    diary.open("2026-05-20")
    diary.say("service.upserted", "2026-05-20", billing_cycle={"unit": unit, "every": 1})
    diary.say("subscription.upserted", "2026-05-21", subscription_id="sub", collection="manual", starts_on="2026-06-01")
    diary.go("2026-06-01T08:00:00Z")
    diary.say("invoice.voided", "2026-06-01T09:00:00Z", subscription_id="sub", period_starts_on="2026-06-01")
    diary.go("2026-08-31")
    diary.say("subscription.resumed", "2026-08-31T08:00:00Z", subscription_id="sub", **{"from": from_on})
    diary.go("2026-09-01T08:00:00Z")
    found = told(diary.cycles("sub", "invoice"), "periods starts_on ends_on state")
    assert found[-1][1:] == ("2026-09-01", "2026-09-02" if unit == "day" else "2026-10-01", "done")
    skipped = [row for row in found if row[3] == "skipped"]
    assert sum(row[0] for row in skipped) == stopped_for
    assert len(skipped) <= 3
    assert date.fromisoformat(skipped[-1][2]) == date(2026, 9, 1)
