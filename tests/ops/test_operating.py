"""The operator's hands: each command does what it says, says what it did, and leaves who did it in the audit trail."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import Engine

from ops.cli import commands
from ops.cluster.__main__ import scaled
from ops.cluster.members import Members
from ops.servers.rabbitmq import free_ports
from ops.status import Picture
from scheduler.figures import samples_of
from shared.messages.work import POOLS
from shared.settings import Settings
from shared.store import figures, migrate
from shared.store.database import FixedClock, Store, make_engine
from shared.store.invariants import violations
from tests.journeys.diary import Diary
from tests.ops.conftest import Desk


class CheckedDesk(Desk):
    def settle(self) -> None:
        super().settle()
        assert violations(self.diary.store) == []


@pytest.fixture
def desk(engine: Engine, clock: FixedClock, database_url: str, tmp_path: Path) -> CheckedDesk:
    """`sub` is billed and paid; `audit` has no price: its invoice is blocked, its order waits."""
    diary = Diary(Store(engine, clock), clock, tmp_path)
    diary.open("2026-05-20")
    diary.say("service.upserted", service_id="audit", price_minor=None)
    diary.say("subscription.upserted", "2026-06-01", subscription_id="sub")
    diary.say("subscription.upserted", subscription_id="audit", service_id="audit")
    diary.hear(b'{"specversion": "1.0", "id": "bad", "source": "/portal", "type": "duecycle.client.upserted.v1"}')
    diary.go("2026-06-10")
    return CheckedDesk(database_url, diary)


def test_blocked_cycles_are_listed_with_why(desk: Desk) -> None:
    (row,) = desk.rows("blocked list")
    assert (row["subscription_id"], row["stream"], row["reason"]) == ("audit", "invoice", "price_missing")
    assert "price_missing" in desk.run("blocked list --agency ag").output
    assert "nothing is blocked" in desk.run("blocked list --agency other").output
    assert "send service.upserted with price_minor" in desk.run("blocked show ag audit").output


def test_a_retry_wakes_what_is_blocked_and_says_who_asked(desk: Desk) -> None:
    assert "say which cycles" in desk.run("blocked retry", 2).output
    assert "1 blocked cycles will be retried now" in desk.run("blocked retry --agency ag --by ops").output

    assert desk.ask("SELECT wake_at <= now() FROM cycles WHERE state = 'blocked'") == [(True,)]
    assert [event["by"] for event in desk.events("cycle.retried")] == ["ops"]
    assert "no such cycle is blocked" in desk.run("blocked retry --agency other").output


def test_a_skipped_invoice_takes_its_order_with_it(desk: Desk) -> None:
    """Nothing else changes; what waited for it is decided at once; the reason is kept."""
    line = "blocked skip ag audit --stream invoice --starts-on 2026-06-01 --reason agreed --by ops"
    desk.run(line)

    assert desk.events("cycle.skipped")[-1]["detail"] == "agreed"
    desk.settle()
    found = desk.ask(
        "SELECT stream, state, reason FROM cycles WHERE subscription_id = 'audit' AND starts_on = '2026-06-01' ORDER BY 1"
    )
    assert found == [("invoice", "skipped", "skipped_by_operator"), ("order", "skipped", "skipped_by_operator")]
    assert "is not blocked" in desk.run(line, 2).output


def test_rejected_messages_are_listed_and_replayed(desk: Desk) -> None:
    """One that is still wrong stays rejected; one whose cause is gone is applied."""
    (row,) = desk.rows("inbox list --state rejected")
    assert (row["id"], row["field"]) == ("bad", "time")
    number = row["inbox_id"]
    assert '"id": "bad"' in desk.run(f"inbox show {number}").output
    assert desk.rows(f"inbox replay {number}")[0]["state"] == "rejected"

    good = (
        '{"specversion": "1.0", "id": "bad", "source": "/portal", "type": "duecycle.client.upserted.v1",'
        ' "time": "2026-06-10T00:00:00Z", "data": {"agency_id": "ag", "client_id": "late", "revision": 1, "name": "L",'
        ' "email": "l@l.example"}}'
    )
    with desk.diary.store.transaction() as tx:  # as if the program had learned to read it
        tx.run("UPDATE inbox SET raw = CAST(:raw AS bytea) WHERE inbox_id = :id", raw=good.encode(), id=number)
    assert desk.rows("inbox replay --rejected --by ops")[0]["state"] == "applied"

    assert desk.ask("SELECT count(*) FROM clients WHERE client_id = 'late'") == [(1,)]
    (replayed,) = desk.events("change.replayed")
    assert (replayed["by"], replayed["previous_state"]) == ("ops", "rejected")
    assert desk.rows(f"inbox replay {number}")[0]["state"] == "applied"
    assert desk.ask("SELECT max(revision) FROM clients WHERE client_id = 'late'") == [(1,)]
    with desk.diary.store.transaction() as tx:  # as if the program had unlearned it: what counts stays as it is
        tx.run("UPDATE inbox SET raw = 'unreadable' WHERE inbox_id = :id", id=number)
    assert desk.rows(f"inbox replay {number}")[0]["state"] == "applied"
    assert "there is no message 99999" in desk.run("inbox replay 99999", 2).output
    assert "give message numbers" in desk.run("inbox replay", 2).output


def test_a_pause_is_seen_and_lifted_and_both_are_audited(desk: Desk) -> None:
    assert "charges paused for ag" in desk.run("pause charges --agency ag --reason audit --by ops").output
    assert "already" in desk.run("pause charges --agency ag").output
    assert "the charges pool is paused for agency ag" in desk.run("status").output
    assert "is not paused for all" in desk.run("resume charges").output
    assert "charges resumed for ag" in desk.run("resume charges --agency ag --by ops").output

    assert [event["by"] for event in desk.events("pool.paused") + desk.events("pool.resumed")] == ["ops", "ops"]
    assert "there is no agency nobody" in desk.run("pause charges --agency nobody", 2).output
    assert violations(desk.diary.store) == []


@pytest.mark.parametrize("pool", POOLS)
def test_every_pool_can_be_paused_and_resumed(desk: Desk, pool: str) -> None:
    assert f"{pool} paused for all agencies" in desk.run(f"pause {pool} --by ops").output
    assert f"the {pool} pool is paused for all agencies" in desk.run("status").output
    with desk.diary.store.transaction() as tx:
        told = {(each.metric, *each.labels): each.value for each in samples_of(figures.snapshot(tx))}
    assert {each: told["duecycle_pauses", each] for each in POOLS} == {**dict.fromkeys(POOLS, 0), pool: 1}
    assert f"{pool} resumed for all agencies" in desk.run(f"resume {pool}").output


def test_intake_stands_still_for_everybody_or_for_nobody(desk: Desk) -> None:
    told = " ".join(desk.run("pause intake --agency ag", 2).output.replace("│", " ").split())
    assert "their messages share one queue" in told
    assert desk.ask("SELECT count(*) FROM pauses") == [(0,)]


def test_status_shows_what_is_due_and_stuck_and_why(desk: Desk) -> None:
    told = desk.rows("status")[0]

    stuck = {(each["stream"], each["state"], each["reason"]): each["cycles"] for each in told["cycles"]}
    assert stuck[("invoice", "blocked", "price_missing")] == 1
    assert stuck[("order", "waiting", "invoice_blocked")] == 1
    assert told["other"]["inbox_rejected"]["count"] == 1
    assert told["alarms"] == {"late_releases": 0, "refused_duplicates": 0}
    assert "DUECYCLE_BROKER_URL is not set" in desk.run("status").output
    away = desk.run("status", DUECYCLE_BROKER_URL="amqp://a:secret@127.0.0.1:1/x").output
    assert "nobody listens" in away
    assert "secret" not in away


def test_the_backlog_says_what_is_missing_and_why(desk: Desk) -> None:
    """Cycles that are due without a document, and boundaries that have come and nobody planned."""
    rows = desk.rows("backlog")

    why = {(row["subscription_id"], row["stream"], row["starts_on"]): row["why"] for row in rows}
    assert why[("audit", "invoice", "2026-06-01")].startswith("the service has no price")
    assert why[("audit", "order", "2026-06-01")].startswith("the invoice of its period is blocked")
    assert why[("sub", "invoice", "2026-07-01")].startswith("not planned yet")
    assert all(row["will_make"].startswith(f"an {row['stream']} for") for row in rows)
    desk.settle()
    left = {row["subscription_id"] for row in desk.rows("backlog")}
    assert left == {"audit"}


def test_the_doctor_finds_nothing_in_health_and_names_what_is_broken(desk: Desk) -> None:
    assert "BROKEN" not in desk.run("doctor").output
    with desk.diary.store.transaction() as tx:
        tx.run("UPDATE cycles SET wake_at = NULL WHERE state = 'blocked'")
    told = desk.run("doctor", 1)
    assert "BROKEN due_rows_wake" in told.output


def test_a_backfill_bills_what_was_before_us_once(desk: Desk) -> None:
    """A dry run changes nothing; applied, the pools make the documents; a second one finds nothing left to do."""
    desk.diary.say("subscription.upserted", "2026-06-11", subscription_id="old", starts_on="2026-03-15")
    desk.diary.go("2026-06-12")
    before = desk.ask("SELECT count(*) FROM invoices WHERE subscription_id = 'old'")
    span = "backfill --agency ag --from 2026-03-01 --to 2026-06-01 --subscription old"

    dry = desk.rows(f"{span} --dry-run")
    opened = [(row["stream"], row["starts_on"]) for row in dry if row["action"] == "reopen"]
    assert opened == [(s, d) for s in ("invoice", "order") for d in ("2026-03-15", "2026-04-15")]
    assert desk.ask("SELECT count(*) FROM invoices WHERE subscription_id = 'old'") == before
    assert desk.events("cycle.reopened") == []

    desk.run(f"{span} --apply --by ops")
    desk.settle()

    made = desk.ask(
        "SELECT cycle_starts_on::text, status FROM invoices WHERE subscription_id = 'old' AND cycle_starts_on < '2026-05-01'"
        " ORDER BY 1"
    )
    assert made == [("2026-03-15", "paid"), ("2026-04-15", "paid")]
    assert len(desk.events("cycle.reopened")) == 4
    assert [row["action"] for row in desk.rows(f"{span} --apply")] == [None] * len(dry)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("backfill --agency ag --from 2026-03-01 --to 2026-06-01", "either --dry-run or --apply"),
        ("backfill --agency ag --from 2026-03-01 --to 2026-06-01 --dry-run --apply", "either --dry-run or --apply"),
        ("backfill --agency ag --from 2026-06-01 --to 2026-03-01 --dry-run", "not later than"),
        ("backfill --agency ag --from 2026-06-01 --to 2199-01-01 --dry-run", "is after today"),
        ("backfill --agency nobody --from 2026-03-01 --to 2026-06-01 --dry-run", "there is no agency nobody"),
        ("backfill --agency ag --from 2026-02-30 --to 2026-06-01 --dry-run", "is not a calendar date"),
        ("inbox show 99999", "there is no message 99999"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(desk: Desk, line: str, says: str) -> None:
    assert says in desk.run(line, 2).output


def test_migrate_brings_an_empty_database_up_and_says_from_where(postgres, tmp_path: Path) -> None:
    name = "duecycle_migrating"
    url = postgres.create_database(name)
    try:
        env = {"DUECYCLE_DATABASE_URL": url}
        first = CliRunner().invoke(commands, ["status"], env=env)
        assert first.exit_code == 1
        assert "run: duecycle migrate" in first.output
        assert (
            f"from nothing to {migrate.expected_revision()}"
            in CliRunner().invoke(commands, ["migrate"], env=env).output
        )
        assert "already" in CliRunner().invoke(commands, ["migrate"], env=env).output
        engine = make_engine(url)
        with Store(engine).transaction() as tx:
            tx.run("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        newer = CliRunner().invoke(commands, ["migrate"], env=env)
        assert (newer.exit_code, "newer than this program knows" in newer.output) == (1, True)
    finally:
        postgres.drop_database(name)


def test_a_database_that_is_away_or_not_named_is_told() -> None:
    away = CliRunner().invoke(
        commands, ["doctor"], env={"DUECYCLE_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    )
    assert (away.exit_code, "can't be reached" in away.output, "secret" in away.output) == (1, True, False)
    unset = CliRunner().invoke(commands, ["doctor"], env={"DUECYCLE_DATABASE_URL": ""})
    assert (unset.exit_code, "DUECYCLE_DATABASE_URL is not set" in unset.output) == (2, True)


def test_a_watcher_outlives_what_it_watches(desk: Desk) -> None:
    """While the database is away it says so, beside what it saw last, and goes on looking."""
    console = Console(width=120, record=True, file=io.StringIO())
    away = Store(make_engine(f"postgresql+psycopg://u:hunter2@127.0.0.1:{free_ports(1)[0]}/x"))
    picture = Picture(away, Settings(), None)
    console.print(picture.now())
    told = console.export_text()
    assert "the database can't be asked (127.0.0.1:" in told
    assert "nobody listens there" in " ".join(told.split())
    assert "no figures yet" in told
    assert "hunter2" not in told
    picture.store = desk.diary.store
    console.print(picture.now())
    assert "price_missing" in console.export_text()
    picture.store = away
    console.print(picture.now())
    told = console.export_text()
    assert "trying again. Last figures" in " ".join(told.split())
    assert "price_missing" in told


def test_a_wish_that_cannot_be_read_ends_no_cluster(tmp_path: Path) -> None:
    """It is told and put away; the other pools get what was asked for them."""
    members = Members({}, tmp_path / "logs")
    for name, text in (("charges", "many"), ("coffee", "3"), ("orders", "0")):
        (tmp_path / name).write_text(text)
    wrong = scaled(members, tmp_path)
    assert [each.partition(": ")[0].rpartition("/")[2] for each in wrong] == ["charges", "coffee"]
    assert all("make scale POOL=charges TO=3" in each for each in wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
