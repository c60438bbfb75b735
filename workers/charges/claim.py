"""First step: under the lock, decide whether an attempt is sent now, and fix its request before anything is sent."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from shared.domain import charging, keys
from shared.domain.calendar import local_date
from shared.domain.charging import Charge
from shared.domain.dunning import DECLINES_WINDOW
from shared.domain.refusals import UNPAYABLE
from shared.gateways.port import ChargeRequest
from shared.store import accounts, charges, collection, deployment, facts, inbox, invoices, pay_links
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from workers.charges.decide import CHARGE, SOON, Call, Decided, Known, Replaced, decide, wait_for_account
from workers.charges.dunning import Failure, after_failures
from workers.charges.end_collection import end_once
from workers.gateway_accounts import Gateways

LEASE = timedelta(minutes=2)
_encode = msgspec.json.encode


def claim(
    tx: Transaction, agency_id: str, ids: Sequence[str], gateways: Gateways, lease: timedelta = LEASE
) -> list[Call]:
    """Claim what is due of these invoices (their subscriptions are locked) and return the calls to make.

    Rechecked here: the invoice is open and something is left to collect; no message waits for it; a method is usable; the
    attempt's time has come; the method's declines leave room. Doubtful attempts are looked up, never charged again. Of an
    account that its provider refuses one attempt asks how things are; the others wait.
    """
    found = charges.open_of(tx, agency_id, ids)
    if not found:
        return []
    known = _read(tx, agency_id, found, gateways, lease)
    decisions: list[tuple[Charge, Decided]] = []
    asked_about = {charge.invoice_id for charge in found if charge.state in ("declined", "not_sent")}
    probed: set[str] = set()
    for charge in sorted(found, key=lambda each: _age(known.invoices[each.invoice_id])):
        if charge.state == "due" and charge.invoice_id in asked_about:
            decided: Decided = charge._replace(wake_at=tx.as_of + SOON)
        else:
            decided = decide(tx, known, charge)
        if isinstance(decided, Call) and decided.kind == CHARGE and decided.provider in known.refusing:
            first = decided.provider not in probed
            probed.add(decided.provider)
            decided = decided if first else wait_for_account(charge, tx.as_of, tx.as_of + SOON)
        decisions.append((charge, decided))
    return _write(tx, known, decisions)


def _write(tx: Transaction, known: Known, decisions: Sequence[tuple[Charge, Decided]]) -> list[Call]:
    agency_id = known.agency.agency_id
    calls = [(charge, each) for charge, each in decisions if isinstance(each, Call)]
    replaced = [each.charge for _, each in decisions if isinstance(each, Replaced)]
    failures = [each for _, each in decisions if isinstance(each, Failure)]
    claimed = [_claimed(tx, charge, call, known) for charge, call in calls]
    charges.write(tx, agency_id, [*claimed, *replaced, *(each for _, each in decisions if isinstance(each, Charge))])
    charges.insert(tx, agency_id, [charging.next_attempt(each, tx.as_of) for each in replaced])
    for each in failures:
        if each.charge.once:
            end_once(tx, known.agency, each.charge, each.invoice, _once_ends(each.charge))
    after_failures(tx, known.agency, [each for each in failures if not each.charge.once])
    return [call for _, call in calls]


def _once_ends(charge: Charge) -> Literal["declined", "not_sent"]:
    return "not_sent" if charge.state == "due" else "declined"


def _age(invoice: Invoice) -> tuple[date, date, str]:
    """Oldest first: a card that covers only a part of what is open pays what is open longest."""
    return invoice.issued_on, invoice.cycle_starts_on or invoice.issued_on, invoice.invoice_id


def _read(tx: Transaction, agency_id: str, found: Sequence[Charge], gateways: Gateways, lease: timedelta) -> Known:
    agency = facts.require_agency(tx, agency_id)
    methods = facts.payment_methods(tx, agency_id, {charge.client_id for charge in found})
    credentials = {method.credential for listed in methods.values() for method in listed}
    later = {charge.invoice_id for charge in found if charge.attempt > 1 or charge.code in UNPAYABLE}
    return Known(
        agency,
        local_date(tx.as_of, agency.timezone),
        invoices.load(tx, agency_id, {charge.invoice_id for charge in found}),
        methods,
        collection.recent_declines(tx, agency_id, credentials, DECLINES_WINDOW),
        collection.tried(tx, agency_id, later) if later else {},
        accounts.refusing(tx, agency_id),
        inbox.awaited_invoices(tx, agency_id),
        gateways,
        lease,
        pay_links.open_of(tx, agency_id, {charge.invoice_id for charge in found}),
        deployment.origins(tx, agency_id),
    )


def _claimed(tx: Transaction, charge: Charge, call: Call, known: Known) -> Charge:
    """The row as it is committed before the call: state, key, frozen parameters, lease and fence."""
    until = tx.as_of + known.lease
    leased = charging.leased(charge, until, call.fence)
    if call.kind != CHARGE:
        return leased._replace(request=_stored(call.request))
    request = call.request
    methods = known.methods.get(charge.client_id, ())
    revision = next((m.revision for m in methods if m.payment_method_id == request.payment_method_id), None)
    seen = keys.credential(call.provider, request.token, request.customer)
    frozen = charging.Sending(
        key=request.key,
        request=_stored(request),
        amount_minor=request.amount_minor,
        provider=call.provider,
        payment_method_id=request.payment_method_id,
        method_revision=charge.method_revision if charge.request is not None else revision,
        credential=seen,
    )
    return charging.sending(leased, frozen, tx.as_of)


def _stored(request: ChargeRequest) -> str:
    return _encode(request).decode()
