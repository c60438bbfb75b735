"""Every invariant holds on a healthy ledger and finds what is planted to break it; what is legal it lets pass."""

# ruff: noqa: S608 - every part of every statement is a literal of the tests

import pytest
from sqlalchemy.exc import InternalError

from shared.store.database import Store, Transaction
from shared.store.invariants import INVARIANTS, check, find, violations
from tests.forced import unguarded
from tests.store.edge_plants import AGAIN, CHECKOUT, UNAPPLIED, VOIDED
from tests.store.plants import CHARGE, OPEN_INVOICE, PAID_INVOICE, PAYMENT, PLANTS, cycle, succeeded
from tests.store.refund_plants import Plant, reversal

LEGAL = {
    "a surplus from elsewhere": (PAYMENT,),
    "money for a void invoice": (PAYMENT.replace("inv:sub:", "inv:mild:"),),
    "a charge in flight when the payment came": (
        f"{CHARGE}'hand-1', 1, 'hand', 'law', 'sending', 'k', 1, 'EUR', 'sandbox', now(), now(), NULL, NULL, NULL)",
        "UPDATE charges SET wake_at = now() WHERE invoice_id = 'hand-1'",
    ),
    "two charges that share the total": (
        f"UPDATE charges SET amount_minor = 10000 WHERE {PAID_INVOICE}",
        f"UPDATE payments SET amount_minor = 10000 WHERE {PAID_INVOICE}",
        *succeeded(2, 1900, "2026-06-02", "2026-06-02"),
    ),
    "a decline that the provider takes back after the next attempt succeeded": (
        *succeeded(2, 11900, "2026-06-02", "2026-06-02"),
        f"UPDATE charges SET decline_class = 'retryable', settled_at = '2026-06-03' WHERE {PAID_INVOICE} AND attempt = 1",
    ),
    "a declined attempt that is asked about once more": (
        "UPDATE charges SET wake_at = now(), doubtful_since = now() WHERE state = 'declined'",
    ),
    "money of a checkout without an invoice": (
        UNAPPLIED,
        f"UPDATE subscriptions SET {CHECKOUT} WHERE subscription_id = 'calm'",
    ),
    "an invoice that was issued again for a void one": (
        f"UPDATE invoices SET replaced = 1 WHERE {VOIDED}",
        f"{AGAIN} WHERE {VOIDED}",
    ),
    "a number of the series that upstream has given": (
        f"UPDATE invoices SET number = NULL, sequence = NULL, external_number = '00006' WHERE {OPEN_INVOICE}",
        "INSERT INTO skipped_numbers VALUES ('ag', 'invoice', 6, '00006', now())",
    ),
    "money that was taken back of a paid invoice, which is open again": (
        reversal(11900, "inv:sub:2026-06-01"),
        f"UPDATE invoices SET status = 'open', paid_at = NULL, failing_since = now() WHERE {PAID_INVOICE}",
        *succeeded(2, 11900, "2026-06-02", "2026-06-02"),
        f"UPDATE invoices SET status = 'paid', paid_at = now(), failing_since = NULL WHERE {PAID_INVOICE}",
    ),
    "a refund that the client's bank sent back, credited all the same": (
        "UPDATE refunds SET state = 'failed', code = 'returned'",
    ),
    "a prefix that ends in a digit": (f"UPDATE invoices SET number = '202600006' WHERE {OPEN_INVOICE}",),
    "more than 99,999 invoices": (
        "DELETE FROM charges",
        "DELETE FROM credit_notes",
        "DELETE FROM refunds",
        "DELETE FROM payments",
        "DELETE FROM invoice_lines",
        "DELETE FROM invoices",
        "DELETE FROM orders",
        "DELETE FROM cycles",
        "DELETE FROM schedules",
        "DELETE FROM inbox",
        """INSERT INTO invoices (agency_id, invoice_id, subscription_id, client_id, sequence, number, status, collection,
           origin, issued_on, issued_at, due_on, currency, subtotal_minor, tax_minor, total_minor, taxes, snapshot)
           SELECT 'ag', n, 'sub', 'law', n, 'NL-' || CASE WHEN n < 100000 THEN to_char(n, 'FM00000') ELSE n::text END,
           'void', 'manual', 'manual', now(), now(), now(), 'EUR', 0, 0, 0, '[]', '{}' FROM generate_series(1, 100001) n""",
        "UPDATE number_series SET next_sequence = 100002 WHERE kind = 'invoice' AND agency_id = 'ag'",
        "DELETE FROM number_series WHERE agency_id = 'b' OR kind = 'credit_note'",
    ),
}


def run(tx: Transaction, sql: tuple[str, ...]) -> None:
    with unguarded(tx):
        for statement in sql:
            tx.run(statement.replace(":", r"\:"))


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.invariant)
def test_what_breaks_an_invariant_is_found_by_that_one(trial: Transaction, planted: Plant) -> None:
    """All hold before; after it, exactly the broken invariant names exactly the broken rows."""
    assert find(trial) == []
    run(trial, planted.sql)
    found = find(trial)
    assert {violation.invariant for violation in found} == {planted.invariant, *planted.also}
    named = [violation.keys for violation in found if violation.invariant == planted.invariant]
    assert [{name: keys[name] for name in planted.keys} for keys in named] == [planted.keys] * planted.rows


def test_every_invariant_has_a_plant_and_a_name_of_its_own() -> None:
    names = [invariant.name for invariant in INVARIANTS]
    assert sorted(names) == sorted({planted.invariant for planted in PLANTS})
    assert all(invariant.promise for invariant in INVARIANTS)


@pytest.mark.parametrize("sql", LEGAL.values(), ids=LEGAL.keys())
def test_what_may_happen_breaks_nothing(trial: Transaction, sql: tuple[str, ...]) -> None:
    run(trial, sql)
    assert find(trial) == []


def test_an_empty_database_breaks_nothing(store: Store) -> None:
    assert violations(store) == []


def test_a_violation_is_told_in_one_line(ledger: Store) -> None:
    """The line names the invariant, its promise and the row, for somebody who has to find it."""
    with ledger.transaction() as tx:
        tx.run(f"UPDATE cycles SET reason = NULL WHERE {cycle('calm', 'order', 6)}")
    assert violations(ledger) == [
        "ends_say_why: every cycle that is skipped, cancelled, blocked, held or waiting says why; not so for"
        " agency_id=ag, subscription_id=calm, stream=order, starts_on=2026-06-01, state=skipped"
    ]


def test_a_long_list_is_cut_and_says_so(ledger: Store) -> None:
    """Each invariant lists at most `limit` rows, in the same order every time."""
    with ledger.transaction() as tx:
        tx.run("UPDATE cycles SET reason = NULL WHERE subscription_id = 'calm'")
    assert [violation.keys["stream"] for violation in check(ledger, limit=3)] == ["invoice", "invoice", "order"]
    assert len(violations(ledger, limit=4)) == 4
    assert violations(ledger, limit=1)[1:] == ["ends_say_why: more than 1 rows break it; the rest is not listed"]


def test_a_check_can_not_write(ledger: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a query should do one day: the transaction refuses to write."""
    nasty = INVARIANTS[0]._replace(sql="SELECT nextval(pg_get_serial_sequence('inbox', 'inbox_id')) AS id")
    monkeypatch.setattr("shared.store.invariants.INVARIANTS", (nasty,))
    with pytest.raises(InternalError, match="read-only transaction"):
        check(ledger)
