"""What a plant is, and those that break the records of money that goes back."""

# ruff: noqa: S608 - every part of every statement is a literal of this file

from typing import NamedTuple

REFUNDED = "agency_id = 'ag' AND invoice_id = 'inv:sub:2026-07-01' AND refund_seq = 1"


class Plant(NamedTuple):
    """Statements that break one invariant, and what each row it finds must say. `also`: what can't but break with it."""

    invariant: str
    sql: tuple[str, ...]
    keys: dict[str, object]
    rows: int
    also: tuple[str, ...]


def plant(invariant: str, *sql: str, rows: int = 1, also: tuple[str, ...] = (), **keys: object) -> Plant:
    return Plant(invariant, sql, keys, rows, also)


LINK = (
    "INSERT INTO pay_links (agency_id, invoice_id, link_seq, subscription_id, provider, key, amount_minor, currency, state,"
    " opened_at, expires_at, wake_at) VALUES ('ag', 'inv:sub:2026-06-01', 1, 'sub', 'stripe', 'k', 1, 'EUR', "
)
INQUIRY = (
    "INSERT INTO payment_inquiries (agency_id, provider, reference, kind, payment_reference, invoice_id, subscription_id,"
    " state, asked_since, wake_at) VALUES ('ag', 'stripe', 'dp_1', 'dispute', 'pi_1', 'inv:sub:2026-06-01', 'sub', "
)


def reversal(amount: int, invoice: str = "inv:sub:2026-07-01", reference: str = "p.reference") -> str:
    """A statement: so much of the payment of an invoice was taken back."""
    return (
        "INSERT INTO payment_reversals SELECT i.agency_id, 'sandbox', 'dp_1', i.invoice_id, 1,"
        f" {reference}, {amount}, 'EUR', 'dispute', now() FROM invoices AS i"
        " LEFT JOIN payments AS p ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id"
        f" WHERE i.agency_id = 'ag' AND i.invoice_id = '{invoice}'"
    )


REFUND_PLANTS = (
    plant("due_rows_wake", f"{INQUIRY}'asking', now(), NULL)", kind="inquiry", state="asking"),
    *(
        plant("ended_rows_sleep", f"{INQUIRY}'{state}', now(), now())", kind="inquiry", state=state)
        for state in ("answered", "unanswered")
    ),
    plant(
        "no_more_goes_back_than_came_in",
        reversal(10401),
        refunded_minor=1500,
        reversed_minor=10401,
        also=("paid_means_payments_reach_the_total",),
    ),
    plant(
        "what_goes_back_came_in",
        reversal(1, "inv:poor:2026-06-01", "'nothing'"),
        what="reversal",
        payment_reference="nothing",
    ),
    plant("no_more_comes_back_than_was_taken", reversal(-1), reversed_minor=-1),
    plant("paid_means_payments_reach_the_total", reversal(1, "inv:sub:2026-06-01"), received_minor=11899),
    *(
        plant(
            "due_rows_wake",
            f"UPDATE refunds SET state = '{state}' WHERE {REFUNDED}",
            kind="refund",
            state=state,
            also=("credit_notes_stand_for_refunds",),
        )
        for state in ("due", "sending", "unknown", "pending")
    ),
    *(
        plant("due_rows_wake", f"{LINK}'{state}', now(), now(), NULL)", kind="link", state=state)
        for state in ("opening", "open", "paying")
    ),
    plant("ended_rows_sleep", f"UPDATE refunds SET wake_at = now() WHERE {REFUNDED}", kind="refund", state="succeeded"),
    *(
        plant("ended_rows_sleep", f"{LINK}'{state}', now(), now(), now())", kind="link", state=state)
        for state in ("paid", "ended")
    ),
    plant(
        "no_more_goes_back_than_came_in",
        f"UPDATE refunds SET amount_minor = 11901 WHERE {REFUNDED}",
        amount_minor=11900,
        refunded_minor=12401,
    ),
    plant(
        "no_more_goes_back_than_came_in",
        f"UPDATE refunds SET currency = 'USD' WHERE {REFUNDED}",
        refunded_minor=1500,
        also=("credit_notes_stand_for_refunds",),
    ),
    plant(
        "credit_notes_stand_for_refunds",
        f"UPDATE refunds SET state = 'failed' WHERE {REFUNDED}",
        state="failed",
    ),
    plant(
        "credit_notes_stand_for_refunds",
        f"UPDATE refunds SET amount_minor = 999 WHERE {REFUNDED}",
        refunded_minor=999,
        total_minor=1000,
    ),
    plant(
        "credit_notes_stand_for_refunds",
        f"UPDATE credit_notes SET subtotal_minor = subtotal_minor - 1, tax_minor = tax_minor + 1 WHERE {REFUNDED}",
        invoice_id="inv:sub:2026-07-01",
    ),
    plant(
        "no_more_is_credited_than_invoiced",
        f"UPDATE credit_notes SET total_minor = 11901, subtotal_minor = 11901 - tax_minor WHERE {REFUNDED}",
        credited_minor=12401,
        also=("credit_notes_stand_for_refunds",),
    ),
    plant(
        "credit_notes_without_gap",
        f"UPDATE credit_notes SET sequence = 7 WHERE {REFUNDED}",
        numbered=2,
        first_wrong_sequence=1,
    ),
    plant(
        "credit_notes_without_gap",
        "UPDATE number_series SET next_sequence = 9 WHERE kind = 'credit_note'",
        next_sequence=9,
    ),
)
