"""The bench on a handful of rows: it measures everything it names, and every way of writing leaves the same behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SMALL = "--cycles 40 --naive-cycles 20 --samples 2 --sample-seconds 0.2 --schedules 60 --dispatched 30"


def measured(*parts: str) -> dict[str, Any]:
    """Parts of one run, as `make bench ARGS=…` does it, with few rows; how fast it was decides nothing."""
    only = [word for part in parts for word in ("--only", part)]
    ran = subprocess.run(
        [sys.executable, "-m", "ops.bench", *only, *SMALL.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    assert found["environment"]["fsync"] == "on"
    return found


@pytest.mark.slow
def test_every_way_of_writing_leaves_equal_rows() -> None:
    found = measured("ways")
    tables = {"cycles done", "invoices", "invoice_lines", "charges", "events", "numbers taken", "schedules moved"}
    rows = {"floor": 40, "engine": 40, "cluster": 40, "naive": 20}
    assert {way: found[way]["rows"] for way in rows} == {way: dict.fromkeys(tables, n) for way, n in rows.items()}
    assert found["rows_equal"] is True
    assert {"engine_vs_floor", "cluster_vs_floor", "engine_vs_naive"} <= set(found)
    assert "memory_mb" not in found


@pytest.mark.slow
def test_charges_are_measured_with_and_without_a_limit() -> None:
    found = measured("charges")["charges"]
    charges = {name: each["charges"] for name, each in found.items() if isinstance(each, dict)}
    assert charges == {"at_default_rate": 40, "unlimited": 40}


@pytest.mark.slow
def test_the_other_parts_name_every_figure() -> None:
    found = measured("giant_agency", "broker", "latency_seconds", "idle_tick")
    assert {what: each["samples"] for what, each in found["latency_seconds"].items()} == {
        "due_to_issued": 2,
        "due_to_order": 2,
    }
    assert found["idle_tick"]["schedules"] == [30, 60]
    assert found["idle_tick"]["dispatched_rows"] == 30
    assert {"relay_events", "dispatch_messages", "relay_vs_one_at_a_time", "intake"} <= set(found["broker"])
    assert found["giant_agency"]["rate"] > 0


def test_another_content_is_another_digest(database_url: str) -> None:
    """The figure that compares the ways tells a changed amount and a missing line."""
    from ops.bench import counting, floor, seed

    seed.seed(database_url, 32)
    floor.run(database_url)
    before = counting.content(database_url)
    with seed.connect(database_url) as session:
        session.execute("UPDATE invoices SET tax_minor = 930, total_minor = 5830 WHERE invoice_id LIKE '%00000007:%'")
    changed = counting.content(database_url)
    with seed.connect(database_url) as session:
        session.execute("UPDATE invoices SET tax_minor = 931, total_minor = 5831 WHERE invoice_id LIKE '%00000007:%'")
        assert counting.content(database_url) == before
        session.execute("DELETE FROM invoice_lines WHERE invoice_id LIKE '%00000009:%'")
    assert changed != before
    assert counting.content(database_url) != before
