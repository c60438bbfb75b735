"""First act: under the lock, decide whether an attempt goes out now, and freeze it before anything is sent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple, cast

import msgspec

from shared.acts.issue import waiting_keys
from shared.domain import keys
from shared.domain.cycles import local_date
from shared.domain.dunning import DECLINES_MAX, DECLINES_WINDOW, NO_METHOD, Method, choose
from shared.domain.facts import Agency
from shared.domain.reconcile import next_step
from shared.gateways.port import ChargeRequest, Gateway, OnlineGateway, Sent
from shared.store import charges, deployment, facts, inbox, invoices, pay_links
from shared.store.charges import Charge, Declines
from shared.store.deployment import Origins
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from shared.store.transaction import Tx
from workers.charges.dunning import Failure, after_failures
from workers.directory import Gateways

CHARGE, RESEND, LOOKUP = "charge", "resend", "lookup"
LEASE = timedelta(minutes=2)
TOO_MANY_DECLINES = "too_many_declines"
SOON = timedelta(minutes=1)
CLIENT_IS_PAYING = "client_is_paying"
GATEWAY_MISSING = timedelta(hours=1)
_encode = msgspec.json.encode


class Call(NamedTuple):
    """A call to make while no transaction is open. `fence` proves, at settlement, that it is still ours.

    `sent`: what is known of the attempt if it may have gone out before.
    """

    kind: str
    invoice_id: str
    attempt: int
    subscription_id: str
    fence: int
    provider: str
    gateway: Gateway
    request: ChargeRequest
    today: date
    sent: Sent | None = None
    link: "OpenLink | None" = None


class OpenLink(NamedTuple):
    """A place where the client could pay at the same time: it is closed before anything is collected."""

    gateway: OnlineGateway
    reference: str


class _Known(NamedTuple):
    agency: Agency
    today: date
    invoices: Mapping[str, Invoice]
    methods: Mapping[str, Sequence[Method]]
    declines: Mapping[tuple[str, str, int, int], Declines]
    awaited: Collection[str]
    gateways: Gateways
    lease: timedelta
    links: Mapping[str, PayLink]
    origins: Origins


def subscriptions_of(tx: Tx, agency_id: str, ids: Sequence[str]) -> dict[str, str]:
    """The subscription of each invoice."""
    return invoices.subscriptions_of(tx, agency_id, ids)


def claim(tx: Tx, agency_id: str, ids: Sequence[str], gateways: Gateways, lease: timedelta = LEASE) -> list[Call]:
    """Claim what is due of these invoices (their subscriptions are locked) and return the calls to make.

    Rechecked here: the invoice is open and something is left to collect; no message waits for it; a method is usable; the
    attempt's time has come; the method's declines leave room. Doubtful attempts are looked up, never charged again.
    """
    found = charges.open_of(tx, agency_id, ids)
    if not found:
        return []
    known = _read(tx, agency_id, found, gateways, lease)
    calls: list[Call] = []
    written: list[Charge] = []
    failures: list[Failure] = []
    asked_about = {charge.invoice_id for charge in found if charge.state == "declined"}
    for charge in sorted(found, key=lambda each: _age(known.invoices[each.invoice_id])):
        if charge.state == "due" and charge.invoice_id in asked_about:
            decided: Call | Failure | Charge | None = charge._replace(wake_at=tx.as_of + SOON)
        else:
            decided = _decide(tx, known, charge)
        if isinstance(decided, Call):
            calls.append(decided)
            written.append(_claimed(tx, charge, decided, known))
        elif isinstance(decided, Failure):
            failures.append(decided)
        elif decided is not None:
            written.append(decided)
    charges.write(tx, agency_id, written)
    after_failures(tx, known.agency, failures)
    return calls


def _age(invoice: Invoice) -> tuple[date, date, str]:
    """Oldest first: a card that covers only a part of what is open pays what is open longest."""
    return invoice.issued_on, invoice.cycle_starts_on or invoice.issued_on, invoice.invoice_id


def _read(tx: Tx, agency_id: str, found: Sequence[Charge], gateways: Gateways, lease: timedelta) -> _Known:
    agency = facts.require_agency(tx, agency_id)
    methods = facts.payment_methods(tx, agency_id, {charge.client_id for charge in found})
    method_ids = {method.payment_method_id for listed in methods.values() for method in listed}
    return _Known(
        agency,
        local_date(tx.as_of, agency.timezone),
        invoices.load(tx, agency_id, {charge.invoice_id for charge in found}),
        methods,
        charges.recent_declines(tx, agency_id, method_ids, DECLINES_WINDOW),
        inbox.awaited_invoices(tx, agency_id),
        gateways,
        lease,
        pay_links.open_of(tx, agency_id, {charge.invoice_id for charge in found}),
        deployment.origins(tx, agency_id),
    )


def _decide(tx: Tx, known: _Known, charge: Charge) -> Call | Failure | Charge | None:
    """A call to make, a failure without a call, the charge as it goes on, or None: nothing to do now."""
    now = tx.as_of
    if charge.lease_until is not None and charge.lease_until > now:
        return None  # another worker is asking the provider
    if charge.state in ("sending", "declined") or (charge.state == "action_required" and charge.doubtful_since):
        return _ask_again(tx, known, charge)
    if charge.planned_at > now:
        return charge._replace(wake_at=charge.planned_at) if charge.wake_at != charge.planned_at else None
    if charge.state in ("unknown", "pending"):
        return _ask_again(tx, known, charge)
    if charge.state == "action_required":
        return Failure(charge._replace(code="action_not_taken"), known.invoices[charge.invoice_id], ends_now=True)
    return _attempt(tx, known, charge)


def _ask_again(tx: Tx, known: _Known, charge: Charge) -> Call | Charge:
    """Money may have moved: the stored request goes out again under its key, or the provider is asked."""
    found = _stored_call(known, charge)
    if not isinstance(found, Call) or charge.sent_at is None:
        later = tx.as_of + GATEWAY_MISSING
        return found._replace(planned_at=later, wake_at=later) if isinstance(found, Charge) else found
    step = next_step(
        found.provider,
        sent_at=charge.sent_at,
        reference=charge.reference,
        doubtful_since=charge.doubtful_since,
        now=tx.as_of,
    )
    asked = found._replace(kind=LOOKUP, sent=Sent(charge.first_sent_at or charge.sent_at, charge.reference))
    if step == "lookup" or not _still_wanted(known, charge):
        return asked
    link = _link_to_close(tx, known, charge)
    return asked if isinstance(link, Charge) else asked._replace(kind=RESEND, link=link)


def _still_wanted(known: _Known, charge: Charge) -> bool:
    """Sent again, a request that never got through is carried out now: it must still be what is to be collected."""
    return charge.state in ("sending", "unknown") and _is_rest(known.invoices[charge.invoice_id], charge)


def _is_rest(invoice: Invoice, charge: Charge) -> bool:
    return invoice.status == "open" and invoice.rest_minor == charge.amount_minor


def _link_to_close(tx: Tx, known: _Known, charge: Charge) -> OpenLink | Charge | None:
    """The place where the client could pay meanwhile, if there is one; the charge as it waits, if that can't be closed now."""
    link = known.links.get(charge.invoice_id)
    if link is None:
        return None
    gateway = known.gateways.get(link.provider, "gateway_missing")
    if link.state == "open" and link.reference is not None and not isinstance(gateway, str):
        return OpenLink(cast("OnlineGateway", gateway), link.reference)
    # Nobody knows the address of a place that is being opened; it expires by itself.
    # What becomes of the place wakes the charge, so this is only for the case that nothing does.
    later = max(link.expires_at if link.state != "paying" else link.wake_at or tx.as_of, tx.as_of + SOON)
    return charge._replace(code=CLIENT_IS_PAYING, planned_at=later, wake_at=later)


def _stored_call(known: _Known, charge: Charge) -> Call | Charge:
    provider = charge.provider or ""
    gateway = known.gateways.get(provider, "gateway_missing")
    if isinstance(gateway, str) or charge.request is None:
        return charge._replace(code=gateway if isinstance(gateway, str) else "request_missing")
    request = msgspec.json.decode(charge.request, type=ChargeRequest)
    of = (charge.invoice_id, charge.attempt, charge.subscription_id)
    return Call(LOOKUP, *of, charge.fence + 1, provider, gateway, request, known.today)


def _attempt(tx: Tx, known: _Known, charge: Charge) -> Call | Failure | Charge:
    invoice = known.invoices[charge.invoice_id]
    now = tx.as_of
    if invoice.status != "open" or invoice.rest_minor == 0:
        code = f"invoice_{invoice.status}"
        return charge._replace(state="not_sent", code=code, wake_at=None, settled_at=now)
    spoken_of = waiting_keys(invoice.invoice_id, invoice.number, invoice.subscription_id, invoice.cycle_starts_on)
    if any(key in known.awaited for key in (*spoken_of, f"settlement/{invoice.invoice_id}")):
        return charge._replace(wake_at=now + SOON)
    link = _link_to_close(tx, known, charge)
    if isinstance(link, Charge):
        return link
    if charge.request is not None and _is_rest(invoice, charge):
        return _resend(known, charge, link)
    method = choose(known.methods.get(invoice.client_id, ()))
    if method is None:
        return Failure(charge._replace(code=NO_METHOD), invoice, ends_now=False)
    recent = known.declines.get((invoice.client_id, method.payment_method_id, method.revision, invoice.rest_minor))
    if recent is not None and recent.declined >= DECLINES_MAX:
        return Failure(charge._replace(code=TOO_MANY_DECLINES), invoice, ends_now=False, retry_at=recent.frees_at)
    gateway = known.gateways.get(method.provider, "gateway_missing")
    if isinstance(gateway, str):
        later = now + GATEWAY_MISSING
        return charge._replace(code=gateway, planned_at=later, wake_at=later)
    request = _request(known, charge, invoice, method)
    of = (charge.invoice_id, charge.attempt, charge.subscription_id)
    return Call(CHARGE, *of, charge.fence + 1, method.provider, gateway, request, known.today, link=link)


def _resend(known: _Known, charge: Charge, link: OpenLink | None) -> Call | Charge:
    """The provider never got it: the stored parameters go out again under the same key."""
    found = _stored_call(known, charge)
    return found._replace(kind=CHARGE, link=link) if isinstance(found, Call) else found


def _request(known: _Known, charge: Charge, invoice: Invoice, method: Method) -> ChargeRequest:
    key = charge.key or keys.charge_key(known.origins.of(method.provider), invoice.invoice_id, charge.attempt)
    return ChargeRequest(
        agency_id=known.agency.agency_id,
        invoice_id=invoice.invoice_id,
        attempt=charge.attempt,
        key=key,
        amount_minor=invoice.rest_minor,
        currency=invoice.currency,
        payment_method_id=method.payment_method_id,
        token=method.token,
        customer=method.customer,
        description=f"Invoice {invoice.number}",
    )


def _claimed(tx: Tx, charge: Charge, call: Call, known: _Known) -> Charge:
    """The row as it is committed before the call: state, key, frozen parameters, lease and fence."""
    until = tx.as_of + known.lease
    leased = charge._replace(lease_until=until, wake_at=until, fence=call.fence, request=_stored(call.request))
    if call.kind != CHARGE:
        return leased
    request = call.request
    methods = known.methods.get(charge.client_id, ())
    revision = next((m.revision for m in methods if m.payment_method_id == request.payment_method_id), None)
    return leased._replace(
        state="sending",
        key=request.key,
        amount_minor=request.amount_minor,
        provider=call.provider,
        payment_method_id=request.payment_method_id,
        method_revision=charge.method_revision if charge.request is not None else revision,
        sent_at=tx.as_of,
        first_sent_at=charge.first_sent_at or tx.as_of,
        code=None,
    )


def _stored(request: ChargeRequest) -> str:
    return _encode(request).decode()
