"""Which statements the code of each kind of process can reach, read from the source: what its database role needs.

Names are followed from function to function, so a path that no test walks counts too. A function that is named counts as
called. What a statement does to which table is read from its text, and from the arguments of `shared/store/bulk.py`.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared.store.tables import metadata

ROOT = Path(__file__).parents[2]
# A private database in one program, or a whole cluster: their user may do everything.
OTHERS = ("ops.simulate", "ops.bench", "ops.cluster", "ops.drills", "ops.report", "ops.pages")
EVERYWHERE = (("shared.process", "Process"), ("shared.store.database", "Store"))
# Statements that are made for a table given to them: the tables they are given.
_FACTS = ("agencies", "clients", "services", "payment_methods", "subscriptions")
_HISTORY = ("service_revisions", "subscription_revisions")
GIVEN = {
    "shared.store.fact_buffer.upsert_all": _FACTS,
    "shared.store.fact_buffer.change": ("subscriptions",),
    "shared.store.fact_buffer.keep_late": _HISTORY,
    "shared.store.fact_buffer.forget_cycles": ("cycles", "schedules"),
    "shared.store.fact_buffer.FactBuffer": _HISTORY,
    **dict.fromkeys(
        (f"shared.store.due_rows.{name}" for name in ("_TAKE_DUE", "_sleep", "_give_back")),
        ("cycles", "charges", "refunds", "pay_links", "payment_inquiries", "notices", "inbox"),
    ),
}
BULK = {"insert": ("INSERT",), "upsert": ("INSERT", "UPDATE"), "update": ("UPDATE",), "update_found": ("UPDATE",)}
_INSERT = re.compile(r"\bINSERT INTO\s+(\{[^}]+\}|[a-z_]+)(?:\s+AS\s+\w+)?\s*\(([^)]*)\)")
_UPDATE = re.compile(r"\bUPDATE\s+(\{[^}]+\}|[a-z_]+)(?:\s+AS\s+\w+)?\s+SET\b(.*)", re.DOTALL)
_UPSERT = re.compile(r"\bDO UPDATE\s+SET\b(.*)", re.DOTALL)
_DELETE = re.compile(r"\bDELETE FROM\s+(\{[^}]+\}|[a-z_]+)")
_LOCK = re.compile(r"\bFOR (?:NO KEY )?UPDATE\b")
_LOCKED = re.compile(r"\bFROM\s+([a-z_]+)")
_SQL = re.compile(r"\b(FROM|JOIN|INTO|UPDATE)\b")

Symbol = tuple[str, str]
Needs = dict[tuple[str, str], set[str]]  # (table, privilege) -> columns; "*" for those that can't be told


class Module:
    """What a module defines at its top, and where the names it imports come from."""

    def __init__(self, tree: ast.Module) -> None:
        self.defined: dict[str, list[ast.stmt]] = defaultdict(list)
        self.imported: dict[str, str] = {}
        for node in ast.walk(tree):
            _make_plain(node)
            if isinstance(node, ast.ImportFrom) and node.module:
                self.imported |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        for statement in tree.body:
            for name in _names(statement):
                self.defined[name].append(statement)


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


@cache
def modules() -> dict[str, Module]:
    """Every module of the product, but the migrations."""
    found = {}
    for folder in ("shared", "scheduler", "workers", "ops"):
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if "migrations" not in path.parts and not name.startswith(OTHERS):
                found[name] = Module(ast.parse(path.read_text("utf-8")))
    return found


def _make_plain(node: ast.AST) -> None:
    """Without docstrings and annotations: neither runs anything."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.returns = None
        for each in (*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs):
            each.annotation = None
    if isinstance(node, ast.AnnAssign):
        node.annotation = ast.Constant(None)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) and node.body:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body[0] = ast.copy_location(ast.Pass(), first)


def _resolve(dotted: str) -> Symbol | None:
    """Where a name is defined, through modules that hand it on."""
    module, _, name = dotted.rpartition(".")
    known = modules().get(module)
    if known is None:
        return None
    if name in known.defined:
        return module, name
    onward = known.imported.get(name, dotted)
    return _resolve(onward) if onward != dotted else None


@cache
def _read(symbol: Symbol) -> tuple[frozenset[Symbol], tuple[str, ...], tuple[ast.Call, ...]]:
    """The symbols that a symbol names, its texts, and its calls of `bulk`."""
    module, name = symbol
    known = modules()[module]
    named: set[Symbol | None] = set()
    texts, calls = [], []
    for node in (each for statement in known.defined[name] for each in ast.walk(statement)):
        if isinstance(node, ast.Name) and node.id in known.defined:
            named.add((module, node.id))
        elif isinstance(node, ast.Name) and node.id in known.imported:
            named.add(_resolve(known.imported[node.id]))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known.imported:
            named.add(_resolve(f"{known.imported[node.value.id]}.{node.attr}"))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            texts.append(
                "".join(
                    str(v.value) if isinstance(v, ast.Constant) else f"{{{ast.unparse(v.value)}}}" for v in node.values
                )  # type: ignore[attr-defined]
            )
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) == "bulk"
        ):
            calls.append(node)
    return frozenset(each for each in named if each), tuple(texts), tuple(calls)


@cache
def reached(kind: str) -> frozenset[Symbol]:
    """Every function, class and constant that the code of a kind of process can come to."""
    inside = {"scheduler": "scheduler.", "ops": "ops."}.get(kind, f"workers.{kind}.")
    todo = [
        (name, symbol)
        for name, module in modules().items()
        if f"{name}.".startswith(inside)
        for symbol in module.defined
    ]
    todo += EVERYWHERE
    found: set[Symbol] = set()
    while todo:
        symbol = todo.pop()
        if symbol not in found and not symbol[0].startswith("shared.contracts"):
            found.add(symbol)
            todo += _read(symbol)[0]
    return frozenset(found)


def writes(kind: str) -> Needs:
    """What the statements of a kind of process change."""
    needs: Needs = defaultdict(set)
    for symbol in reached(kind):
        _, texts, calls = _read(symbol)
        where = ".".join(symbol)
        for text in texts:
            for privilege, table, columns in _changes(text):
                for each in _tables(table, where):
                    needs[each, privilege] |= columns & {"*", *metadata.tables[each].columns.keys()}
        for call in calls:
            given = ast.unparse(call.args[1]).removeprefix("tables.") if len(call.args) > 1 else ""
            for table in GIVEN[where] if given == "table" else (given,):
                for privilege in BULK.get(ast.unparse(call.func).removeprefix("bulk."), ()):
                    needs[table, privilege].add("*")
    return needs


def locks(kind: str) -> set[str]:
    """The tables whose rows a kind of process locks."""
    texts = [text for symbol in reached(kind) for text in _read(symbol)[1] if _LOCK.search(text)]
    return {table for text in texts for table in _LOCKED.findall(text)}


def reads(kind: str) -> set[str]:
    """Every word of a statement, for some of them are tables; and the tables that are named."""
    found = set()
    for symbol in reached(kind):
        named, texts, _ = _read(symbol)
        found |= {word for text in texts if _SQL.search(text) for word in re.findall(r"[a-z_]+", text)}
        found |= {name for module, name in named if module.startswith("shared.store.tables")}
    return found


def _tables(written: str, where: str) -> tuple[str, ...]:
    if not written.startswith("{"):
        return (written,)
    if where.startswith("shared.store.bulk."):
        return ()
    return GIVEN[where]


def _changes(text: str) -> Iterator[tuple[str, str, set[str]]]:
    for table, columns in _INSERT.findall(text):
        yield "INSERT", table, {each.strip() for each in columns.split(",")} if "{" not in columns else {"*"}
        if upsert := _UPSERT.search(text):
            yield "UPDATE", table, _set(upsert[1])
    for table, rest in _UPDATE.findall(text):
        yield "UPDATE", table, _set(rest)
    for table in _DELETE.findall(text):
        yield "DELETE", table, {"*"}


def _set(text: str) -> set[str]:
    """The columns between SET and what follows it; "*" if they can't be told."""
    depth, part, parts = 0, "", []
    for piece in re.split(r"(\(|\)|,|\bFROM\b|\bWHERE\b|\bRETURNING\b)", text):
        if depth == 0 and piece in ("FROM", "WHERE", "RETURNING", ")"):
            break
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += piece
    found = {each.split("=")[0].strip() for each in (*parts, part)}
    found |= {"dispatches"} if "{counted}" in text else set()  # due_rows.py counts dispatches where a table does
    return {each if re.fullmatch("[a-z_]+", each) else "*" for each in found}
