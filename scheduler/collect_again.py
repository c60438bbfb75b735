"""A client gave a new payment method, or one worked: open failing invoices are tried again at once, oldest first."""

from collections.abc import Sequence

from shared.domain.dunning import Method, choose
from shared.domain.states import CHARGE_IN_FLIGHT
from shared.store import charges, facts, invoices
from shared.store.charges import Charge, NewCharge
from shared.store.invoices import Failing, Invoice
from shared.store.rechecks import Recheck
from shared.store.transaction import Tx

SUPERSEDED = "superseded_by_new_method"


def collect_again(tx: Tx, found: Recheck, subscription_ids: Sequence[str]) -> None:
    """Move the planned attempt of each open failing invoice of a client forward to now; plan one where none is left.

    A new payment method starts a new ladder. One that worked gives the others on it one more attempt on their old ladder.
    An attempt in flight is left alone: its settlement looks for a newer method itself.
    """
    agency_id, client_id = found.agency_id, found.ref
    method = choose(facts.payment_methods(tx, agency_id, [client_id]).get(client_id, ()))
    ids = charges.failing_of_client(tx, agency_id, client_id, subscription_ids)
    if method is None or not ids:
        return
    loaded = invoices.load(tx, agency_id, ids)
    latest = charges.latest_of(tx, agency_id, ids)
    fresh = found.kind == "payment_method"
    # What was given up, or taken back, waits for a reason of its own: that another invoice was paid is none.
    asked = [id_ for id_ in ids if fresh or loaded[id_].exhausted_at is None]
    chosen = [id_ for id_ in asked if _wanted(latest[id_], method, fresh=fresh)]
    charges.write(tx, agency_id, [again for id_ in chosen for again in _moved(tx, latest[id_])])
    charges.plan(tx, agency_id, [new for id_ in chosen for new in _added(tx, loaded[id_], latest[id_])])
    if fresh:
        invoices.mark_failing(tx, agency_id, [_new_ladder(loaded[id_], latest[id_]) for id_ in chosen])


def _wanted(latest: Charge, method: Method, *, fresh: bool) -> bool:
    if latest.state in CHARGE_IN_FLIGHT:
        return False
    used = (latest.payment_method_id, latest.method_revision)
    if fresh:
        return used != (method.payment_method_id, method.revision) or latest.state == "due"
    return latest.state != "action_required" and latest.payment_method_id in (None, method.payment_method_id)


def _moved(tx: Tx, latest: Charge) -> list[Charge]:
    """The planned attempt, now; or an attempt that waited for the customer, ended."""
    if latest.state == "due":
        return [latest._replace(planned_at=tx.as_of, wake_at=tx.as_of)]
    if latest.state == "action_required":
        return [latest._replace(state="declined", code=SUPERSEDED, wake_at=None, settled_at=tx.as_of)]
    return []


def _added(tx: Tx, invoice: Invoice, latest: Charge) -> list[NewCharge]:
    if latest.state == "due":
        return []
    attempt = latest.attempt + 1
    of = (invoice.subscription_id, invoice.client_id, invoice.currency)
    return [NewCharge(invoice.invoice_id, attempt, *of, tx.as_of)]


def _new_ladder(invoice: Invoice, latest: Charge) -> Failing:
    return Failing(invoice.invoice_id, invoice.failing_since, latest.code, None, invoice.ladder + 1, None)
