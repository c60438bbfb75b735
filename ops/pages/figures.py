"""Figures in the documentation: the bench writes them to docs/figures.json, and pages hold markers that are filled from it.

A marker is `<!-- figure: NAME -->…<!-- /figure -->`; what is between the two is written by `python -m ops.pages`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "docs" / "figures.json"
MARKER = re.compile(r"(<!-- figure: (\w+) -->).*?(<!-- /figure -->)")
Figure = str | float


def recorded(file: Path = FILE) -> Mapping[str, Figure]:
    """The figures of the run that was recorded last."""
    found: Mapping[str, Figure] = json.loads(file.read_text("utf-8"))
    return found


def filled(text: str, figures: Mapping[str, Figure]) -> str:
    """A page with its figures filled in. Raises KeyError for a marker that names none."""
    return MARKER.sub(lambda match: f"{match[1]}{_shown(figures[match[2]])}{match[3]}", text)


def _shown(figure: Figure) -> str:
    return figure if isinstance(figure, str) else f"{figure:,}"


def figures_of(found: Mapping[str, Any]) -> dict[str, Figure]:
    """What the pages tell of a whole run of the bench. Raises KeyError if a part of it was left out."""
    broker, charges, idle, latency = (found[part] for part in ("broker", "charges", "idle_tick", "latency_seconds"))
    return {
        "cores": found["environment"]["cores"],
        "postgresql": str(found["environment"]["postgresql"]).split()[0],
        "cycles": found["engine"]["cycles"],
        **{name: found[name] for name in ("engine_vs_floor", "cluster_vs_floor", "engine_vs_naive")},
        "due_to_issued_p95_seconds": latency["due_to_issued"]["p95"],
        "due_to_order_p95_seconds": latency["due_to_order"]["p95"],
        "relay_vs_single_confirms": broker["relay_vs_one_at_a_time"],
        "intake_batched_vs_single": broker["intake"]["ratio"],
        "idle_many_schedules": idle["schedules"][1],
        "idle_many_vs_few": idle["many_vs_few"],
        "idle_dispatched_rows": idle["dispatched_rows"],
        "idle_dispatched_vs_few": idle["dispatched_vs_few"],
        "charges_latency_seconds": charges["latency_seconds"],
        "charges_per_second_at_default_rate": charges["at_default_rate"]["rate"],
        "charges_per_second_unlimited": charges["unlimited"]["rate"],
    }


def record(found: Mapping[str, Any], file: Path = FILE) -> None:
    """Write the figures of a run to where the pages take them from."""
    file.write_text(json.dumps(figures_of(found), indent=2, sort_keys=True) + "\n", encoding="utf-8")
