"""Statements that break a promise about what upstream told: money, numbers, and moments."""

# ruff: noqa: S608 - every part of every statement is a literal of this file

from tests.store.refund_plants import plant

OPEN_INVOICE = "invoice_id = 'inv:hand:2026-07-03'"
CHECKOUT = """initial_payment = '{"provider": "stripe", "reference": "pi", "amount_minor": 1, "currency": "EUR"}'"""
UNAPPLIED = """INSERT INTO unapplied_payments VALUES ('ag', 'calm', 'stripe', 'pi', 1, 'EUR', 'paused', now(), now())"""
VOIDED = "agency_id = 'ag' AND invoice_id = 'inv:mild:2026-06-01'"
AGAIN = """INSERT INTO invoices (agency_id, invoice_id, subscription_id, client_id, cycle_starts_on, cycle_ends_on,
    cycle_index, status, collection, origin, issued_on, issued_at, due_on, currency, subtotal_minor, tax_minor,
    total_minor, taxes, snapshot) SELECT agency_id, 'again', subscription_id, client_id, cycle_starts_on, cycle_ends_on,
    cycle_index, 'paid', collection, origin, issued_on, issued_at, due_on, currency, 0, 0, 0, '[]', snapshot FROM invoices"""

EDGE_PLANTS = (
    plant(
        "one_document_per_number",
        f"UPDATE invoices SET number = NULL, sequence = NULL, external_number = '00002' WHERE {OPEN_INVOICE}",
        "INSERT INTO skipped_numbers VALUES ('ag', 'invoice', 6, '00002', now())",
        agency_id="ag",
        number="00002",
        documents=2,
    ),
    plant(
        "skipped_numbers_are_taken",
        "INSERT INTO skipped_numbers VALUES ('ag', 'invoice', 7, '00007', now())",
        "UPDATE number_series SET next_sequence = 8 WHERE kind = 'invoice' AND agency_id = 'ag'",
        sequence=7,
        number="00007",
    ),
    plant(
        "told_payments_are_recorded",
        "UPDATE payments SET reference = 'other' WHERE invoice_id = 'hand-1'",
        source="/portal",
        reference="transfer-1",
    ),
    plant(
        "initial_payments_are_recorded",
        f"UPDATE subscriptions SET {CHECKOUT} WHERE subscription_id = 'sub'",
        state="done",
    ),
    plant(
        "initial_payments_are_recorded",
        UNAPPLIED,
        f"UPDATE subscriptions SET {CHECKOUT} WHERE subscription_id = 'calm'",
        "UPDATE unapplied_payments SET reference = 'other'",
        subscription_id="calm",
        reference="pi",
        state="skipped",
    ),
    plant(
        "open_invoices_are_collected",
        f"UPDATE invoices SET collection = 'automatic' WHERE {OPEN_INVOICE}",
        invoice_id="inv:hand:2026-07-03",
        received_minor=0,
    ),
    plant(
        "open_invoices_are_collected",
        f"UPDATE invoices SET collection = 'automatic' WHERE {OPEN_INVOICE}",
        "INSERT INTO payments VALUES ('ag', 'sandbox', 'part', 'inv:hand:2026-07-03', 11899, 'EUR', now(), now())",
        received_minor=11899,
    ),
    plant(
        "open_invoices_are_collected",
        f"UPDATE invoices SET collection = 'automatic' WHERE {OPEN_INVOICE}",
        "INSERT INTO payments VALUES ('ag', 'sandbox', 'all', 'inv:hand:2026-07-03', 11900, 'EUR', now(), now())",
        "INSERT INTO payment_reversals VALUES"
        " ('ag', 'sandbox', 'dp', 'inv:hand:2026-07-03', 1, 'all', 11900, 'EUR', 'dispute', now())",
        received_minor=0,
    ),
    plant(
        "paid_periods_are_delivered",
        "UPDATE cycles SET state = 'waiting', reason = 'invoice_unpaid', order_id = NULL, wake_at = now()"
        " WHERE subscription_id = 'sub' AND stream = 'order' AND starts_on = '2026-07-01'",
        "DELETE FROM orders WHERE order_id = 'ord:sub:2026-07-01'",
        invoice_id="inv:sub:2026-07-01",
    ),
    *(
        plant(
            "facts_are_not_of_the_future",
            f"UPDATE {table} SET effective_at = '2036-01-01' WHERE agency_id = 'b'",
            fact=fact,
        )
        for table, fact in (
            ("agencies", "agency"),
            ("clients", "client"),
            ("service_revisions", "service"),
            ("payment_methods", "payment method"),
            ("subscription_revisions", "subscription"),
        )
    ),
)
