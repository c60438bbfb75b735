"""What commands print for programs is typed and documented."""

import json
import re
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.json_rows import COMMANDS, PAGE, CycleRow, json_line, page
from tests.forced import unguarded
from tests.ops.conftest import INVOICE, Desk, doubt, fits

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_code_generates() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_command_with_json_is_on_the_page() -> None:
    found = set()
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        under = {f"{name} {sub}": each for sub, each in getattr(command, "commands", {}).items()} or {name: command}
        found |= {path for path, each in under.items() if any("--json" in option.opts for option in each.params)}
    assert found == set(COMMANDS)


def test_a_row_that_is_not_as_documented_is_not_printed() -> None:
    row = {"index": 0, "starts_on": "2026-01-01", "ends_on": "2026-02-01", "due_at": "2026-01-01T00:00:00Z"}
    assert json.loads(json_line(row, CycleRow)) == row
    for wrong in ({"index": 0}, row | {"more": 1}, row | {"index": "0"}):
        with pytest.raises(msgspec.ValidationError):
            json_line(wrong, CycleRow)


def test_cycles_are_as_documented() -> None:
    line = "cycles --anchor 2026-01-31 --unit month --timezone Europe/Berlin --count 2 --json"
    printed = CliRunner().invoke(commands, line.split()).output.splitlines()
    assert [fits(json.loads(each), CycleRow) for each in printed] == [True, True]


def test_what_is_listed_is_as_documented(desk: Desk) -> None:
    """`rows` compares each row with the page."""
    doubt(desk)
    assert desk.rows("charge list")
    assert desk.rows("inbox list")
    assert desk.rows("doctor")
    assert desk.rows("notices list --state sent")
    desk.run("account set --agency ag --provider stripe --secret stripe-ag --webhook-secret stripe-ag-hook")
    assert desk.rows("account list")
    assert desk.rows("backfill --agency ag --from 2026-01-01 --to 2026-07-01 --dry-run")
    with desk.diary.store.transaction() as tx, unguarded(tx):
        tx.run(
            "UPDATE cycles SET state = 'blocked', reason = 'data_error', blocked_at = :at, wake_at = :at", at=tx.as_of
        )
    (blocked,) = desk.rows("blocked list")[:1]
    assert desk.rows("backlog")
    shown = f"{blocked['agency_id']} {blocked['subscription_id']}"
    assert desk.rows(f"blocked show {shown}")
    desk.rows("refund list")
    assert desk.rows("status")
    assert {row["kind"] for row in desk.rows("subscription show sub")} == {"about", "happened", "now"}
    assert desk.rows(f"invoice show {INVOICE}")


def test_the_page_lists_each_field_once_for_a_kind() -> None:
    for line in re.findall(r"^`.*", PAGE.read_text("utf-8"), re.MULTILINE):
        names = re.findall(r"`(\w+)`", line)
        assert len(names) == len(set(names))
