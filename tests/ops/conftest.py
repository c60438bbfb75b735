"""A desk: an operator's commands over an agency with a subscription whose first invoice is paid."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from ops.cli import commands
from ops.json_rows import COMMANDS, JsonRow
from shared.store.database import FixedClock, Store
from tests.forced import unguarded
from tests.journeys.diary import Diary

INVOICE = "inv:sub:2026-06-01"


def fits(row: dict[str, Any], kind: type[JsonRow]) -> bool:
    """Whether a printed row is of a kind."""
    try:
        msgspec.convert(row, kind)
    except msgspec.ValidationError:
        return False
    return True


class Desk:
    """An operator at a database with some weeks of billing in it. The commands use the real clock."""

    def __init__(self, url: str, diary: Diary) -> None:
        self.url, self.diary = url, diary

    def run(self, line: str, code: int = 0, **env: str) -> Result:
        done = CliRunner().invoke(commands, line.split(), env={"DUECYCLE_DATABASE_URL": self.url, **env})
        assert done.exit_code == code, done.output
        return done

    def rows(self, line: str) -> list[dict[str, Any]]:
        """What a command prints for programs; each row is one of the documented kinds."""
        rows = [json.loads(each) for each in self.run(f"{line} --json").output.splitlines()]
        kinds = next((kinds for command, kinds in COMMANDS.items() if line.startswith(command)), ())
        for row in rows if kinds else ():
            assert any(fits(row, kind) for kind in kinds), row
        return rows

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.diary.store.transaction() as tx:
            return [tuple(row) for row in tx.rows(sql)]

    def events(self, type_: str) -> list[dict[str, Any]]:
        return [each.data for each in self.diary.events(type_)]

    def settle(self) -> None:
        """The pools process what is due, at the real time, which the commands go by."""
        self.diary.clock.at = datetime.now(UTC)
        self.diary.world.settle()


@pytest.fixture
def desk(engine: Engine, clock: FixedClock, database_url: str, tmp_path: Path) -> Desk:
    diary = Diary(Store(engine, clock), clock, tmp_path)
    diary.open("2026-05-20")
    diary.say("subscription.upserted", "2026-06-01", subscription_id="sub")
    diary.go("2026-06-02")
    return Desk(database_url, diary)


def doubt(desk: Desk, state: str = "unknown") -> None:
    """The attempt of June is in doubt: its answer and its payment never came."""
    with desk.diary.store.transaction() as tx, unguarded(tx):
        tx.run("DELETE FROM payments")
        tx.run("UPDATE invoices SET status = 'open', paid_at = NULL, settled_at = NULL")
        tx.run(
            "UPDATE charges SET state = :state, code = 'needs_a_person', settled_at = NULL, doubtful_since = :at,"
            " wake_at = :later, planned_at = :later, reference = NULL",
            state=state,
            at=desk.diary.clock.at,
            later=desk.diary.clock.at + timedelta(hours=6),
        )
