"""What keeps a subscription standing still though nothing of its own is wrong is told with how it stands now."""

import json
from pathlib import Path

import pytest

from ops.history.command import told
from shared.store.database import FixedClock, Store
from shared.store.history import Named
from tests.journeys.diary import Diary
from tests.ops.test_history import SUB, begin, now


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    return Diary(store, clock, tmp_path)


def test_what_the_scheduler_can_not_plan_or_process_is_told_with_the_next_try(diary: Diary) -> None:
    """Of this subscription alone; and as programs read it too."""
    begin(diary)
    diary.go("2026-06-01")
    at = diary.clock.at
    with diary.store.transaction() as tx:
        tx.run("UPDATE schedules SET failures = 3, retry_at = next_at + interval '8 min' WHERE stream = 'invoice'")
        for ref in ("seo", "other"):
            tx.run(
                "INSERT INTO rechecks (agency_id, kind, ref, effective_at, failures, retry_at)"
                " VALUES ('ag', 'service', :ref, :at, 1, :at + interval '1 min')",
                ref=ref,
                at=at,
            )
        found = [line.strip() for line in told(tx, SUB, 200)]
        rows = [json.loads(line) for line in told(tx, SUB, 200, as_json=True)]

    assert (
        "the invoice series can't be planned from 2026-07-01 00:00 on: it failed 3 times, next try 2026-07-01 00:08; the"
        " scheduler's log says why (schedule.set_aside)"
    ) in found
    (line,) = [line for line in found if line.startswith("a change of")]
    assert line.startswith(
        "a change of service seo of 2026-06-01 23:59 could not be processed: it failed once, next try"
    )
    assert {"series_failing", "recheck_failing"} <= {row["what"] for row in rows if row["kind"] == "now"}


def test_a_stopped_clock_is_told_where_something_is_open(diary: Diary) -> None:
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-01")
    with diary.store.transaction() as tx:
        tx.run(
            "INSERT INTO clock_jumps (expected_at, seen_at, found_by) VALUES (:at, :at + interval '1 year', 'p')",
            at=diary.clock.at,
        )
    said = (
        "nothing is planned or charged: the database's clock said 2027-06-01 23:59 at 2026-06-01 23:59;"
        " see: duecycle clock show"
    )
    assert said in now(diary)
    assert said in now(diary, Named("ag", "sub", "inv:sub:2026-06-01"))
