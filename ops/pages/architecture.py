"""The packages and who imports whom, read from the source: the generated part of docs/architecture.md."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("ops", "scheduler", "workers", "shared")
SHARED = "shared"
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.S)
Arrows = Mapping[str, frozenset[str]]


def arrows(root: Path = ROOT) -> Arrows:
    """Part → the parts that it imports. A part is a package, or a package or module directly inside `shared`."""
    found: dict[str, set[str]] = {}
    for package in PRODUCT:
        for path in sorted((root / package).rglob("*.py")):
            part = _part(".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"))
            if part is not None:
                imported = {_part(name) for name in _imports(path)} - {None, part}
                found.setdefault(part, set()).update(name for name in imported if name is not None)
    return {part: frozenset(imported) for part, imported in found.items()}


def _part(module: str) -> str | None:
    """`shared.store.tables` as "shared.store", `workers.charges.claim` as "workers"; None if it is none of ours."""
    words = module.split(".")
    if words[0] not in PRODUCT or module == SHARED:
        return None
    return ".".join(words[: 2 if words[0] == SHARED else 1])


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def reduced(found: Arrows) -> Arrows:
    """Without the arrows that others imply: a picture shows A → B → C and leaves A → C out."""
    return {
        part: frozenset(
            target
            for target in targets
            if not any(target in reached_from(found, other) for other in targets - {target})
        )
        for part, targets in found.items()
    }


def reached_from(found: Arrows, part: str) -> set[str]:
    """Everything that a part builds on, near or far."""
    reached: set[str] = set()
    ahead = set(found[part])
    while ahead:
        reached |= ahead
        ahead = {target for each in ahead for target in found[each]} - reached
    return reached


def with_packages(text: str) -> str:
    """The page with its picture and its table as the source has them today."""
    found = arrows()
    blocks = {"picture": _picture(reduced(found)), "packages": _table(found)}
    return BLOCK.sub(lambda match: "".join((match[1], "\n", *blocks[match[2]], "\n", match[3])), text)


def _picture(found: Arrows) -> list[str]:
    def name(part: str) -> str:
        return part.removeprefix(f"{SHARED}.")

    inside = [part for part in found if part.startswith(f"{SHARED}.")]
    lines = ["```mermaid", "graph TD", *(f"    {part}" for part in found if part not in inside)]
    lines += [f"    subgraph {SHARED}", *(f"        {name(part)}" for part in inside), "    end"]
    lines += [f"    {name(part)} --> {name(target)}" for part in found for target in sorted(found[part])]
    return [f"{line}\n" for line in [*lines, "```"]]


def _table(found: Arrows) -> list[str]:
    lines = ["| package | what it is | imports |", "|---|---|---|"]
    for part, targets in found.items():
        imported = ", ".join(f"`{target}`" for target in sorted(targets))
        lines.append(f"| {_linked(part)} | {_summary(part)} | {imported or 'nothing of ours'} |")
    return [f"{line}\n" for line in lines]


def _linked(part: str) -> str:
    file = _file(part)
    place = file.parent if file.name == "__init__.py" else file
    return f"[`{part}`](../{place.relative_to(ROOT).as_posix()})"


def _file(part: str) -> Path:
    path = ROOT.joinpath(*part.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _summary(part: str) -> str:
    """The first sentence of its docstring."""
    text = ast.get_docstring(ast.parse(_file(part).read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
