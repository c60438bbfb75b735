"""How the database carries out what runs for every cycle: never each row of a batch against each row of an agency."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import tuple_row

from ops.bench import floor, seed
from scheduler.plan import plan
from shared.store import bulk
from shared.store.transaction import FixedClock, Store, Tx
from workers.invoices.issue_invoices import issue_invoices


def nodes(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield found
    for each in found.get("Plans", ()):
        yield from nodes(each)


def test_a_batch_is_not_compared_with_every_cycle_of_the_agency(
    store: Store, clock: FixedClock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the statistics say that no cycle is due, as they do when the last ANALYZE came after a quiet night."""
    clock.at = datetime.now(UTC)
    seed.seed(database_url, 2000, agencies=1, months=1)
    floor.run(database_url)
    seed.tidy(database_url)
    while plan(store):
        pass
    carried_out: dict[str, list[dict[str, Any]]] = {}
    real = Tx._execute

    def explained(self: Tx, sql: str, params: Any, kind: Any, take: Any) -> Any:
        if sql.lstrip().startswith("UPDATE"):
            (found,) = real(self, f"EXPLAIN (FORMAT JSON) {sql}", params, tuple_row, lambda cursor: cursor.fetchone())
            whole = json.loads(found) if isinstance(found, str) else found
            carried_out[sql.split()[1]] = list(nodes(whole[0]["Plan"]))
        return real(self, sql, params, kind, take)

    with store.transaction() as tx:
        rows = tx.rows("SELECT agency_id, subscription_id FROM cycles WHERE state = 'due' ORDER BY 2 LIMIT 200")
    monkeypatch.setattr(Tx, "_execute", explained)
    issue_invoices(store, rows[0][0], [row[1] for row in rows])
    expected = [node["Plan Rows"] for node in carried_out["cycles"] if node.get("Relation Name") == "cycles"][-1]
    assert expected > 10  # a plan for one row is a loop over all of them


def test_no_update_of_a_batch_trusts_the_statistics_of_a_state() -> None:
    """Each goes by `bulk.still_in`: a plain comparison is planned for no rows after a night in which nothing was due."""
    statements = re.compile(r'"""(\s*UPDATE (?:(?!""").)*FROM unnest(?:(?!""").)*)"""', re.DOTALL)
    found = {
        f"{path.name}: {sql.split()[1]}"
        for path in Path(bulk.__file__).parent.glob("*.py")
        for sql in statements.findall(path.read_text("utf-8"))
        if re.search(r"\bstate (?:IN|=) ", sql.partition("WHERE")[2])
    }
    assert found == set()
