"""The events that the code leaves behind and the list that upstream systems are told of are the same."""

import re
from pathlib import Path

from shared.domain.states import CYCLE_MOVES
from shared.messages import EVENT_TYPES

ROOT = Path(__file__).parents[2]
NAMES = re.compile(
    r'"((?:account|books|change|refund|link|inquiry|invoice|notice|order|cycle|charge|dunning|series|schedule|payment|subscription|pool'
    r"|clock)"
    r'\.[a-z_]+)"'
)
PARTS = re.compile(r'f"(change|cycle|charge|refund)\.\{')
# Lines in the log or of a history, not events.
LOGGED = {"change.failed", "charge.unlisted_code", "schedule.set_aside", "charge.dropped"}
BUILT = {
    "change": {"change.applied", "change.repeated", "change.stale", "change.rejected", "change.waiting"},
    "cycle": {f"cycle.{state}" for state in ("skipped", "cancelled")},
    "charge": {"charge.pending", "charge.unknown"},
    "refund": {"refund.pending", "refund.unknown"},
}


def _recorded() -> set[str]:
    names: set[str] = set()
    for folder in ("shared/acts", "scheduler", "workers", "ops"):
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text()
            names.update(NAMES.findall(source))
            for part in PARTS.findall(source):
                names.update(BUILT[part])
    return names


def test_every_event_that_is_recorded_is_in_the_published_list() -> None:
    """An upstream system can trust the list: nothing else is ever sent, and nothing in it is never sent."""
    assert _recorded() - LOGGED == set(EVENT_TYPES)


def test_the_states_behind_built_event_names_exist() -> None:
    """The names that are put together from states can't drift from the state machine."""
    assert {"skipped", "cancelled"} <= set(CYCLE_MOVES)
