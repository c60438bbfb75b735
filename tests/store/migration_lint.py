"""What a migration may not do to a database in use, read from its source. steps.py has a way for each of them.

It counts for every migration after `BASELINE`, the newest of a version that nobody runs yet.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

BASELINE = "0014"
SQL = (
    (r"\bCREATE\s+(UNIQUE\s+)?INDEX\b(?!\s+CONCURRENTLY)", "an index without CONCURRENTLY: steps.add_index"),
    (
        r"\bADD\s+(CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)\b(?!.*NOT VALID)",
        "a constraint without NOT VALID: steps.add_check",
    ),
    (
        r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
        "another type rewrites the table: add a column, steps.in_batches",
    ),
    (r"\bSET\s+NOT\s+NULL\b", "NOT NULL reads the table under its lock: steps.require"),
    (
        r"\b(UPDATE\s+\w+.*\bSET|DELETE\s+FROM|INSERT\s+INTO)\b",
        "rows change under the migration's locks: steps.in_batches",
    ),
    (r"\block_timeout\b|\bLOCK\s+TABLE\b", "the limit of waiting is steps.LOCK_TIMEOUT, for all"),
    (r"\b(VACUUM|CLUSTER|REINDEX)\b", "this locks everybody out of the table"),
)
# Calls of alembic's op that read or rewrite a table under its lock, if the table is not new.
ON_TABLES = {
    "create_index": "an index without CONCURRENTLY: steps.add_index",
    "create_check_constraint": "a constraint without NOT VALID: steps.add_check",
    "create_unique_constraint": "a constraint without NOT VALID: steps.add_index(unique=True)",
    "create_foreign_key": "a constraint without NOT VALID: steps.add_check, or none",
    "create_primary_key": "a constraint without NOT VALID: a new table",
    "create_exclude_constraint": "a constraint without NOT VALID: a new table",
}


def complaints(path: Path) -> list[str]:
    """What is wrong with a migration, each with the line and what to write instead."""
    tree = ast.parse(path.read_text("utf-8"))
    upgrade = next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "upgrade")
    names = {node.id for statement in tree.body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    found = [] if "works_with" in names else ["no works_with: name the oldest schema whose programs still work"]
    calls = list(_calls(tree, upgrade))
    if {name.split(".")[0] for name, _ in calls} >= {"op", "steps"}:
        found.append("op and steps in one migration: half of it could not be run again; make it two")
    new = {_text(call.args[0]) for name, call in calls if name == "op.create_table"}
    for name, call in calls:
        found += [f"line {call.lineno}: {words}" for words in _wrong(name, call, new)]
    for text, line in _texts(tree, path):
        found += [
            f"line {line}: {words}" for pattern, words in SQL if re.search(pattern, text, re.IGNORECASE | re.DOTALL)
        ]
    return found


def _calls(tree: ast.Module, upgrade: ast.FunctionDef) -> Iterator[tuple[str, ast.Call]]:
    """The calls of upgrade, and of the functions beside it that are not downgrade."""
    others = [
        each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name not in ("upgrade", "downgrade")
    ]
    for function in (upgrade, *others):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield ast.unparse(node.func), node


def _wrong(name: str, call: ast.Call, new: set[str]) -> Iterator[str]:
    given = {each.arg: each.value for each in call.keywords}
    method = name.removeprefix("op.")
    if method in ON_TABLES and (len(call.args) < 2 or _text(call.args[1]) not in new):
        yield ON_TABLES[method]
    if name == "op.alter_column" and "type_" in given:
        yield "another type rewrites the table: add a column, steps.in_batches"
    if name == "op.alter_column" and ast.unparse(given.get("nullable", ast.Constant(True))) != "True":
        yield "NOT NULL reads the table under its lock: steps.require"
    if name == "op.add_column" and isinstance(call.args[1], ast.Call):
        column = {each.arg: each.value for each in call.args[1].keywords}
        default = column.get("server_default")
        if ast.unparse(column.get("nullable", ast.Constant(True))) == "False" and default is None:
            yield "rows that are there have no value: let it be null, steps.in_batches, steps.require"
        if default is not None and not isinstance(default, ast.Constant):
            yield "a default that is computed rewrites the table: a constant, or null and steps.in_batches"
    if name == "op.execute" and not isinstance(call.args[0], ast.Constant | ast.JoinedStr):
        yield "SQL that can't be read here: write it in place"


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _texts(tree: ast.Module, path: Path) -> Iterator[tuple[str, int]]:
    """The SQL that `op.execute` is given, and the files of SQL beside the migration."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "downgrade":
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("op.execute", "text", "sa.text"):
                yield "".join(str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)), node.lineno
            if isinstance(node, ast.Constant) and str(node.value).endswith(".sql"):
                # A trigger's own text may speak of updates; it changes no row when it is made.
                body = path.with_name(str(node.value)).read_text("utf-8")
                yield re.sub(r"(?s)\$\$.*?\$\$|AFTER UPDATE OF", "", body), node.lineno
