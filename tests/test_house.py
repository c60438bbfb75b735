"""The house rules hold in every file, and every rule is seen to find what it forbids."""

from functools import cache
from pathlib import PurePosixPath

import pytest

from tests.house_rules import (
    FOR_ALL,
    PRODUCT,
    ROOT,
    RULES,
    Rule,
    Source,
    Violation,
    charges_move_in_one_place,
    domain_is_pure,
    floors_of_shared,
    functions_are_short,
    imports_point_one_way,
    money_is_no_float,
    names_say_what_is_inside,
    one_commit,
    one_publisher,
    packages_stay_home,
    providers_stay_home,
    rows_are_built_by_name,
    time_is_a_parameter,
    violations,
)

# (rule, "path" or "path function") -> why this place may break the rule. One that is no longer needed fails.
EXCEPTIONS: dict[tuple[str, str], str] = {
    (
        "money_is_no_float",
        "shared/messages/decoding.py",
    ): "JSON has decimal numbers; a money field then refuses them",
    ("one_commit", "ops/bench/naive.py"): "the naive writer that the engine is measured against commits as peers do",
    ("packages_stay_home", "ops/bench/naive.py"): "the naive writer is written with the ORM on purpose",
    ("one_publisher", "shared/documents/smtp.py"): "bytes of a mail to the mail server's socket",
    ("packages_stay_home", "ops/drills/peers.py"): "plays a stranger who declares a queue of his own",
    ("packages_stay_home", "ops/drills/probes.py"): "plays a reader of events with a client of his own",
    ("time_is_a_parameter", "ops/drills/probes.py"): "plays a provider that signs with its own clock",
    ("packages_stay_home", "ops/servers/postgres.py"): "writes the URL of a database as the store reads it",
    ("providers_stay_home", "shared/domain/keys.py"): "`sandbox` is also a mode, which stands in every key",
    ("providers_stay_home", "shared/store/deployment.py"): "says that mode",
    ("providers_stay_home", "shared/setting_names.py"): "a stand-in that somebody else wrote, for one test",
    ("providers_stay_home", "ops/bench/charging.py"): "measures one provider's adapter against a stand-in of it",
    ("providers_stay_home", "ops/bench/intake.py"): "writes messages as upstream does",
    ("providers_stay_home", "ops/bench/seed.py"): "fills tables as messages would",
    (
        "providers_stay_home",
        "ops/drills/hostile.py",
    ): "lets one provider's stand-in hang and forges webhooks of another",
    ("providers_stay_home", "ops/pages/story.py"): "tells a story of subscriptions as upstream sends them",
    ("providers_stay_home", "ops/drills/peers.py"): "forges webhooks of one provider",
    ("providers_stay_home", "ops/drills/probes.py"): "sends signed webhooks of one provider",
    ("one_publisher", "workers/notices/send_notices.py"): "hands a mail to the mail sender; no work message",
}

PLANTED: list[tuple[Rule, str, str]] = [
    (domain_is_pure, "shared/domain/money.py", "import sqlalchemy"),
    (domain_is_pure, "shared/domain/money.py", "from shared.store import transaction"),
    (domain_is_pure, "shared/domain/money.py", "from ..store import transaction"),
    (domain_is_pure, "shared/domain/money.py", "import whenever"),
    (domain_is_pure, "shared/domain/calendar.py", "def f():\n    import requests"),
    (imports_point_one_way, "shared/store/orders.py", "from scheduler.plan import plan"),
    (imports_point_one_way, "shared/store/orders.py", "import workers.orders.script"),
    (imports_point_one_way, "shared/broker.py", "import importlib\nimportlib.import_module('ops.cli')"),
    (imports_point_one_way, "scheduler/plan.py", "from workers.orders import script"),
    (imports_point_one_way, "scheduler/plan.py", "import ops"),
    (imports_point_one_way, "workers/orders/script.py", "from scheduler import plan"),
    (imports_point_one_way, "workers/orders/script.py", "if TYPE_CHECKING:\n    from ops.cli import main"),
    (imports_point_one_way, "workers/orders/script.py", "from workers.invoices.script import run"),
    (imports_point_one_way, "workers/orders/script.py", "from workers import invoices"),
    (imports_point_one_way, "workers/orders/script.py", "from ..invoices import script"),
    (imports_point_one_way, "ops/cli.py", "from tests.conftest import START"),
    (floors_of_shared, "shared/store/orders.py", "from shared.billing.issue import issue"),
    (floors_of_shared, "shared/gateways/stripe.py", "from shared.store import charges"),
    (floors_of_shared, "shared/messages/work.py", "from shared.store import charges"),
    (packages_stay_home, "shared/gateways/port.py", "import stripe"),
    (packages_stay_home, "shared/gateways/stripe.py", "import paypalrestsdk"),
    (packages_stay_home, "scheduler/dispatch.py", "from pika import BlockingConnection"),
    (packages_stay_home, "workers/orders/script.py", "import dramatiq"),
    (packages_stay_home, "shared/store/database.py", "import subprocess"),
    (imports_point_one_way, "shared/store/migrate.py", "from ops.servers.postgres import PostgresServer"),
    (packages_stay_home, "workers/orders/script.py", "from sqlalchemy import text"),
    (time_is_a_parameter, "shared/domain/calendar.py", "from datetime import datetime\ndatetime.now()"),
    (time_is_a_parameter, "shared/domain/calendar.py", "import datetime as dt\ndt.datetime.utcnow()"),
    (time_is_a_parameter, "shared/store/orders.py", "import time\ntime.time()"),
    (time_is_a_parameter, "shared/store/orders.py", "from time import time as seconds\nseconds()"),
    (time_is_a_parameter, "ops/cli.py", "from datetime import date\ntoday = date.today"),
    (time_is_a_parameter, "shared/domain/calendar.py", "from whenever import Instant\nInstant.now()"),
    (one_commit, "workers/orders/script.py", "tx.connection.commit()"),
    (one_commit, "shared/store/orders.py", "connection.commit()"),
    (one_publisher, "workers/orders/script.py", "actor.send([1])"),
    (one_publisher, "shared/store/orders.py", "actor.send_with_options(args=())"),
    (one_publisher, "ops/simulate.py", "broker.enqueue(message)"),
    (money_is_no_float, "shared/domain/money.py", "def total(price_minor: float) -> int: ..."),
    (money_is_no_float, "shared/store/invoices.py", "rate = float('19')"),
    (money_is_no_float, "shared/store/tables/documents.py", "Column('total_minor', Float)"),
    (money_is_no_float, "shared/messages/changes.py", "price_minor: int | float"),
    (money_is_no_float, "shared/messages/changes.py", "isinstance(float(price), int)"),
    (functions_are_short, "scheduler/plan.py", "def plan():\n" + "    pass\n" * 40),
    (functions_are_short, "ops/cli.py", "class C:\n  async def f(self):\n" + "    pass\n" * 40),
    (charges_move_in_one_place, "workers/charges/settle.py", "charge._replace(state='due')"),
    (charges_move_in_one_place, "scheduler/collect_again.py", "each.latest._replace(code=None, state='due')"),
    (rows_are_built_by_name, "workers/charges/dunning.py", "NewCharge(invoice_id, 1, *of)"),
    (names_say_what_is_inside, "shared/utils.py", ""),
    (providers_stay_home, "workers/charges/follow_links.py", 'busy = link.provider != "stripe"'),
    (providers_stay_home, "shared/billing/refund.py", "# PayPal keeps it for 45 days"),
    (providers_stay_home, "shared/billing/notify.py", "online = agency.gateway != 'sandbox'"),
    (providers_stay_home, "shared/store/accounts.py", "from shared.gateways.stripe_provider import STRIPE"),
    (names_say_what_is_inside, "shared/common/money.py", ""),
    (names_say_what_is_inside, "tests/_helpers.py", ""),
]

INNOCENT: list[tuple[Rule, str, str]] = [
    (
        domain_is_pure,
        "shared/domain/money.py",
        "import decimal\nfrom shared.domain.money import exponent\nfrom . import keys",
    ),
    (domain_is_pure, "shared/domain/calendar.py", "from whenever import ZonedDateTime"),
    (imports_point_one_way, "ops/cli.py", "import scheduler.plan, workers.orders.script, shared.store"),
    (imports_point_one_way, "workers/orders/process.py", "from workers.orders import script\nfrom . import script"),
    (floors_of_shared, "shared/billing/issue.py", "from shared.store import charges\nfrom shared.domain import keys"),
    (packages_stay_home, "shared/broker/actors.py", "import dramatiq"),
    (packages_stay_home, "shared/broker.py", "import dramatiq, pika"),
    (packages_stay_home, "ops/servers/postgres.py", "import subprocess"),
    (packages_stay_home, "shared/gateways/stripe.py", "import stripe"),
    (packages_stay_home, "shared/store/tables/base.py", "import sqlalchemy"),
    (time_is_a_parameter, "shared/store/database.py", "from datetime import datetime\ndatetime.now()"),
    (time_is_a_parameter, "shared/store/orders.py", "import time\nself.clock.now()\ntime.monotonic()"),
    (one_commit, "shared/store/database.py", "connection.commit()"),
    (one_commit, "shared/store/migrations/env.py", "connection.commit()"),
    (one_publisher, "scheduler/dispatch.py", "actor.send([1])"),
    (one_publisher, "shared/broker.py", "broker.enqueue(message)"),
    (money_is_no_float, "ops/report/axis.py", "x: float = 0.5"),
    (money_is_no_float, "shared/messages/rejection.py", "isinstance(value, int | float)"),
    (money_is_no_float, "shared/messages/rejection.py", "match value:\n    case float():\n        pass"),
    (functions_are_short, "scheduler/plan.py", "def plan():\n" + "    pass\n" * 39),
    (functions_are_short, "shared/store/migrations/versions/0001.py", "def upgrade():\n" + "    pass\n" * 400),
    (charges_move_in_one_place, "workers/charges/settle.py", "charge._replace(code='x')\nlink._replace(state='open')"),
    (charges_move_in_one_place, "shared/domain/charging.py", "charge._replace(state='due')"),
    (rows_are_built_by_name, "workers/charges/dunning.py", "NewCharge(invoice_id=1)\nMoved(1, 2)"),
    (names_say_what_is_inside, "shared/domain/commonwealth.py", ""),
    (providers_stay_home, "shared/gateways/stripe_provider.py", 'name="stripe"'),
    (providers_stay_home, "shared/messages/parts.py", 'Provider = Literal["sandbox", "stripe", "paypal"]'),
    (providers_stay_home, "workers/gateway_accounts.py", "from shared.gateways.sandbox import SandboxGateway"),
]


@cache
def sources() -> list[Source]:
    """Every Python file of the product and its tests."""
    paths = sorted(path for folder in (*PRODUCT, "tests", "deploy") for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]


def label(case: object) -> str | None:
    return getattr(case, "__name__", None)


def test_the_product_is_there_to_be_read() -> None:
    """The rules below read files, not nothing."""
    assert {PurePosixPath(source.path).parts[0] for source in sources()} >= {"shared", "tests"}


@pytest.mark.parametrize("rule", RULES, ids=label)
def test_rule_holds(rule: Rule) -> None:
    """Nothing breaks the rule but the named exceptions."""
    broken = [
        f"{violation.where}: {violation.what}"
        for source in sources()
        for name, violation in violations(source)
        if name == rule.__name__ and (name, violation.where) not in EXCEPTIONS
    ]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


def test_every_file_has_a_name_that_says_what_is_inside() -> None:
    """The same for what is not Python: scripts, pages, templates, folders."""
    files = (path for folder in (*PRODUCT, "tests", "deploy", "docs") for path in (ROOT / folder).rglob("*"))
    named = [Source(path.relative_to(ROOT).as_posix(), "") for path in files if "__pycache__" not in path.parts]
    assert [found for source in named for found in names_say_what_is_inside(source)] == []


def test_every_exception_is_needed_and_reasoned() -> None:
    """An exception whose place is gone, or breaks the rule no longer, must go too."""
    found = {(name, violation.where) for source in sources() for name, violation in violations(source)}
    assert [key for key in EXCEPTIONS if key not in found] == []
    assert [key for key, reason in EXCEPTIONS.items() if len(reason.split()) < 3] == []


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED, ids=label)
def test_rule_finds_a_planted_violation(rule: Rule, path: str, text: str) -> None:
    """Shown what it forbids, the rule reports it, and so does the whole check."""
    source = Source(path, text)
    assert [violation.where.split()[0] for violation in rule(source)][:1] == [path]
    assert rule.__name__ in {name for name, _ in violations(source)}


@pytest.mark.parametrize(("rule", "path", "text"), INNOCENT, ids=label)
def test_rule_allows_what_is_allowed(rule: Rule, path: str, text: str) -> None:
    """The one place that may do it, and what only looks like it, pass."""
    assert list(rule(Source(path, text))) == []


def test_every_rule_has_a_planted_violation_and_an_innocent() -> None:
    """No rule is taken on trust."""
    assert {rule for rule, _, _ in PLANTED} == {rule for rule, _, _ in INNOCENT} == set(RULES) >= set(FOR_ALL)


def test_a_function_that_is_too_long_is_named() -> None:
    """Exceptions are per function, so the violation says which one."""
    source = Source("ops/cli.py", "def main():\n" + "    pass\n" * 40)
    assert list(functions_are_short(source)) == [Violation("ops/cli.py main", "has 41 lines, more than 40")]
