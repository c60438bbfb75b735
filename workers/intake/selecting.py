"""Which invoice a message speaks of."""

from shared.domain.keys import sequences_of
from shared.messages import InvoiceSelector
from shared.store import invoices
from shared.store.invoices import Invoice
from shared.store.locks import lock_subscriptions
from shared.store.transaction import Tx
from workers.intake.verdicts import Refused, Waits


def select(tx: Tx, data: InvoiceSelector) -> Invoice | Waits | Refused:
    """The invoice, with its subscription locked; or what the message has to wait for.

    A number that one of our invoices and one given by upstream share names neither: the id has to say which.
    """
    agency_id = data.agency_id
    if data.invoice_id is not None:
        ids, awaited = [data.invoice_id], f"invoice/{data.invoice_id}"
    elif data.number is not None:
        ids = invoices.by_number(tx, agency_id, data.number, sequences_of(data.number))
        awaited = f"invoice-number/{data.number}"
    elif data.subscription_id is not None and data.period_starts_on is not None:
        ids = invoices.by_period(tx, agency_id, data.subscription_id, data.period_starts_on)
        awaited = f"invoice-period/{data.subscription_id}/{data.period_starts_on.isoformat()}"
    else:
        return Refused("data.invoice_id", "say which invoice: invoice_id, or number, or subscription_id and period")
    if len(ids) > 1:
        return Refused("data.number", "two invoices carry this number; send invoice_id instead")
    of = invoices.subscriptions_of(tx, agency_id, ids)
    if not of:
        return Waits(awaited)
    lock_subscriptions(tx, [(agency_id, subscription_id) for subscription_id in of.values()], wait=True)
    return next(iter(invoices.load(tx, agency_id, list(of)).values()))
