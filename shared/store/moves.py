"""The legal moves of shared/domain/states.py as triggers: what is not listed there can't be written.

`python -m shared.store.moves REVISION` writes them into a file beside the migration of that revision, which loads it. The
file of a released migration never changes; a new migration brings a new file.

The condition of each trigger holds the whole list, so a legal move costs a comparison and no call. They fire after the row is
written: before it they would have to lock it first, which costs as much again.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import DDL, MetaData, event

from shared.domain.states import MACHINES, Machine

VERSIONS = Path(__file__).parent / "migrations" / "versions"
TRIGGER = "legal_moves"
FUNCTION = "refuse_move"
# SQLSTATE 23514, check_violation: an error of the data, so a batch is split down to the row.
_REFUSE = f"""\
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
        MESSAGE = TG_ARGV[0] || ': ' || (to_jsonb(OLD) ->> TG_ARGV[1]) || ' to ' || (to_jsonb(NEW) ->> TG_ARGV[1])
                  || ' is not a legal move';
END
$$"""


def statements() -> list[str]:
    """What creates the triggers, or replaces them."""
    return [_REFUSE, *(_trigger(machine) for machine in MACHINES)]


def _trigger(machine: Machine) -> str:
    column = machine.column
    branches = "\n".join(f"        {line}" for line in _refused(machine))
    return (
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER UPDATE OF {column} ON {machine.table} FOR EACH ROW\n"
        f"    WHEN (OLD.{column} <> NEW.{column} AND CASE OLD.{column}\n"
        f"{branches}\n        ELSE true END)\n"
        f"    EXECUTE FUNCTION {FUNCTION}('{machine.what}', '{column}')"
    )


def _refused(machine: Machine) -> list[str]:
    """Of each state with moves: the condition under which one is refused."""
    lines = []
    for before, listed in machine.moves.items():
        if not listed - {before}:
            continue
        legal = ", ".join(f"'{after}'" for after in machine.moves if after in listed and after != before)
        refused = f"NEW.{machine.column} NOT IN ({legal})"
        for (origin, after), (column, values) in machine.only.items():
            if origin == before:
                listed_values = ", ".join(f"'{value}'" for value in values)
                refused += (
                    f" OR NEW.{machine.column} = '{after}' AND coalesce(OLD.{column}, '') NOT IN ({listed_values})"
                )
        lines.append(f"WHEN '{before}' THEN {refused}")
    return lines


def text() -> str:
    """The statements as one file."""
    return ";\n\n".join(statements()) + ";\n"


def file_of(revision: str) -> Path:
    """The file that a migration loads."""
    return VERSIONS / f"{revision}_moves.sql"


def guard(metadata: MetaData) -> None:
    """Let tables that are made from the code have the triggers as well."""
    for statement in statements():
        event.listen(metadata, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]


def main(arguments: Sequence[str]) -> int:
    """Write the file of a migration; the exit code."""
    if len(arguments) != 1 or not list(VERSIONS.glob(f"{arguments[0]}_*.py")):
        print("usage: python -m shared.store.moves REVISION, which is that of a new migration", file=sys.stderr)
        return 2
    file_of(arguments[0]).write_text(text(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
