"""The rows of a run as JSON lines, streamed from the database in a fixed order."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ops.simulate.run import Seen
from shared.store import exports
from shared.store.database import Store

_encode = msgspec.json.encode


def write_outputs(store: Store, folder: Path, left: Iterable[Seen]) -> dict[str, int]:
    """Write every `.jsonl` file of the run. Returns how many lines each got."""
    counts = {}
    with store.transaction() as tx:
        for name in exports.FILES:
            counts[name] = _write(folder / f"{name}.jsonl", exports.rows_of(tx, name))
        lines = {(seen.received.agency_id, seen.received.source, seen.received.id): seen.line.number for seen in left}
        counts["rejected"] = _write(folder / "rejected.jsonl", _numbered(exports.rows_of(tx, "rejected"), lines))
        counts["waiting"] = _write(folder / "waiting.jsonl", _numbered(exports.rows_of(tx, "waiting"), lines))
    return counts


def _numbered(
    rows: Iterable[Mapping[str, Any]], lines: Mapping[tuple[str, str, str], int]
) -> Iterable[Mapping[str, Any]]:
    for row in rows:
        yield {"line": lines.get((row["agency_id"], row["source"], row["id"])), **row}


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(_encode(row) + b"\n")
            count += 1
    return count
