"""Every guard of the schema is a real constraint: the database refuses what breaks it, and says by which name."""

# ruff: noqa: S608 - every part of every statement is a literal of the tests

from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from shared.store.database import Transaction
from shared.store.tables import metadata
from tests.forced import unguarded
from tests.store.edge_plants import UNAPPLIED

SUB = "agency_id = 'ag' AND subscription_id = 'sub'"
JUNE = "agency_id = 'ag' AND invoice_id = 'inv:sub:2026-06-01'"
FAILING = "agency_id = 'ag' AND invoice_id = 'inv:poor:2026-07-01' AND attempt = 6"
BACK = "agency_id = 'ag' AND invoice_id = 'inv:sub:2026-07-01' AND refund_seq = 1"
PAY_LINK = (
    "INSERT INTO pay_links (agency_id, invoice_id, link_seq, subscription_id, provider, key, amount_minor, currency, state,"
    " opened_at, expires_at) VALUES ('ag', 'inv:sub:2026-06-01', 1, 'sub', 'stripe', 'k', 11900, 'EUR', 'open', now(), now())"
)
SKIPPED = "INSERT INTO skipped_numbers VALUES ('ag', 'invoice', 9, '00009', now())"
REVERSAL_OF = "'stripe', 'dp_1', 'inv:sub:2026-06-01', 1, 'pi_1', 100, 'EUR', 'dispute', now())"
REVERSAL = f"INSERT INTO payment_reversals VALUES ('ag', {REVERSAL_OF}"
INQUIRY = (
    "INSERT INTO payment_inquiries (agency_id, provider, reference, kind, payment_reference, invoice_id, subscription_id,"
    " state, asked_since) VALUES ('ag', 'stripe', 'dp_1', 'dispute', 'pi_1', 'inv:sub:2026-06-01', 'sub', 'asking', now())"
)
OPEN_STATES = ("due", "sending", "unknown", "pending", "action_required")
CLOSED_STATES = ("succeeded", "declined", "not_sent")


def again(table: str, where: str, **changed: str) -> str:
    """A statement: the one row that is found once more, some columns as other SQL says, generated ids new."""
    columns = [column.name for column in metadata.tables[table].columns if column.identity is None]
    values = ", ".join(changed.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {where} LIMIT 1"


def refused(tx: Transaction, sql: str) -> str | None:
    """The constraint that refuses a statement."""
    with pytest.raises(IntegrityError) as caught:
        tx.run(sql.replace(":", r"\:"))
    assert isinstance(caught.value.orig, psycopg.IntegrityError)
    return caught.value.orig.diag.constraint_name


KEYS = [
    # The newest fact, and every accepted revision, once.
    ("pk_agencies", again("agencies", "agency_id = 'ag'", revision="99")),
    ("pk_clients", again("clients", "agency_id = 'ag' AND client_id = 'law'", revision="99")),
    ("pk_services", again("services", "agency_id = 'ag' AND service_id = 'seo'", revision="99")),
    ("pk_payment_methods", again("payment_methods", "agency_id = 'ag' AND client_id = 'law'", revision="99")),
    ("pk_subscriptions", again("subscriptions", SUB, revision="99")),
    ("pk_service_revisions", again("service_revisions", "agency_id = 'ag' AND service_id = 'seo'", digest="'other'")),
    ("pk_subscription_revisions", again("subscription_revisions", SUB, digest="'other'")),
    # One schedule per stream, one cycle per start, one document per cycle.
    ("pk_schedules", again("schedules", f"{SUB} AND stream = 'order'", epoch="1")),
    ("pk_cycles", again("cycles", f"{SUB} AND stream = 'order'", cycle_index="99", ends_on="ends_on + 1")),
    ("pk_orders", again("orders", "order_id = 'ord:sub:2026-06-01'", cycle_starts_on="'2026-07-01'")),
    ("uq_orders_cycle", again("orders", "order_id = 'ord:sub:2026-06-01'", order_id="'second'")),
    ("pk_invoices", again("invoices", JUNE, cycle_starts_on="NULL", sequence="NULL", number="NULL")),
    ("uq_invoices_cycle", again("invoices", JUNE, invoice_id="'second'", sequence="NULL", number="NULL")),
    ("uq_invoices_sequence", again("invoices", JUNE, invoice_id="'second'", cycle_starts_on="NULL")),
    ("pk_invoice_lines", again("invoice_lines", JUNE, description="'once more'")),
    ("pk_number_series", again("number_series", "agency_id = 'ag'", next_sequence="1")),
    # Money and messages, once.
    ("pk_payments", again("payments", JUNE, amount_minor="1")),
    ("pk_unapplied_payments", f"{UNAPPLIED}, {UNAPPLIED.partition(' VALUES ')[2]}"),
    ("pk_skipped_numbers", f"{SKIPPED}, {SKIPPED.partition(' VALUES ')[2]}"),
    (
        "uq_invoices_external_number",
        again("invoices", "invoice_id = 'hand-1'", invoice_id="'x'", cycle_starts_on="NULL"),
    ),
    ("pk_charges", again("charges", JUNE, key="'other'", state="'declined'")),
    ("uq_charges_key", again("charges", JUNE, attempt="2")),
    ("pk_refunds", again("refunds", BACK, key="'other'", reference="NULL", source="'sandbox'")),
    ("uq_refunds_key", again("refunds", BACK, refund_seq="3", reference="NULL")),
    ("pk_credit_notes", again("credit_notes", BACK, sequence="99")),
    ("uq_credit_notes_sequence", f"UPDATE credit_notes SET sequence = 2 WHERE {BACK}"),
    ("pk_pay_links", f"{PAY_LINK}, {PAY_LINK.partition(' VALUES ')[2].replace('open', 'ended')}"),
    ("pk_payment_reversals", f"{REVERSAL}, {REVERSAL.partition(' VALUES ')[2].replace('100', '200')}"),
    ("pk_payment_inquiries", f"{INQUIRY}, {INQUIRY.partition(' VALUES ')[2].replace('pi_1', 'pi_2')}"),
    ("pk_notices", again("notices", "key LIKE 'series_stopped:%'", recipient="'somebody@else.example'")),
    ("uq_events_subject_seq", again("events", "subject = 'subscription/sub' AND subject_seq = 1", type="'other'")),
    ("uq_inbox_message", again("inbox", "id = 'm1'", raw="''")),
]

OWNERS = [
    # subscription → schedule, cycle → order, invoice → line, payment, charge
    ("fk_schedules_subscriptions", "UPDATE schedules SET subscription_id = 'nobody' WHERE subscription_id = 'sub'"),
    ("fk_cycles_subscriptions", again("cycles", f"{SUB} AND stream = 'order'", subscription_id="'nobody'")),
    ("fk_orders_cycles", "UPDATE orders SET cycle_starts_on = '2026-06-02' WHERE order_id = 'ord:sub:2026-06-01'"),
    ("fk_invoices_cycles", f"UPDATE invoices SET cycle_starts_on = '2026-06-02' WHERE {JUNE}"),
    ("fk_invoices_subscriptions", "UPDATE invoices SET subscription_id = 'nobody' WHERE invoice_id = 'extra'"),
    ("fk_invoice_lines_invoices", again("invoice_lines", JUNE, invoice_id="'nothing'")),
    ("fk_payments_invoices", again("payments", JUNE, invoice_id="'nothing'", reference="'other'")),
    ("fk_charges_invoices", again("charges", JUNE, invoice_id="'nothing'", key="'other'")),
    (
        "fk_refunds_payments",
        again("refunds", BACK, refund_seq="3", key="'other'", payment_reference="'none'", reference="NULL"),
    ),
    ("fk_credit_notes_refunds", again("credit_notes", BACK, refund_seq="3", sequence="99")),
    ("fk_unapplied_payments_subscriptions", UNAPPLIED.replace("'calm'", "'nobody'")),
    ("fk_pay_links_invoices", PAY_LINK.replace("inv:sub:2026-06-01", "nothing")),
    ("fk_payment_reversals_invoices", REVERSAL.replace("inv:sub:2026-06-01", "nothing")),
    ("fk_payment_inquiries_invoices", INQUIRY.replace("inv:sub:2026-06-01", "nothing")),
    # Nor does an owner go while it owns something.
    ("fk_cycles_subscriptions", f"DELETE FROM subscriptions WHERE {SUB}"),
    ("fk_invoices_cycles", f"DELETE FROM cycles WHERE {SUB} AND stream = 'invoice'"),
    ("fk_orders_cycles", f"DELETE FROM cycles WHERE {SUB} AND stream = 'order'"),
    ("fk_charges_invoices", "DELETE FROM invoices WHERE invoice_id = 'inv:poor:2026-06-01'"),
]

# (constraint, table, column): a word that no state machine and no message knows.
WORDS = [
    ("ck_agencies_backlog_known", "agencies", "backlog"),
    ("ck_agencies_hold_on_known", "agencies", "hold_on"),
    ("ck_agencies_on_exhausted_known", "agencies", "on_exhausted"),
    ("ck_services_unit_known", "services", "unit"),
    ("ck_services_order_unit_known", "services", "order_unit"),
    ("ck_services_renewal_known", "services", "renewal"),
    ("ck_subscriptions_checkout_known", "subscriptions", "checkout"),
    ("ck_subscriptions_status_known", "subscriptions", "status"),
    ("ck_subscriptions_collection_known", "subscriptions", "collection"),
    ("ck_schedules_stream_known", "schedules", "stream"),
    ("ck_schedules_unit_known", "schedules", "unit"),
    ("ck_cycles_state_known", "cycles", "state"),
    ("ck_orders_origin_known", "orders", "origin"),
    ("ck_invoices_status_known", "invoices", "status"),
    ("ck_invoices_collection_known", "invoices", "collection"),
    ("ck_invoices_origin_known", "invoices", "origin"),
    ("ck_charges_state_known", "charges", "state"),
    ("ck_charges_decline_class_known", "charges", "decline_class"),
    ("ck_refunds_state_known", "refunds", "state"),
    ("ck_refunds_origin_known", "refunds", "origin"),
    ("ck_notices_state_known", "notices", "state"),
    ("ck_notices_audience_known", "notices", "audience"),
    ("ck_notices_outcome_known", "notices", "outcome"),
    ("ck_inbox_state_known", "inbox", "state"),
]

SENSE = [
    ("ck_subscriptions_quantity_not_negative", f"UPDATE subscriptions SET quantity = -1 WHERE {SUB}"),
    ("ck_schedules_every_positive", f"UPDATE schedules SET every = 0 WHERE {SUB}"),
    ("ck_schedules_planned_from_an_anchor", f"UPDATE schedules SET anchor_on = NULL WHERE {SUB}"),
    ("ck_cycles_stream_known", again("cycles", SUB, stream="'shipment'")),
    ("ck_cycles_period_not_empty", f"UPDATE cycles SET ends_on = starts_on WHERE {SUB}"),
    ("ck_cycles_period_not_empty", f"UPDATE cycles SET ends_on = starts_on - 1 WHERE {SUB}"),
    ("ck_cycles_periods_positive", f"UPDATE cycles SET periods = 0, rhythm = 'x', state = 'skipped' WHERE {SUB}"),
    ("ck_cycles_span_is_skipped", f"UPDATE cycles SET periods = 2, rhythm = 'x' WHERE {SUB}"),
    ("ck_cycles_span_has_rhythm", f"UPDATE cycles SET periods = 2, state = 'skipped' WHERE {SUB}"),
    ("ck_cycles_span_has_rhythm", f"UPDATE cycles SET rhythm = 'x' WHERE {SUB}"),
    ("ck_orders_stream_of_orders", "UPDATE orders SET stream = 'invoice' WHERE order_id = 'ord:sub:2026-06-01'"),
    ("ck_invoices_stream_of_invoices", f"UPDATE invoices SET stream = 'order' WHERE {JUNE}"),
    ("ck_invoices_total_is_subtotal_and_tax", f"UPDATE invoices SET total_minor = total_minor + 1 WHERE {JUNE}"),
    ("ck_invoices_number_has_sequence", f"UPDATE invoices SET sequence = NULL WHERE {JUNE}"),
    ("ck_invoices_number_has_sequence", f"UPDATE invoices SET number = NULL WHERE {JUNE}"),
    ("ck_payments_amount_positive", f"UPDATE payments SET amount_minor = 0 WHERE {JUNE}"),
    ("ck_payments_amount_positive", f"UPDATE payments SET amount_minor = -1 WHERE {JUNE}"),
    ("ck_unapplied_payments_amount_positive", UNAPPLIED.replace("'pi', 1", "'pi', 0")),
    ("ck_refunds_amount_positive", f"UPDATE refunds SET amount_minor = 0 WHERE {BACK}"),
    (
        "ck_credit_notes_total_is_subtotal_and_tax",
        f"UPDATE credit_notes SET total_minor = total_minor + 1 WHERE {BACK}",
    ),
    (
        "ck_credit_notes_total_positive",
        f"UPDATE credit_notes SET total_minor = 0, subtotal_minor = 0, tax_minor = 0 WHERE {BACK}",
    ),
    ("ck_pay_links_amount_positive", PAY_LINK.replace("11900", "0")),
    ("ck_pay_links_state_known", PAY_LINK.replace("open'", "nonsense'")),
    ("ck_payment_reversals_amount_moved", REVERSAL.replace("100", "0")),
    ("ck_payment_reversals_kind_known", REVERSAL.replace("'dispute'", "'nonsense'")),
    ("ck_payment_inquiries_kind_known", INQUIRY.replace("'dispute'", "'nonsense'")),
    ("ck_payment_inquiries_state_known", INQUIRY.replace("'asking'", "'nonsense'")),
    ("ck_charges_sent_with_a_key", f"UPDATE charges SET key = NULL WHERE {JUNE}"),
    (
        "ck_rechecks_kind_known",
        "INSERT INTO rechecks (agency_id, kind, ref, effective_at) VALUES ('ag', 'x', '', now())",
    ),
    ("ck_pauses_pool_known", "INSERT INTO pauses VALUES ('ag', 'webhooks', now())"),
    ("ck_pauses_intake_for_all", "INSERT INTO pauses VALUES ('ag', 'intake', now())"),
    (
        "ck_gateway_accounts_rate_positive",
        "INSERT INTO gateway_accounts (agency_id, provider, rate_per_second) VALUES ('ag', 'sandbox', 0)",
    ),
]


def named(case: Any) -> str:
    return case if isinstance(case, str) and case.split("_")[0] in ("pk", "uq", "fk", "ck") else ""


@pytest.mark.parametrize(("constraint", "sql"), KEYS, ids=named)
def test_nothing_is_there_twice(trial: Transaction, constraint: str, sql: str) -> None:
    assert refused(trial, sql) == constraint


@pytest.mark.parametrize(("constraint", "sql"), OWNERS, ids=named)
def test_nothing_is_there_without_its_owner(trial: Transaction, constraint: str, sql: str) -> None:
    assert refused(trial, sql) == constraint


@pytest.mark.parametrize(("constraint", "table", "column"), WORDS, ids=named)
def test_an_unknown_word_is_refused(trial: Transaction, constraint: str, table: str, column: str) -> None:
    assert refused(trial, f"UPDATE {table} SET {column} = 'nonsense'") == constraint


@pytest.mark.parametrize(("constraint", "sql"), SENSE, ids=named)
def test_nonsense_is_refused(trial: Transaction, constraint: str, sql: str) -> None:
    assert refused(trial, sql) == constraint


def test_every_constraint_of_the_schema_is_tried_here() -> None:
    """A new constraint comes with a statement that it refuses; tables that only the program's own workings use are left."""
    tried = {case[0] for case in (*KEYS, *OWNERS, *WORDS, *SENSE)}
    inner = {
        "pk_events",
        "pk_inbox",
        "pk_rechecks",
        "pk_refused_events",
        "pk_heartbeats",
        "pk_sandbox_ledger",
        "pk_pauses",
        "pk_clock_jumps",
        "pk_deployment",
        "ck_deployment_only_one",
        "pk_gateway_accounts",
        "pk_unproven_webhooks",
        "uq_unproven_webhooks_delivery",
    }
    schema = {str(constraint.name) for table in metadata.tables.values() for constraint in table.constraints}
    assert schema - tried - inner == set()


@pytest.mark.parametrize("state", OPEN_STATES)
@pytest.mark.parametrize("second", OPEN_STATES)
def test_an_invoice_has_one_open_charge(trial: Transaction, state: str, second: str) -> None:
    """Whatever the open one is doing, no other attempt is planned or under way."""
    with unguarded(trial):
        trial.run(f"UPDATE charges SET state = '{state}', key = 'first' WHERE {FAILING}".replace(":", r"\:"))
    sql = again("charges", FAILING, attempt="7", state=f"'{second}'", key="'second'")
    assert refused(trial, sql) == "uq_charges_one_open"


@pytest.mark.parametrize("state", CLOSED_STATES)
def test_what_happened_is_recorded_beside_the_open_charge(trial: Transaction, state: str) -> None:
    """The guard restricts intent, not the record: a closed attempt beside the open one is accepted."""
    sql = again("charges", FAILING, attempt="7", state=f"'{state}'", key="'second'")
    assert trial.run(sql.replace(":", r"\:")) == 1


@pytest.mark.parametrize(
    "sql",
    [
        again(
            "orders", "order_id = 'ord:sub:2026-06-01'", agency_id="'b'", subscription_id="'other'", order_id="'mine'"
        ),
        again("payments", JUNE, agency_id="'b'", invoice_id="'extra'"),
        again("charges", JUNE, agency_id="'b'", invoice_id="'extra'"),
        again("invoices", JUNE, invoice_id="'x'", cycle_starts_on="NULL", sequence="8", number="'00008'"),
        again("payments", JUNE, source="'upstream'"),
        again("payments", JUNE, invoice_id="'inv:poor:2026-06-01'"),
        again("inbox", "id = 'm1'", agency_id="'b'"),
        again("inbox", "id = 'm1'", state="'rejected'", raw="''"),
        again("payments", JUNE, reference="'other'"),
    ],
)
def test_keys_are_no_wider_than_they_say(trial: Transaction, sql: str) -> None:
    """Another agency may use the same ids, and an invoice outside the series is no second one of its cycle."""
    trial.run("DELETE FROM orders WHERE agency_id = 'b'")
    assert trial.run(sql.replace(":", r"\:")) == 1
