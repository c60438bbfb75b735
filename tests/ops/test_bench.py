"""The bench on a handful of rows: it measures everything it names, and every way of writing leaves the same behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = "--cycles 40 --naive-cycles 20 --samples 2 --sample-seconds 0.2 --schedules 60 --rung 30"


@pytest.mark.slow
def test_a_small_run_names_every_figure_and_writes_equal_rows() -> None:
    """One run, as `make bench ARGS=--json` does it, with few rows; how fast it was decides nothing."""
    ran = subprocess.run(
        [sys.executable, "-m", "ops.bench", "--json", *SMALL.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    tables = {"cycles done", "invoices", "invoice_lines", "charges", "events", "numbers taken", "schedules moved"}
    assert found["floor"]["rows"] == dict.fromkeys(tables, 40)
    assert found["engine"]["rows"] == dict.fromkeys(tables, 40)
    assert found["cluster"]["rows"] == dict.fromkeys(tables, 40)
    assert found["naive"]["rows"] == dict.fromkeys(tables, 20)
    assert found["rows_equal"] is True
    assert {"engine_vs_floor", "cluster_vs_floor", "engine_vs_naive", "giant_agency"} <= set(found)
    assert {what: each["samples"] for what, each in found["latency_seconds"].items()} == {
        "due_to_issued": 2,
        "due_to_order": 2,
    }
    assert found["idle_tick"]["schedules"] == [30, 60]
    assert found["idle_tick"]["rung_rows"] == 30
    assert {"relay_events", "dispatch_messages", "relay_vs_one_at_a_time", "intake"} <= set(found["broker"])
    assert {name: each["charges"] for name, each in found["charges"].items() if isinstance(each, dict)} == {
        "at_default_rate": 40,
        "unlimited": 40,
    }
    assert found["environment"]["fsync"] == "on"
    assert "memory_mb" not in found


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
