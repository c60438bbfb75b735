"""The house rules: who may import whom, commit, read the clock, send; how long things are and what they are called.

Every rule is a function from one source file to the violations in it. The rules read the source; they run none of it.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from shared.gateways.providers import PROVIDERS

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("shared", "scheduler", "workers", "ops")
LONGEST_FUNCTION = 40
FIELDS_BY_PLACE_MAX = 5
CHARGE_NAMES = {
    "charge",
    "latest",
    "leased",
    "attempt",
    "refused",
}  # how an attempt is called where it is used

BROAD_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
HOMES = {  # package -> the only files that may import it
    "stripe": ("shared/gateways/stripe*.py",),
    "paypalrestsdk": ("shared/gateways/paypal*.py",),
    "pika": ("shared/broker*",),
    "dramatiq": ("shared/broker*",),
    "sqlalchemy": ("shared/store/*",),
    "prometheus_client": ("shared/telemetry/*",),
    "smtplib": ("shared/documents/smtp.py",),
    "subprocess": ("ops/*",),  # no process of a cluster starts another program
}
CLOCKS = {
    f"{module}.{call}"
    for module, calls in {
        "datetime.datetime": ("now", "utcnow", "today"),
        "datetime.date": ("today",),
        "time": ("time", "time_ns", "localtime", "gmtime"),
        "whenever.Instant": ("now",),
        "whenever.ZonedDateTime": ("now", "now_in_system_tz"),
        "whenever.Date": ("today_in_system_tz",),
    }.items()
    for call in calls
}


@cache
def nodes_of(text: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text)))


class Source(NamedTuple):
    """One Python file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @property
    def nodes(self) -> list[ast.AST]:
        """Every node of its syntax tree."""
        return nodes_of(self.text)

    @property
    def package(self) -> list[str]:
        return list(PurePosixPath(self.path).parent.parts)

    def under(self, *folders: str) -> bool:
        return any(self.path.startswith(f"{folder}/") for folder in folders)


class Violation(NamedTuple):
    """Where ("path", or "path function" for a rule about functions) and what is wrong there."""

    where: str
    what: str


Rule = Callable[[Source], Iterator[Violation]]


def imports(source: Source) -> Iterator[str]:
    """The full dotted name of everything imported, inside functions and by importlib too; relative names resolved."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = source.package[: len(source.package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and dotted(node.func, {}).split(".")[-1] in ("import_module", "__import__"):
            yield from (str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant))


def bound_names(source: Source) -> dict[str, str]:
    """Local name -> the dotted name it was imported as."""
    bound = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            bound.update({name.asname: name.name for name in node.names if name.asname})
        elif isinstance(node, ast.ImportFrom) and node.module:
            bound.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
    return bound


def dotted(node: ast.expr, bound: dict[str, str]) -> str:
    """`dt.datetime.now` as "datetime.datetime.now"; what is no plain name becomes "?"."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, bound)}.{node.attr}"
    return bound.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def domain_is_pure(source: Source) -> Iterator[Violation]:
    """shared/domain imports the standard library and itself; cycles.py alone also the calendar library."""
    if source.under("shared/domain"):
        calendar = ["whenever"] if source.path == "shared/domain/calendar.py" else []
        for name in imports(source):
            if name.split(".")[0] not in sys.stdlib_module_names and not within(name, "shared.domain", *calendar):
                yield Violation(source.path, f"imports {name}")


def imports_point_one_way(source: Source) -> Iterator[Violation]:
    """ops -> scheduler, workers -> shared; the scheduler and each pool of workers know nothing of each other."""
    folder = source.package[0]
    barred = {
        "shared": ["scheduler", "workers", "ops"],
        "scheduler": ["workers", "ops"],
        "workers": ["scheduler", "ops"],
    }.get(folder, [])
    pool = ".".join(source.package[:2])
    for name in imports(source):
        if within(name, *barred, "tests"):
            yield Violation(source.path, f"imports {name}")
        if len(source.package) > 1 and within(pool, "workers") and is_pool(name) and not within(name, pool):
            yield Violation(source.path, f"imports {name}, another pool")


FLOORS = {  # inside shared: a floor -> what it may build on, besides itself
    "domain": [],
    "messages": ["domain"],
    "contracts": ["messages", "domain"],
    "gateways": ["domain"],
    "documents": ["domain", "gateways.providers"],  # their titles
    "store": [
        "gateways.sandbox",
        "gateways.providers",
        "messages.event_data",
        "domain",
        "error_words",
    ],  # the sandbox keeps its ledger in a table; a transaction takes the structs of events
    "billing": ["store", "documents", "gateways", "messages", "domain", "error_words"],
    "broker": ["messages", "domain"],
    "telemetry": ["domain", "error_words"],
    "settings": ["setting_names"],
    "setting_names": ["gateways.providers"],  # the stand-ins of providers
    "error_words": [],
    "secret_store": [],
    "pay_urls": [],
    "process": ["broker", "store", "telemetry", "settings", "messages", "domain"],
}


def floors_of_shared(source: Source) -> Iterator[Violation]:
    """Inside shared: billing -> the edges (store, gateways, documents, broker) -> domain; edges know only the domain."""
    if not source.under("shared"):
        return
    floor = PurePosixPath(source.path).parts[1].removesuffix(".py")
    allowed = [f"shared.{name}" for name in (floor, *FLOORS.get(floor, []))]
    for name in imports(source):
        if within(name, "shared") and not within(name, *allowed):
            yield Violation(source.path, f"imports {name}")


def is_pool(name: str) -> bool:
    """Whether a dotted name lies in a pool, not in a module that all pools share."""
    first = name.split(".")[1:2]
    return within(name, "workers") and bool(first) and not (ROOT / "workers" / f"{first[0]}.py").is_file()


def packages_stay_home(source: Source) -> Iterator[Violation]:
    """Each third-party package behind an edge is imported at that edge alone."""
    for name in imports(source):
        homes = HOMES.get(name.split(".")[0])
        if homes and not any(fnmatch(source.path, home) for home in homes):
            yield Violation(source.path, f"imports {name}")


def time_is_a_parameter(source: Source) -> Iterator[Violation]:
    """The clock is read in shared/store/database.py and nowhere else."""
    bound = bound_names(source)
    for node in source.nodes:
        if isinstance(node, (ast.Attribute, ast.Name)) and source.path != "shared/store/database.py":
            name = dotted(node, bound)
            if name in CLOCKS:
                yield Violation(source.path, f"line {node.lineno} reads the clock by {name}")


def one_commit(source: Source) -> Iterator[Violation]:
    """shared/store/database.py commits, and the migrations; everything else runs inside a transaction."""
    if source.path != "shared/store/database.py" and not source.under("shared/store/migrations"):
        yield from calls(source, "commit")


def one_publisher(source: Source) -> Iterator[Violation]:
    """Only the scheduler, by way of the broker, sends work messages."""
    if not source.under("scheduler") and not fnmatch(source.path, "shared/broker*"):
        yield from calls(source, "send", "send_with_options", "enqueue")


def calls(source: Source, *methods: str) -> Iterator[Violation]:
    """Every call of a method with one of these names."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
            yield Violation(source.path, f"line {node.lineno} calls .{node.func.attr}()")


def money_is_no_float(source: Source) -> Iterator[Violation]:
    """No float where money lives, as annotation, call or column; isinstance() and `case` may name it, to refuse one."""
    if source.under("shared/domain", "shared/store", "shared/messages") or source.path == "shared/messages.py":
        asked = {id(name) for node in source.nodes for kind in kinds_asked(node) for name in ast.walk(kind)}
        for node in source.nodes:
            if isinstance(node, ast.Name) and node.id in ("float", "Float") and id(node) not in asked:
                yield Violation(source.path, f"line {node.lineno} says {node.id}")


def kinds_asked(node: ast.AST) -> list[ast.expr]:
    """The types that an isinstance() or a `case Type():` asks about."""
    if isinstance(node, ast.MatchClass):
        return [node.cls]
    return node.args[1:] if isinstance(node, ast.Call) and dotted(node.func, {}) == "isinstance" else []


def names_say_what_is_inside(source: Source) -> Iterator[Violation]:
    """No file or folder has a name that could hold anything."""
    for part in PurePosixPath(source.path).with_suffix("").parts:
        if part.lower().strip("_") in BROAD_NAMES:
            yield Violation(source.path, f"has the broad name {part}")


def providers_stay_home(source: Source) -> Iterator[Violation]:
    """What differs between providers is declared beside their adapters: nobody else names one, not even in a comment.

    Messages name them, for that is how upstream does.
    """
    if source.under("shared/gateways", "shared/messages", "shared/contracts"):
        return
    real = "|".join(name for name, each in PROVIDERS.items() if not each.is_simulated)
    simulated = "|".join(name for name, each in PROVIDERS.items() if each.is_simulated)
    for number, line in enumerate(source.text.splitlines(), 1):
        # The simulated one's name is a word of its own, so only what compares or stores it counts.
        if found := re.search(rf"(?i:{real})|(?<=[\"'])(?:{simulated})(?=[\"'])", line):
            yield Violation(source.path, f"line {number} names {found[0]}")


def charges_move_in_one_place(source: Source) -> Iterator[Violation]:
    """The state of an attempt is written by shared/domain/charging.py alone, which checks the move."""
    if source.path == "shared/domain/charging.py":
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_replace":
            row = ast.unparse(node.func.value).rpartition(".")[2]
            if row in CHARGE_NAMES and any(each.arg in ("state", "settled_at") for each in node.keywords):
                yield Violation(source.path, f"line {node.lineno} writes the state of {row}")


@cache
def wide_rows() -> frozenset[str]:
    """Names of row classes with more than five fields that no narrower class has."""
    wide: dict[str, bool] = {}
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.py"):
            for node in nodes_of(path.read_text("utf-8")):
                if isinstance(node, ast.ClassDef):
                    is_row = any(ast.unparse(base) == "NamedTuple" for base in node.bases)
                    fields = sum(isinstance(each, ast.AnnAssign) for each in node.body)
                    wide[node.name] = wide.get(node.name, True) and is_row and fields > FIELDS_BY_PLACE_MAX
    return frozenset(name for name, only in wide.items() if only)


def rows_are_built_by_name(source: Source) -> Iterator[Violation]:
    """A row of more than five fields is built by keywords: two neighbours of one type would be swapped unseen."""
    bound = bound_names(source)
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            name = dotted(node.func, bound).rpartition(".")[2]
            if name in wide_rows():
                yield Violation(source.path, f"line {node.lineno} builds {name} by place")


def functions_are_short(source: Source) -> Iterator[Violation]:
    """A function can be read at one glance."""
    if source.under(*PRODUCT) and not source.under("shared/store/migrations"):
        for node in source.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    where = f"{source.path} {node.name}"
                    yield Violation(where, f"has {lines} lines, more than {LONGEST_FUNCTION}")


RULES: tuple[Rule, ...] = (
    domain_is_pure,
    imports_point_one_way,
    floors_of_shared,
    packages_stay_home,
    time_is_a_parameter,
    one_commit,
    one_publisher,
    money_is_no_float,
    functions_are_short,
    rows_are_built_by_name,
    charges_move_in_one_place,
    names_say_what_is_inside,
    providers_stay_home,
)
FOR_ALL: tuple[Rule, ...] = (names_say_what_is_inside,)  # the tests keep this one as well


def violations(source: Source) -> Iterator[tuple[str, Violation]]:
    """Every violation in one file, with the name of its rule."""
    for rule in RULES if source.under(*PRODUCT) else FOR_ALL:
        yield from ((rule.__name__, violation) for violation in rule(source))
