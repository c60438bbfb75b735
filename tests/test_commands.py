"""Every command of the README and of docs/ runs as it stands there: in a shell, at an operator's desk, or in a test named here.

A command that is new on a page has to be put into one of the groups below; one that has left the pages has to leave them too.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pika
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from ops.cli import commands
from shared.broker.startup_check import check_broker
from shared.store import notices
from shared.store.database import FixedClock, Store
from shared.store.notices import NewNotice, Sending
from tests.journeys.diary import Diary
from tests.ops.conftest import Desk, doubt
from tests.test_readme import FENCE, PAGES, ROOT, TRYING, quoted_messages, spans

PROGRAM = re.compile(r"(\.venv/bin/)?(make|duecycle|dramatiq|docker|npm|rabbitmqctl|\.|source) [^ ]")
COMMENT = re.compile(r"\s{2,}\S.*$")  # a list of commands with a word on each

# In a fresh shell, one after another.
SHELL = (
    ". .venv/bin/activate",
    "duecycle simulate zoo.jsonl --until 2026-05-01 --out demo/zoo",
    "duecycle cycles --anchor 2026-01-31 --unit month --timezone Europe/Berlin --count 3",
    "make help",
)
# At the desk of an operator, in this order; none of these changes anything.
LOOKS = (
    "duecycle clock show",
    "duecycle status",
    "duecycle backlog",
    "duecycle subscription show zoo-seo",
    "duecycle invoice show NL-00001",
    "duecycle blocked list",
    "duecycle inbox list",
    "duecycle inbox list --state rejected",
    "duecycle notices list",
    "duecycle notices list --state failed",
    "duecycle notices list --outcome account",
    "duecycle notices list --outcome agency",
    "duecycle charge list",
    "duecycle charge list --code account_refused",
    "duecycle charge list --code amount_too_small",
    "duecycle charge list --code unrecorded",
    "duecycle charge list --code needs_a_person",
    "duecycle charge list --code secret_missing",
    "duecycle refund list",
    "duecycle account list",
    "duecycle backfill --agency acme --from 2026-03-01 --to 2026-06-01 --dry-run",
    "duecycle clock show",
    "duecycle doctor --json",
    "duecycle doctor",
)
CHANGES = (
    "duecycle pause charges --agency acme",
    "duecycle resume charges --agency acme",
    "duecycle resume charges",
    "duecycle notices send --agency acme payment_failed:client:inv:sub:2026-06-01:1/first",
    "duecycle notices send --agency acme --failed --outcome agency",
    'duecycle notices skip --agency acme --failed --reason "told by phone"',
    "duecycle refund taken-back --agency acme --invoice inv:sub:2026-06-01 --payment bank-17 --amount-minor 11900",
    'duecycle refund request --agency acme --number NL-00001 --amount-minor 5000 --reason "half of the month"',
    "duecycle refund request --agency acme --number NL-00001",
    "duecycle refund list --agency acme --number NL-00001",
    "duecycle account set --agency acme --provider stripe --secret stripe-acme --webhook-secret stripe-acme-hook",
)
# Of an attempt in doubt.
VERDICTS = (
    "duecycle charge resolve --agency acme --invoice inv:sub:2026-06-01 --not-charged",
    "duecycle charge resolve --agency acme --invoice inv:sub:2026-06-01 --paid pi_123",
)
WITH_A_BROKER = (
    "duecycle ingest messages.jsonl",
    "duecycle events read",
    "duecycle events replay --since 2026-06-01T00:00:00Z --queue consumer.ledger",
    "duecycle events replay --since 2026-06-01T00:00:00Z",
)
# Run by another test.
ELSEWHERE = {
    "duecycle scheduler": "tests/ops/test_startup.py::test_a_missing_permission_is_told_with_what_is_needed",
    "duecycle worker charges": "tests/ops/test_startup.py::test_a_wrong_password_of_the_broker_is_told_and_waited_for",
    "duecycle worker webhooks": "tests/web/test_process.py::test_it_serves_without_a_broker_and_finishes_what_is_under_way",
    "duecycle status --watch": "tests/ops/test_operating.py::test_a_watcher_outlives_what_it_watches",
    **dict.fromkeys(
        ("duecycle reconcile", "duecycle reconcile --apply"),
        "tests/web/test_reconcile.py::test_the_command_tells_the_differences_and_its_exit_code_says_so",
    ),
    **dict.fromkeys(
        ("duecycle migrate --roles", "duecycle migrate --roles --passwords secrets"),
        "tests/store/test_grants.py::test_roles_are_made_by_the_command_and_made_again_without_harm",
    ),
    "make demo": "tests/journeys/test_sample.py::test_every_output_row_has_the_published_fields",
    ".venv/bin/duecycle simulate docs/sample/agency-portal.jsonl --until 2026-09-05 --outage 2026-07-01..2026-08-01"
    " --out demo/outage": "tests/journeys/test_sample.py::test_every_output_row_has_the_published_fields",
    "make scale POOL=charges TO=3": "tests/ops/test_operating.py::test_a_wish_that_cannot_be_read_ends_no_cluster",
    "make env": "tests/deploy/test_compose.py::test_env_never_overwrites",
    "make bench": "tests/ops/test_bench.py::test_every_way_of_writing_leaves_equal_rows",
    "make bench ARGS=--json": "tests/ops/test_bench.py::test_every_way_of_writing_leaves_equal_rows",
    **dict.fromkeys(
        ('duecycle clock accept --reason "checked against two clocks"',),
        "tests/store/test_clock_watch.py::test_commands_show_the_clocks_accept_one_and_do_nothing_by_a_wrong_one",
    ),
    **dict.fromkeys(
        ("duecycle migrate --roles", "duecycle migrate --roles --passwords secrets"),
        "tests/store/test_grants.py::test_roles_are_made_by_the_command_and_made_again_without_harm",
    ),
}
# Run by no test: a pattern, and why.
NOT_RUN = {
    r"docker compose .*": "needs Docker; tests/deploy reads the file they work on",
    r"make (test|check|lint|types|contracts|docs)( .*)?": "runs this suite, or what stands beside it in CI",
    r"make (setup|format|lock.*)": "changes the checkout",
    r"make bench ARGS=--(million|record)": "takes minutes",
    r"make test-node": "needs node; tests/integrating is what it runs",
    r"make (drill-\w+|test-next|test-localstripe|cluster)": "takes minutes; the same parts are run by tests/faults",
    r"dramatiq .*|duecycle worker charges --processes 4": "a master with four processes; its parts are in tests/telemetry",
    r"duecycle [a-z ]+ --json": "names what is printed; tests/ops/test_json_rows.py runs them",
    r"rabbitmqctl .*": "RabbitMQ's own command, about its state",
    r"duecycle .*\b(POOL|REASON|NAME)\b.*": "a placeholder stands in it",
    r"duecycle (notices|ingest|simulate|account set|events replay)": "only names a command",
    r"duecycle (charge resolve|refund resolve|refund request)": "only names a command",
    r"duecycle (blocked retry|inbox replay|clock accept)": "only names a command",
}


def shell_lines(page: Path) -> Iterator[str]:
    """What a reader may paste: lines of code blocks and code within sentences that begin with a program."""
    text = page.read_text("utf-8")
    rest = FENCE.sub("", text)
    lines = [COMMENT.sub("", line.strip()) for line in rest.splitlines() if line.startswith("    ")]
    yield from (line for line in [*lines, *spans(rest)] if PROGRAM.match(line) and "…" not in line)


def pages() -> list[Path]:
    return [page for page in PAGES if page.name == "README.md" or page.is_relative_to(ROOT / "docs")]


def found() -> set[str]:
    decided = ROOT / "docs" / "decisions"
    return {line for page in pages() if not page.is_relative_to(decided) for line in shell_lines(page)}


def test_every_command_of_the_pages_has_its_place_and_no_other_has() -> None:
    run = {*SHELL, *LOOKS, *CHANGES, *VERDICTS, *WITH_A_BROKER, *ELSEWHERE}
    left = {line for line in found() - run if not any(re.fullmatch(pattern, line) for pattern in NOT_RUN)}
    assert left == set(), "run these here, or say why not"
    assert run - found() - {"make help"} == set(), "these are on no page any more"
    unused = [each for each in NOT_RUN if not any(re.fullmatch(each, line) for line in found())]
    assert unused == []


def test_the_tests_that_run_a_command_are_there() -> None:
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / path).read_text("utf-8"), place


def test_the_commands_of_the_first_minutes_run_in_a_fresh_shell(tmp_path: Path) -> None:
    """As pasted, one after another, in a folder beside which there is only .venv; nothing of our environment but the path."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    (tmp_path / "zoo.jsonl").write_bytes(b"\n".join(quoted_messages(TRYING)))
    script = "\n".join(["set -e", *SHELL])
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((tmp_path / "demo" / "zoo" / "invoices.jsonl").read_text().splitlines()) == 4
    assert "2026-02-28" in done.stdout


@pytest.fixture
def acme(engine: Engine, clock: FixedClock, database_url: str, tmp_path: Path) -> Desk:
    """The agency of the pages: NL-00001 is paid by card and by bank, a mail about it could not be sent, zoo-seo runs too."""
    diary = Diary(Store(engine, clock), clock, tmp_path)
    own = {"agency_id": "acme"}
    diary.open("2026-05-20", agency={**own, "invoice_prefix": "NL-"}, client=own, service=own, card=None)
    diary.new_card("2026-05-20", agency_id="acme")
    diary.say("subscription.upserted", "2026-06-01", subscription_id="sub", **own)
    diary.go("2026-06-01")
    diary.say("subscription.upserted", "2026-06-02", subscription_id="zoo-seo", **own)
    diary.say(
        "invoice.paid", "2026-06-02", invoice_id="inv:sub:2026-06-01", amount_minor=11900, reference="bank-17", **own
    )
    diary.go("2026-06-03")
    keys = ("payment_failed:client:inv:sub:2026-06-01:1/first", "other/first", "third/first")
    with diary.store.transaction() as tx:
        notices.insert(
            tx,
            "acme",
            [
                NewNotice(
                    key=key,
                    occasion="payment_failed",
                    audience="client",
                    recipient="a@a.example",
                    subscription_id=None,
                    invoice_id=None,
                    context="{}",
                )
                for key in keys
            ],
        )
        failed = [
            Sending(
                key=key,
                state="failed",
                subject=None,
                message_id=None,
                reason="550",
                wake_at=None,
                sent_at=None,
                tries=1,
                outcome=outcome,
                tried_at=tx.as_of,
                refused_since=tx.as_of,
            )
            for key, outcome in zip(keys, ("recipient", "agency", "recipient"), strict=True)
        ]
        notices.settle(tx, "acme", failed)
    return Desk(database_url, diary)


def run(line: str, **environ: str) -> str:
    """The command as the shell would split it."""
    program, *words = shlex.split(line)
    assert program == "duecycle"
    done = CliRunner().invoke(commands, words, env=environ)
    assert done.exit_code == 0, f"{line}: {done.output}"
    return done.output


def test_the_commands_that_look_run_at_an_operators_desk(acme: Desk) -> None:
    told = {line: run(line, DUECYCLE_DATABASE_URL=acme.url) for line in LOOKS}
    assert "invoice NL-00001 issued" in told["duecycle invoice show NL-00001"]
    assert "subscription zoo-seo: active, agency acme" in told["duecycle subscription show zoo-seo"]


def test_the_commands_that_change_something_run_at_an_operators_desk(acme: Desk) -> None:
    for line in CHANGES:
        run(line, DUECYCLE_DATABASE_URL=acme.url)


@pytest.mark.parametrize("line", VERDICTS)
def test_the_commands_about_an_attempt_in_doubt_run(acme: Desk, line: str) -> None:
    acme.diary.clock.at = datetime.now(UTC)
    with acme.diary.store.transaction() as tx:
        tx.run("DELETE FROM sandbox_ledger")
    doubt(acme)
    assert "invoice NL-00001: it" in run(line, DUECYCLE_DATABASE_URL=acme.url)


def test_the_commands_for_upstream_run_beside_a_broker(
    acme: Desk, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("intake", "scheduler"):
        check_broker([broker_url], role, "test")  # type: ignore[arg-type]
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().queue_declare("consumer.ledger", durable=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "messages.jsonl").write_bytes(b"\n".join(quoted_messages(TRYING)))
    urls = {"DUECYCLE_DATABASE_URL": acme.url, "DUECYCLE_BROKER_URL": broker_url}
    told = [run(line, **urls) for line in (*WITH_A_BROKER, "duecycle events read")]
    assert "5" in told[0]
    assert "duecycle.invoice.issued.v1" in told[-1]
