"""A row that makes the claim fail for good: set aside until a person decides, with the reason, without any call."""

from datetime import timedelta

from shared.domain import charging
from shared.store import charges
from shared.store.database import Transaction
from shared.store.locked_invoices import lock_invoices

PARKED_FOR = timedelta(hours=6)


def park(tx: Transaction, agency_id: str, invoice_id: str, what: str) -> None:
    """Leave the invoice's open attempt with what went wrong; it is looked at again after six hours."""
    lock_invoices(tx, agency_id, [invoice_id])
    parked = [
        charging.postponed(charge, tx.as_of + PARKED_FOR, code=f"data_error: {what}"[:200])
        for charge in charges.open_of(tx, agency_id, [invoice_id])
        if charge.state == "due"
    ]
    charges.write(tx, agency_id, parked)
