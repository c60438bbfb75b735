"""A row that breaks the claim for good: put aside until somebody looks, with the reason, without any call."""

from datetime import timedelta

from shared.store import charges
from shared.store.locks import lock_subscriptions
from shared.store.transaction import Tx
from workers.charges.claim import subscriptions_of

PARKED_FOR = timedelta(hours=6)


def park(tx: Tx, agency_id: str, invoice_id: str, what: str) -> None:
    """Leave the invoice's open attempt with what went wrong; it is looked at again after six hours."""
    of = subscriptions_of(tx, agency_id, [invoice_id])
    lock_subscriptions(tx, [(agency_id, id_) for id_ in of.values()], wait=True)
    parked = [
        charge._replace(
            code=f"data_error: {what}"[:200], wake_at=tx.as_of + PARKED_FOR, planned_at=tx.as_of + PARKED_FOR
        )
        for charge in charges.open_of(tx, agency_id, [invoice_id])
        if charge.state == "due"
    ]
    charges.write(tx, agency_id, parked)
