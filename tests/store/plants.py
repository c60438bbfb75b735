"""Statements that break the healthy ledger: for every invariant what it has to find, by the keys of the row."""

# ruff: noqa: S608 - every part of every statement is a literal of this file

from tests.store.edge_plants import EDGE_PLANTS
from tests.store.refund_plants import REFUND_PLANTS, plant

CHARGE = "INSERT INTO charges (agency_id, invoice_id, attempt, subscription_id, client_id, state, key, amount_minor,"
CHARGE += " currency, provider, planned_at, sent_at, settled_at, decline_class, reference) VALUES ('ag', "
PAYMENT = "INSERT INTO payments VALUES ('ag', 'sandbox', 'twice', 'inv:sub:2026-06-01', 11900, 'EUR', now(), now())"
VOID = "UPDATE invoices SET status = 'void', failing_since = NULL WHERE invoice_id = 'inv:poor:2026-06-01'"


def cycle(subscription: str, stream: str, month: int) -> str:
    return f"subscription_id = '{subscription}' AND stream = '{stream}' AND starts_on = '2026-{month:02}-01'"


def succeeded(attempt: int, amount_minor: int, sent: str, settled: str, decline_class: str = "NULL") -> tuple[str, str]:
    """Statements: one more successful charge of sub's invoice of June, with its payment."""
    values = f"'inv:sub:2026-06-01', {attempt}, 'sub', 'law', 'succeeded', 'key-{attempt}', {amount_minor}, 'EUR',"
    values += f" 'sandbox', '{sent}', '{sent}', '{settled}', {decline_class}, 'again-{attempt}')"
    paid = (
        f"INSERT INTO payments VALUES ('ag', 'sandbox', 'again-{attempt}', 'inv:sub:2026-06-01', {amount_minor}, 'EUR',"
    )
    return CHARGE + values, f"{paid} '{settled}', '{settled}')"


OPEN_INVOICE = "invoice_id = 'inv:hand:2026-07-03'"
PAID_INVOICE = "agency_id = 'ag' AND invoice_id = 'inv:sub:2026-06-01'"
DUE_CHARGE = "invoice_id = 'inv:poor:2026-07-01' AND attempt = 6"
TWIN_ORDER = """INSERT INTO orders (agency_id, order_id, subscription_id, cycle_starts_on, cycle_ends_on, client_id,
    service_id, quantity, origin, created_at, snapshot) SELECT agency_id, 'twin', subscription_id, cycle_starts_on,
    cycle_ends_on, client_id, service_id, quantity, origin, created_at, snapshot FROM orders
    WHERE order_id = 'ord:sub:2026-06-01'"""
TWIN_INVOICE = """INSERT INTO invoices (agency_id, invoice_id, subscription_id, client_id, cycle_starts_on, cycle_ends_on,
    cycle_index, status, collection, origin, issued_on, issued_at, due_on, currency, subtotal_minor, tax_minor,
    total_minor, taxes, snapshot) SELECT agency_id, 'twin', subscription_id, client_id, cycle_starts_on, cycle_ends_on,
    cycle_index, 'void', collection, origin, issued_on, issued_at, due_on, currency, 0, 0, 0, '[]', snapshot
    FROM invoices WHERE invoice_id = 'inv:sub:2026-06-01'"""
LATE = "INSERT INTO events (agency_id, type, subject, subject_seq, at, data) VALUES ('ag', 'cycle.released_late',"
LATE += " 'subscription/new', 1, now(), '{}')"

PLANTS = (
    plant(
        "periods_do_not_overlap",
        f"UPDATE cycles SET ends_on = '2026-07-02' WHERE {cycle('sub', 'order', 6)}",
        subscription_id="sub",
        stream="order",
    ),
    plant(
        "no_missing_cycle",
        "UPDATE schedules SET next_index = 3 WHERE subscription_id = 'sub' AND stream = 'order'",
        subscription_id="sub",
        next_index=3,
        cycles=2,
    ),
    plant("no_missing_cycle", f"DELETE FROM cycles WHERE {cycle('audit', 'order', 6)}", first_wrong_index=0, cycles=1),
    plant(
        "no_missing_cycle",
        f"UPDATE cycles SET cycle_index = 0 WHERE {cycle('audit', 'order', 7)}",
        first_wrong_index=1,
        cycles=2,
    ),
    plant("no_missing_cycle", "DELETE FROM schedules WHERE subscription_id = 'calm'", rows=2, cycles=2),
    *(
        plant(
            "due_rows_wake",
            f"UPDATE cycles SET state = '{state}', wake_at = NULL WHERE {cycle('poor', 'order', 6)}",
            kind="cycle",
            id="poor order 2026-06-01",
            state=state,
        )
        for state in ("due", "waiting", "held", "blocked")
    ),
    *(
        plant(
            "due_rows_wake",
            f"UPDATE charges SET state = '{state}', key = 'k', wake_at = NULL WHERE {DUE_CHARGE}",
            kind="charge",
            id="inv:poor:2026-07-01 6",
            state=state,
        )
        for state in ("due", "sending", "unknown", "pending", "action_required")
    ),
    plant("due_rows_wake", "UPDATE notices SET state = 'due' WHERE key LIKE 'series_stopped:%'", kind="notice"),
    plant("ended_rows_sleep", f"UPDATE cycles SET wake_at = now() WHERE {cycle('sub', 'order', 6)}", kind="cycle"),
    plant("ended_rows_sleep", "UPDATE charges SET wake_at = now() WHERE state = 'declined'", rows=12, kind="charge"),
    plant("ended_rows_sleep", "UPDATE notices SET wake_at = now() WHERE key LIKE 'series_stopped:%'", kind="notice"),
    plant("ended_rows_sleep", "UPDATE inbox SET wake_at = now() WHERE id = 'm1'", kind="message", id="/portal m1"),
    *(
        plant(
            "ends_say_why",
            f"UPDATE cycles SET state = '{state}', reason = {reason} WHERE {cycle('calm', 'order', 6)}",
            f"UPDATE cycles SET {names} WHERE {cycle('calm', 'order', 6)}",
            subscription_id="calm",
            state=state,
        )
        for state, reason, names in (
            ("skipped", "NULL", "wake_at = NULL"),
            ("cancelled", "''", "wake_at = NULL"),
            ("blocked", "NULL", "wake_at = now()"),
            ("waiting", "NULL", "wake_at = now()"),
        )
    ),
    plant("ends_say_why", f"UPDATE cycles SET reason = NULL WHERE {cycle('poor', 'order', 6)}", state="held"),
    *(
        plant(
            "unsent_notices_say_why",
            f"UPDATE notices SET state = '{state}', reason = {reason} WHERE key LIKE 'series_stopped:%'",
            state=state,
        )
        for state, reason in (("failed", "NULL"), ("skipped", "''"))
    ),
    *(
        plant(
            "held_by_an_unresolved_invoice",
            f"UPDATE cycles SET {names} WHERE {cycle('poor', 'order', 6)}",
            subscription_id="poor",
            stream="order",
        )
        for names in (
            "blocking_starts_on = NULL, blocking_invoice_id = NULL",
            "blocking_starts_on = '2026-05-01', blocking_invoice_id = NULL",
            "blocking_starts_on = NULL",  # it lies in the series, so its cycle has to be named
            "blocking_invoice_id = 'inv:sub:2026-06-01'",  # another subscription's
            "blocking_invoice_id = 'inv:poor:2026-07-01'",  # not the invoice of the cycle named beside it
        )
    ),
    plant("held_by_an_unresolved_invoice", VOID, rows=2, subscription_id="poor"),
    plant("no_late_release", LATE, subject="subscription/new", subject_seq=1),
    plant(
        "waiting_events_go_out",
        "UPDATE events SET waits = true WHERE subject = 'subscription/sub' AND subject_seq = 2",
        subject="subscription/sub",
        subject_seq=2,
    ),
    *(
        plant("events_without_gap", sql, subject="subscription/sub", first_wrong_seq=wrong)
        for wrong, sql in (
            (1, "DELETE FROM events WHERE subject = 'subscription/sub' AND subject_seq = 1"),
            (4, "DELETE FROM events WHERE subject = 'subscription/sub' AND subject_seq = 4"),
        )
    ),
    plant(
        "events_without_gap",
        "ALTER TABLE events DROP CONSTRAINT uq_events_subject_seq",
        "UPDATE events SET subject_seq = 9 WHERE subject = 'subscription/sub' AND subject_seq = 10",
        first_wrong_seq=10,
    ),
    plant(
        "one_document_per_cycle",
        "ALTER TABLE orders DROP CONSTRAINT uq_orders_cycle",
        TWIN_ORDER,
        also=("documents_end_their_cycle",),
        document="order",
        documents=2,
    ),
    plant(
        "one_document_per_cycle",
        "ALTER TABLE invoices DROP CONSTRAINT uq_invoices_cycle",
        TWIN_INVOICE,
        document="invoice",
        subscription_id="sub",
        documents=2,
    ),
    plant("done_cycles_have_a_document", "DELETE FROM orders WHERE order_id = 'ord:sub:2026-07-01'", stream="order"),
    plant(
        "done_cycles_have_a_document",
        "DELETE FROM payments WHERE invoice_id = 'hand-1'",
        "DELETE FROM invoice_lines WHERE invoice_id = 'hand-1'",
        "DELETE FROM invoices WHERE invoice_id = 'hand-1'",
        also=("told_payments_are_recorded",),
        subscription_id="hand",
        stream="invoice",
    ),
    *(
        plant(
            "documents_end_their_cycle",
            f"UPDATE cycles SET state = 'skipped', reason = 'paused' WHERE {cycle('sub', stream, 6)}",
            document=stream,
            state="skipped",
        )
        for stream in ("order", "invoice")
    ),
    *(
        plant("totals_add_up", *sql, invoice_id="inv:hand:2026-07-03")
        for sql in (
            (f"UPDATE invoice_lines SET net_minor = 9999 WHERE {OPEN_INVOICE}",),
            (f"DELETE FROM invoice_lines WHERE {OPEN_INVOICE}",),
            (f"""UPDATE invoices SET taxes = '[{{"tax_minor": 1899}}]' WHERE {OPEN_INVOICE}""",),
            (f"""UPDATE invoices SET taxes = '[{{"tax_minor": "1900"}}]' WHERE {OPEN_INVOICE}""",),
            (f"UPDATE invoices SET taxes = 'null' WHERE {OPEN_INVOICE}",),
            (
                "ALTER TABLE invoices DROP CONSTRAINT ck_invoices_total_is_subtotal_and_tax",
                f"UPDATE invoices SET total_minor = 11901 WHERE {OPEN_INVOICE}",
            ),
        )
    ),
    plant(
        "numbers_without_gap",
        f"UPDATE invoices SET sequence = 8, number = '00008' WHERE {OPEN_INVOICE}",
        "UPDATE number_series SET next_sequence = 9 WHERE kind = 'invoice' AND agency_id = 'ag'",
        agency_id="ag",
        first_wrong_sequence=6,
    ),
    plant(
        "numbers_without_gap",
        "ALTER TABLE invoices DROP CONSTRAINT uq_invoices_sequence",
        f"UPDATE invoices SET sequence = 5, number = '00005' WHERE {OPEN_INVOICE}",
        also=("one_document_per_number",),
        agency_id="ag",
        first_wrong_sequence=6,
    ),
    plant("numbers_without_gap", "UPDATE number_series SET next_sequence = 5 WHERE agency_id = 'b'", next_sequence=5),
    plant("numbers_without_gap", "DELETE FROM number_series WHERE agency_id = 'b'", agency_id="b", numbered=3),
    *(
        plant(
            "numbers_end_in_their_sequence", f"UPDATE invoices SET number = '{number}' WHERE {OPEN_INVOICE}", sequence=6
        )
        for number in ("00007", "000061", "6", "N-")
    ),
    plant(
        "paid_means_payments_reach_the_total",
        f"UPDATE invoices SET status = 'paid' WHERE {OPEN_INVOICE}",
        status="paid",
    ),
    plant(
        "paid_means_payments_reach_the_total",
        "DELETE FROM payments WHERE invoice_id = 'hand-1'",
        also=("told_payments_are_recorded",),
        received_minor=0,
    ),
    *(
        plant(
            "paid_means_payments_reach_the_total",
            f"UPDATE invoices SET status = '{status}' WHERE invoice_id = 'hand-1'",
            status=status,
        )
        for status in ("open", "uncollectible")
    ),
    plant(
        "paid_means_payments_reach_the_total",
        "UPDATE payments SET currency = 'USD' WHERE invoice_id = 'hand-1'",
        invoice_id="hand-1",
    ),
    plant(
        "nobody_is_charged_twice",
        *succeeded(2, 1, "2026-06-02", "2026-06-02"),
        invoice_id="inv:sub:2026-06-01",
        attempt=2,
        earlier_minor=11900,
    ),
    plant(
        "nobody_is_charged_twice",
        f"UPDATE charges SET amount_minor = 11901 WHERE {PAID_INVOICE}",
        f"UPDATE payments SET amount_minor = 11901 WHERE {PAID_INVOICE}",
        attempt=1,
        earlier_minor=0,
    ),
    *(
        plant("every_success_is_a_payment", f"UPDATE {sql}", invoice_id="inv:sub:2026-06-01", attempt=1)
        for sql in (
            f"payments SET reference = 'other' WHERE {PAID_INVOICE}",
            f"payments SET amount_minor = 11901 WHERE {PAID_INVOICE}",
            f"charges SET reference = NULL WHERE {PAID_INVOICE}",
        )
    ),
    *(
        plant(
            "nothing_is_collected_after_the_end",
            f"{CHARGE}'{invoice}', 9, 'x', 'law', '{state}', 'k', 1, 'EUR', 'sandbox', now(), NULL, NULL, NULL, NULL)",
            "UPDATE charges SET wake_at = now() WHERE attempt = 9",
            invoice_id=invoice,
            state=state,
        )
        for invoice in ("inv:sub:2026-06-01", "inv:mild:2026-06-01")
        for state in ("due", "action_required")
    ),
    *(
        plant(
            "nothing_is_collected_after_the_end",
            f"{CHARGE}'{invoice}', 9, 'x', 'law', '{state}', 'k', 1, 'EUR', 'sandbox', now(), NULL, NULL, NULL, NULL)",
            "UPDATE charges SET wake_at = now(), once = true WHERE attempt = 9",
            invoice_id=invoice,
            state=state,
        )
        for invoice, state in (("inv:sub:2026-06-01", "due"), ("inv:mild:2026-06-01", "action_required"))
    ),
    *REFUND_PLANTS,
    *EDGE_PLANTS,
    *(
        plant("resolved_invoices_do_not_fail", f"UPDATE invoices SET failing_since = now() WHERE invoice_id = '{id_}'")
        for id_ in ("inv:sub:2026-06-01", "inv:mild:2026-06-01")
    ),
)
