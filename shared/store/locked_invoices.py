"""Invoices whose subscriptions are locked: the one way to an invoice that somebody decides about."""

from collections.abc import Collection, Mapping

from shared.store import invoices
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locks import lock_of_agency


def lock_invoices(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, str]:
    """Lock the subscriptions of these invoices, and return them by invoice. Unknown ids are left out."""
    of = invoices.subscriptions_of(tx, agency_id, ids)
    lock_of_agency(tx, agency_id, of.values(), wait=True)
    return of


def locked_invoices(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, Invoice]:
    """These invoices as they are under the lock, by id. Unknown ids are left out."""
    return load_locked(tx, agency_id, invoices.subscriptions_of(tx, agency_id, ids))


def load_locked(tx: Transaction, agency_id: str, of: Mapping[str, str]) -> dict[str, Invoice]:
    """The same of invoices whose subscriptions are known. `of`: as `subscriptions_of` gives them."""
    lock_of_agency(tx, agency_id, of.values(), wait=True)
    return invoices.load(tx, agency_id, of) if of else {}
