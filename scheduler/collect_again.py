"""A client asked for a payment method to be used, or one worked: open failing invoices are tried again at once, oldest first.

Of the invoices that a method was not tried for yet, the oldest comes first; its answer lets the next one follow, so that a
method which is dead is called once. An attempt in flight is left alone: its settlement checks for a newer method itself.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.billing.reversed_payments import CODE
from shared.domain import charging
from shared.domain.charging import Charge, NewCharge
from shared.domain.declines import CUSTOMER
from shared.domain.dunning import (
    DECLINES_MAX,
    DECLINES_WINDOW,
    NO_METHOD,
    Method,
    Tried,
    asked_for_since,
    choose,
)
from shared.domain.refusals import UNPAYABLE
from shared.domain.states import CHARGE_IN_FLIGHT
from shared.store import charges, collection, facts, invoices
from shared.store.collection import Declines
from shared.store.database import Transaction
from shared.store.invoices import Failing, Invoice
from shared.store.rechecks import Recheck

SUPERSEDED = "superseded_by_new_method"


class _Client(NamedTuple):
    """A client's failing invoices, oldest first, each with its latest attempt (if there was any) and those that went out."""

    methods: Sequence[Method]
    invoices: Mapping[str, Invoice]
    latest: Mapping[str, Charge]
    tried: Mapping[str, Sequence[Tried]]
    declines: Mapping[tuple[str, int, str], Declines]


def collect_again(tx: Transaction, found: Recheck, subscription_ids: Sequence[str]) -> None:
    """Move the planned attempt of failing invoices of a client forward to now; plan one where none is left.

    A method that was asked for starts a new ladder. One that worked gives the invoices whose last attempt was on it one more
    attempt on their old ladder, and none to those whose client was notified that it is over.
    """
    agency_id, client_id = found.agency_id, found.ref
    failing = collection.failing_of_client(tx, agency_id, client_id)
    methods = facts.payment_methods(tx, agency_id, [client_id]).get(client_id, ())
    if not failing or not any(method.usable for method in methods):
        return
    client = _read(tx, agency_id, list(failing), methods)
    next_up = _next_invoice(tx, client)
    locked = set(subscription_ids)
    worked = [id_ for id_ in client.invoices if id_ != next_up and _worked(client, id_, found)]
    asked = [next_up] if next_up is not None and failing[next_up] in locked else []
    chosen = [*asked, *(id_ for id_ in worked if failing[id_] in locked)]
    charges.write(tx, agency_id, [again for id_ in chosen for again in _moved(tx, client.latest.get(id_))])
    charges.insert(tx, agency_id, [new for id_ in chosen for new in _added(tx, client, id_)])
    ladders = [each for id_ in asked for each in _new_ladder(client.invoices[id_], client, id_)]
    invoices.mark_failing(tx, agency_id, ladders)


def _read(tx: Transaction, agency_id: str, ids: Sequence[str], methods: Sequence[Method]) -> _Client:
    loaded = invoices.load(tx, agency_id, ids)
    credentials = {method.credential for method in methods}
    return _Client(
        methods,
        {id_: loaded[id_] for id_ in ids},
        charges.latest_of(tx, agency_id, ids),
        collection.tried(tx, agency_id, ids),
        collection.recent_declines(tx, agency_id, credentials, DECLINES_WINDOW),
    )


def _next_invoice(tx: Transaction, client: _Client) -> str | None:
    """The oldest invoice for which somebody has asked for a method that it was not tried with; None while one is waited for.

    An attempt that is under way, or about to be, is answered in a moment; its settlement checks again.
    """
    for id_ in client.invoices:
        latest = client.latest.get(id_)
        if latest is not None and latest.state == "sending":
            return None
        if (latest is not None and latest.state in CHARGE_IN_FLIGHT) or not _wants(client, id_):
            continue
        at_once = latest is not None and latest.state == "due" and latest.planned_at <= tx.as_of
        return None if at_once and not _had_none(client, id_) else id_
    return None


def _wants(client: _Client, id_: str) -> bool:
    """True if a method was asked for after the invoice's last attempt, or there is one now and there was none before."""
    method = choose(client.methods, client.tried.get(id_, ()))
    if method is None or _at_limit(client, id_, method):
        return False
    return _had_none(client, id_) or _is_new(client, id_, method)


def _had_none(client: _Client, id_: str) -> bool:
    latest = client.latest.get(id_)
    return latest is not None and latest.code == NO_METHOD


def _is_new(client: _Client, id_: str, method: Method) -> bool:
    invoice, tried = client.invoices[id_], client.tried.get(id_, ())
    if tried:
        return asked_for_since(method, tried)
    since = invoice.ladder_started_at or invoice.failing_since
    return since is None or method.received_at > since


def _at_limit(client: _Client, id_: str, method: Method) -> bool:
    invoice = client.invoices[id_]
    found = client.declines.get((method.credential, invoice.outstanding_minor, invoice.currency))
    return found is not None and found.declined >= DECLINES_MAX


def _worked(client: _Client, id_: str, found: Recheck) -> bool:
    """True if the method that worked is the one of the invoice's last attempt, and would be used again."""
    latest, tried = client.latest.get(id_), client.tried.get(id_, ())
    if found.credential is None or client.invoices[id_].exhausted_at is not None or not tried or latest is None:
        return False
    last = tried[-1]
    method = choose(client.methods, tried)
    if latest.state != "due" or last.attempt == latest.attempt or last.decline_class == CUSTOMER or method is None:
        return False
    on_it = last.credential == method.credential == found.credential
    return on_it and last.sent_at < found.effective_at and not _at_limit(client, id_, method)


def _moved(tx: Transaction, latest: Charge | None) -> list[Charge]:
    """The planned attempt, now; or one that waited for the customer, or was asked for on its own, ended."""
    if latest is None:
        return []
    if latest.state == "due" and latest.once:
        return [charging.not_sent(latest, SUPERSEDED, tx.as_of)]
    if latest.state == "due":
        # An amount that the provider does not take stays known as such: the same method is not asked for it again.
        code = latest.code if latest.code in UNPAYABLE else None
        return [charging.postponed(latest, tx.as_of, code=code)]
    if latest.state == "action_required":
        return [charging.declined(latest, SUPERSEDED, tx.as_of)]
    return []


def _added(tx: Transaction, client: _Client, id_: str) -> list[NewCharge]:
    latest, invoice = client.latest.get(id_), client.invoices[id_]
    if latest is not None and latest.state == "due" and not latest.once:
        return []
    new = NewCharge(
        invoice_id=id_,
        attempt=1 if latest is None else latest.attempt + 1,
        subscription_id=invoice.subscription_id,
        client_id=invoice.client_id,
        currency=invoice.currency,
        planned_at=tx.as_of,
    )
    return [new]


def _new_ladder(invoice: Invoice, client: _Client, id_: str) -> list[Failing]:
    """A method that was known all the time, and was only away, goes on with the old ladder; unless that is over."""
    method = choose(client.methods, client.tried.get(id_, ()))
    new = method is not None and _is_new(client, id_, method)
    begun = invoice.ladder_started_at is not None or invoice.exhausted_at is not None
    if not begun or not (new or invoice.exhausted_at is not None):
        return []
    latest = client.latest.get(id_)
    code = CODE if latest is None else latest.code
    return [
        Failing(
            invoice_id=invoice.invoice_id,
            failing_since=invoice.failing_since,
            failing_code=code,
            ladder_started_at=None,
            ladder=invoice.ladder + 1,
            exhausted_at=None,
        )
    ]
