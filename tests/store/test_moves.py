"""What shared/domain/states.py does not list can't be written, whoever writes it and however."""

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError

from shared.domain.states import MACHINES, Machine
from shared.store import moves, notices
from shared.store.cycles import LeftUnsettled, Settled, leave_unsettled, settle
from shared.store.database import Store, Transaction
from shared.store.errors import MissedRowsError, is_data_error
from shared.store.invoices import close
from shared.store.notices import NewNotice, Sending

PAIRS = [
    (machine, before, after)
    for machine in MACHINES
    for before in machine.moves
    for after in machine.moves
    if before != after
]
# The healthy ledger has none.
PLACE = """
INSERT INTO pay_links (agency_id, invoice_id, link_seq, subscription_id, provider, key, amount_minor, currency, state,
                       opened_at, expires_at)
SELECT agency_id, invoice_id, 1, subscription_id, 'stripe', 'pay1-x', 1, currency, 'open', issued_at, issued_at
FROM invoices LIMIT 1"""
QUESTION = """
INSERT INTO payment_inquiries (agency_id, provider, reference, kind, payment_reference, invoice_id, subscription_id, state,
                               asked_since)
SELECT agency_id, 'stripe', 'dp_1', 'dispute', 'pi_1', invoice_id, subscription_id, 'asking', issued_at FROM invoices LIMIT 1"""


def planted(tx: Transaction, machine: Machine, before: str) -> str:
    """Any row of the table, put into a state as nobody can but a superuser; the condition that finds it."""
    tx.run("SET LOCAL session_replication_role = replica")  # triggers do not fire
    if machine.table == "pay_links":
        tx.run(PLACE)
    if machine.table == "payment_inquiries":
        tx.run(QUESTION)
    found = tx.scalar(f"SELECT ctid FROM {machine.table} LIMIT 1")  # noqa: S608
    forget = ", reason = NULL" if machine.table == "cycles" else ""
    key = ", key = coalesce(key, 'k')" if machine.table == "charges" else ""
    sets = f"{machine.column} = '{before}'{forget}{key}"
    moved = tx.scalar(f"UPDATE {machine.table} SET {sets} WHERE ctid = '{found}' RETURNING ctid")  # noqa: S608
    tx.run("SET LOCAL session_replication_role = origin")
    return f"ctid = '{moved}'"


@pytest.mark.parametrize(
    ("machine", "before", "after"), PAIRS, ids=[f"{machine.what}-{before}-{after}" for machine, before, after in PAIRS]
)
def test_every_pair_of_states(trial: Transaction, machine: Machine, before: str, after: str) -> None:
    """What is listed can be written; what is not is an error of the data, and names the move."""
    where = planted(trial, machine, before)
    update = f"UPDATE {machine.table} SET {machine.column} = '{after}' WHERE {where}"  # noqa: S608
    if after in machine.moves[before] and (before, after) not in machine.only:
        assert trial.run(update) == 1
        return
    with pytest.raises(IntegrityError, match=f"{machine.what}: {before} to {after} is not a legal move") as refused:
        trial.run(update)
    assert is_data_error(refused.value)


def test_a_cycle_is_opened_again_only_if_it_was_before_known(trial: Transaction) -> None:
    """The pair alone is refused above, for the reason is missing; with it the move is legal."""
    where = planted(trial, MACHINES[0], "skipped")
    moved = trial.scalar(f"UPDATE cycles SET reason = 'before_known' WHERE {where} RETURNING ctid")  # noqa: S608
    assert trial.run(f"UPDATE cycles SET state = 'due' WHERE ctid = '{moved}'") == 1  # noqa: S608


def test_the_states_are_those_that_the_tables_allow(engine: Engine) -> None:
    """A state in one place alone could never be reached, or never be left."""
    with engine.connect() as connection:
        for machine in MACHINES:
            checked = connection.execute(
                text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"),
                {"name": f"ck_{machine.table}_{machine.column}_known"},
            ).scalar()
            assert checked is not None, machine.table
            assert set(checked.split("'")[1::2]) == set(machine.moves), machine.table


def test_a_later_list_of_moves_takes_the_place_of_the_one_before(engine: Engine) -> None:
    """The file of a later migration can be loaded over what is there."""
    again = create_engine(engine.url)
    with again.begin() as connection:
        connection.exec_driver_sql(moves.text())
    again.dispose()


def test_a_cycle_that_has_ended_is_neither_settled_nor_stuck(ledger: Store) -> None:
    """done → skipped → blocked was possible before: now the row is missed, and everything in that transaction with it."""
    with ledger.transaction() as tx:
        agency_id, subscription_id, starts_on = tx.rows(
            "SELECT agency_id, subscription_id, starts_on FROM cycles WHERE stream = 'invoice' AND state = 'done' LIMIT 1"
        )[0]
    again = Settled(subscription_id, starts_on, "skipped", "because")
    blocked = LeftUnsettled(
        subscription_id=subscription_id,
        starts_on=starts_on,
        state="blocked",
        reason="data_error",
        detail=None,
        blocking_starts_on=None,
        blocking_invoice_id=None,
        wake_at=tx.as_of,
        held_at=None,
        blocked_at=None,
    )
    with pytest.raises(MissedRowsError, match="0 of 1"), ledger.transaction() as tx:
        settle(tx, agency_id, "invoice", [again])
    with pytest.raises(MissedRowsError, match="0 of 1"), ledger.transaction() as tx:
        leave_unsettled(tx, agency_id, "invoice", [blocked])


def test_a_mail_that_was_sent_is_not_due_again_because_a_late_worker_says_so(ledger: Store) -> None:
    """Its lease was over, another worker has sent the mail; what the late one says of the others still counts."""
    with ledger.transaction() as tx:
        key, agency_id = tx.rows("SELECT key, agency_id FROM notices WHERE state = 'sent' LIMIT 1")[0]
        late = Sending(
            key=key,
            state="due",
            subject=None,
            message_id=None,
            reason="timed out",
            wake_at=tx.as_of,
            sent_at=None,
            tries=1,
        )
        other = NewNotice(
            key="other",
            occasion="invoice_open",
            audience="client",
            recipient="c@c.example",
            subscription_id=None,
            invoice_id=None,
            context="{}",
        )
        notices.insert(tx, agency_id, [other])
        notices.settle(tx, agency_id, [late, late._replace(key="other", state="failed", wake_at=None)])
        states = dict(tx.rows("SELECT key, state FROM notices WHERE key IN ('other', :key)", key=key))  # type: ignore[arg-type]
    assert states == {key: "sent", "other": "failed"}


def test_an_invoice_is_not_closed_twice(ledger: Store) -> None:
    with ledger.transaction() as tx:
        agency_id, invoice_id = tx.rows("SELECT agency_id, invoice_id FROM invoices WHERE status = 'paid' LIMIT 1")[0]
    with pytest.raises(MissedRowsError), ledger.transaction() as tx:
        close(tx, agency_id, [invoice_id], "paid", [tx.as_of])
    with pytest.raises(IntegrityError, match="invoice: paid to void"), ledger.transaction() as tx:
        close(tx, agency_id, [invoice_id], "void", [None])
