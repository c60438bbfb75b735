"""Migrations on a database that has lived: what older programs wrote is refused with words, or still understood."""

from pathlib import Path

import pytest
from alembic import command
from alembic.util import CommandError
from click.testing import CliRunner

from ops.cli import commands
from shared.store import migrate
from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from tests.journeys.diary import Diary
from tests.store.test_migrations import CATALOG, catalog
from workers.intake.receive_changes import receive_change


def _back_to(store: Store, revision: str) -> str:
    url = store.engine.url.render_as_string(hide_password=False)
    command.downgrade(migrate._config(url), revision)
    return url


@pytest.fixture
def released(ledger: Store) -> Store:
    """A healthy ledger as the last released program left it."""
    _back_to(ledger, "0003")
    return ledger


def test_going_back_and_forth_comes_to_the_same_schema(ledger: Store) -> None:
    before = [catalog(ledger.engine, what) for what in CATALOG]
    url = _back_to(ledger, "0003")
    migrate.upgrade(url)
    assert [catalog(ledger.engine, what) for what in CATALOG] == before
    assert violations(ledger) == []


def test_numbers_that_were_given_twice_are_named_with_what_to_do(released: Store) -> None:
    with released.transaction() as tx:
        tx.run(
            """
            UPDATE invoices SET number = NULL, sequence = NULL, external_number = 'H-1'
            WHERE agency_id = 'ag' AND invoice_id = 'inv:sub:2026-06-01'
            """
        )
    url = released.engine.url.render_as_string(hide_password=False)
    with pytest.raises(CommandError, match=r"agency ag, number H-1: invoices inv:sub:2026-06-01, hand-1"):
        migrate.upgrade(url)
    assert migrate.current_revision(url) == "0003"
    done = CliRunner().invoke(commands, ["migrate"], env={"DUECYCLE_DATABASE_URL": url})
    assert done.exit_code == 1
    assert "give all but one of each another number" in done.output
    with released.transaction() as tx:
        tx.run("UPDATE invoices SET external_number = 'H-1b' WHERE agency_id = 'ag' AND invoice_id = 'hand-1'")
    assert CliRunner().invoke(commands, ["migrate"], env={"DUECYCLE_DATABASE_URL": url}).exit_code == 0


def test_a_transfer_that_was_told_before_is_known_when_it_is_told_again(released: Store, tmp_path: Path) -> None:
    """Payments that upstream told of had one source then, whichever system told of them."""
    with released.transaction() as tx:
        assert tx.run("UPDATE payments SET source = 'upstream' WHERE source LIKE 'upstream%'") == 1
    migrate.upgrade(released.engine.url.render_as_string(hide_password=False))
    assert violations(released) == []
    clock = released.clock
    assert isinstance(clock, FixedClock)
    diary = Diary(released, clock, tmp_path)
    for amount, state in ((11900, "repeated"), (None, "repeated"), (11901, "rejected")):
        said = {"invoice_id": "hand-1", "reference": "transfer-1", "amount_minor": amount}
        raw = diary.message("invoice.paid", clock.at, id=f"again-{amount}", **said)
        assert receive_change(released, raw).state == state
