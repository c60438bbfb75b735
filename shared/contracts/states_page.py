"""The page docs/states.md: every state machine as a table and as a diagram."""

from collections.abc import Iterator

from shared.domain.states import MACHINES, Machine

FILE = "states.md"
_ABOUT = """\
# States

Written from `shared/domain/states.py` by `python -m shared.contracts.generate`; edit that file, not this one.

Each row of these tables is in one state of its machine. A trigger on the table refuses a move that is not listed
(SQLSTATE 23514), whoever writes it; staying in a state is no move. A state with no way out is an end.
"""


def states_page() -> str:
    """The text of the page."""
    return "\n".join([_ABOUT, *(line for machine in MACHINES for line in _section(machine))])


def _section(machine: Machine) -> Iterator[str]:
    yield f"## {machine.what.capitalize()}"
    yield ""
    yield f"Table `{machine.table}`, column `{machine.column}`."
    yield ""
    states = list(machine.moves)
    yield f"| from \\ to | {' | '.join(states)} |"
    yield "|---" * (len(states) + 1) + "|"
    for before in states:
        yield f"| **{before}** | {' | '.join(_cell(machine, before, after) for after in states)} |"
    yield ""
    for (before, after), (column, values) in machine.only.items():
        yield f"¹ {before} → {after} only where `{column}` is {' or '.join(f'`{value}`' for value in values)}."
        yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    for before, listed in machine.moves.items():
        yield from (f"    {before} --> {after}" for after in states if after in listed and after != before)
    yield from (f"    {state} --> [*]" for state in states if not machine.moves[state] - {state})
    yield "```"
    yield ""


def _cell(machine: Machine, before: str, after: str) -> str:
    if before == after:
        return "·"
    if after not in machine.moves[before]:
        return " "
    return "yes¹" if (before, after) in machine.only else "yes"
