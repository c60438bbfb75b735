"""The page docs/states.md: every state machine as a table and as a diagram, and what each answer means in each state."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.domain.pay_links import VERDICTS
from shared.domain.states import CHARGE_ANSWERS, MACHINES, REFUND_ANSWERS, Machine

FILE = "states.md"
_ABOUT = """\
# States

Written from `shared/domain/states.py` by `python -m shared.contracts.generate`; edit that file, not this one.

Each row of these tables is in one state of its machine. A trigger on the table refuses a move that is not listed
(SQLSTATE 23514), whoever writes it; staying in a state is no move. A state with no way out is an end.
"""


class _Answers(NamedTuple):
    """What a provider's answers do to a row: state → answer → what follows."""

    title: str
    about: str
    follows: Mapping[Any, Mapping[Any, str | None]]


_MATRICES = (
    _Answers(
        "Charge, by the provider's answer",
        "The state that follows; *evidence*: nothing moves, and the answer is kept as evidence."
        " Where nothing is left to collect, `not_sent` follows instead of `due`, and `declined` instead of `action_required`.",
        CHARGE_ANSWERS,
    ),
    _Answers(
        "Refund, by the provider's answer",
        "The state that follows; *evidence*: nothing moves, and the answer is kept as evidence.",
        REFUND_ANSWERS,
    ),
    _Answers(
        "Payment link, by the provider's answer",
        "What the answer means there. `doubtful` is an open link where money may have moved."
        " `paid`: the money is recorded. `accepted`: it is on its way. `reopened`: the client may still pay."
        " `ended`: nobody can pay there any more, and nobody did. `failed`: so, and the client and the agency are told."
        " `missing`: a person has to look. `asked_again`: later. `doubted`: later, for money may have moved."
        " `kept`: nothing changes.",
        VERDICTS,
    ),
)


def states_page() -> str:
    """The text of the page."""
    sections = [line for machine in MACHINES for line in _section(machine)]
    return "\n".join([_ABOUT, *sections, *(line for matrix in _MATRICES for line in _matrix(matrix))])


def _matrix(matrix: _Answers) -> Iterator[str]:
    states = list(matrix.follows)
    answers = list(next(iter(matrix.follows.values())))
    yield f"## {matrix.title}"
    yield ""
    yield matrix.about
    yield ""
    yield f"| answer \\ state | {' | '.join(states)} |"
    yield "|---" * (len(states) + 1) + "|"
    for answer in answers:
        yield f"| **{answer}** | {' | '.join(_follows(matrix, state, answer) for state in states)} |"
    yield ""


def _follows(matrix: _Answers, state: str, answer: str) -> str:
    return matrix.follows[state][answer] or "*evidence*"


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
