"""First step: under the lock, decide whether an attempt is sent now, and fix its request before anything is sent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from shared.billing.account_health import CLIENT_IS_PAYING, REFUSED_ACCOUNT
from shared.billing.issue_invoices import waiting_keys
from shared.domain import charging, keys
from shared.domain.calendar import local_date
from shared.domain.charging import Charge
from shared.domain.dunning import (
    DECLINES_MAX,
    DECLINES_WINDOW,
    NO_METHOD,
    TOO_MANY_DECLINES,
    Method,
    Tried,
    choose,
    last_day_is_over,
)
from shared.domain.facts import Agency
from shared.domain.refusals import UNPAYABLE
from shared.domain.retry_times import GATEWAY_MISSING, LEASE
from shared.domain.unknown_outcomes import is_remembered, next_step
from shared.gateways.capabilities import as_online
from shared.gateways.port import ChargeRequest, Gateway, OnlineGateway, Sent
from shared.gateways.providers import provider_of
from shared.store import accounts, charges, collection, deployment, facts, inbox, invoices, pay_links
from shared.store.collection import Declines
from shared.store.database import Transaction
from shared.store.deployment import Origins
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from workers.charges.dunning import Failure, after_failures
from workers.charges.end_collection import end_once
from workers.gateway_accounts import Gateways

CHARGE, RESEND, LOOKUP = "charge", "resend", "lookup"
SOON = timedelta(minutes=1)


class Call(NamedTuple):
    """A call to make while no transaction is open. `fence` proves, at settlement, that it is still ours.

    `sent`: what is known of the attempt if it may have gone out before. `again`: its request may have been seen before.
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
    again: bool = False


class OpenLink(NamedTuple):
    """A payment page where the client could pay at the same time: it is closed before anything is collected."""

    gateway: OnlineGateway
    reference: str


class Replaced(NamedTuple):
    """The attempt has ended unsent, for what it would ask for has changed: the next one asks for that, under its own key."""

    charge: Charge


Decided = Call | Failure | Replaced | Charge | None


class Known(NamedTuple):
    """What decides about the attempts of a claim."""

    agency: Agency
    today: date
    invoices: Mapping[str, Invoice]
    methods: Mapping[str, Sequence[Method]]
    declines: Mapping[tuple[str, int, str], Declines]
    tried: Mapping[str, Sequence[Tried]]
    refusing: Mapping[str, datetime]
    awaited: Collection[str]
    gateways: Gateways
    lease: timedelta
    links: Mapping[str, PayLink]
    origins: Origins


def decide(tx: Transaction, known: Known, charge: Charge) -> Decided:
    """A call to make, a failure without a call, the charge as it goes on, or None: nothing to do now."""
    now = tx.as_of
    if charge.lease_until is not None and charge.lease_until > now:
        return None  # another worker is asking the provider
    if charge.state in ("sending", "declined", "not_sent") or (
        charge.state == "action_required" and charge.doubtful_since
    ):
        return _ask_again(tx, known, charge)
    if charge.planned_at > now:
        return charge._replace(wake_at=charge.planned_at) if charge.wake_at != charge.planned_at else None
    if charge.state in ("unknown", "pending"):
        return _ask_again(tx, known, charge)
    if charge.state == "action_required":
        return Failure(charge._replace(code="action_not_taken"), known.invoices[charge.invoice_id], ends_now=True)
    return _attempt(tx, known, charge)


def _ask_again(tx: Transaction, known: Known, charge: Charge) -> Call | Charge:
    """Money may have moved: the stored request goes out again under its key, or the provider is asked."""
    found = _stored_call(known, charge)
    if not isinstance(found, Call) or charge.sent_at is None:
        later = tx.as_of + GATEWAY_MISSING
        return charging.postponed(found, later) if isinstance(found, Charge) else found
    step = next_step(
        remembered=is_remembered(provider_of(found.provider).key_retention, charge.sent_at, tx.as_of),
        reference=charge.reference,
        doubtful_since=charge.doubtful_since,
        now=tx.as_of,
    )
    asked = found._replace(kind=LOOKUP, sent=Sent(charge.first_sent_at or charge.sent_at, charge.reference))
    if step == "lookup" or not _still_wanted(known, charge):
        return asked
    link = _link_to_close(tx, known, charge)
    return asked if isinstance(link, Charge) else asked._replace(kind=RESEND, link=link)


def _still_wanted(known: Known, charge: Charge) -> bool:
    """Sent again, a request that never got through is carried out now: it must still be what is to be collected."""
    return charge.state in ("sending", "unknown") and _is_outstanding(known.invoices[charge.invoice_id], charge)


def _is_outstanding(invoice: Invoice, charge: Charge) -> bool:
    owed = invoice.status == "open" or (charge.once and invoice.status == "uncollectible")
    return owed and invoice.outstanding_minor == charge.amount_minor


def _link_to_close(tx: Transaction, known: Known, charge: Charge) -> OpenLink | Charge | None:
    """The payment page where the client could pay meanwhile, if there is one; the charge as it waits, if that can't be closed
    now."""
    link = known.links.get(charge.invoice_id)
    if link is None:
        return None
    gateway = known.gateways.get(link.provider, "gateway_missing")
    if link.state == "open" and link.reference is not None and not isinstance(gateway, str):
        return OpenLink(as_online(gateway), link.reference)
    # Nobody knows the address of a payment page that is being opened; it expires automatically.
    # What becomes of the payment page wakes the charge, so this is only for the case that nothing does.
    later = max(link.expires_at if link.state != "paying" else link.wake_at or tx.as_of, tx.as_of + SOON)
    return charging.postponed(charge, later, code=CLIENT_IS_PAYING)


def _stored_call(known: Known, charge: Charge) -> Call | Charge:
    name = charge.provider or ""
    gateway = known.gateways.get(name, "gateway_missing")
    if isinstance(gateway, str) or charge.request is None:
        return charge._replace(code=gateway if isinstance(gateway, str) else "request_missing")
    request = msgspec.json.decode(charge.request, type=ChargeRequest)
    return _call(known, charge, LOOKUP, name, gateway=gateway, request=request)


def _attempt(tx: Transaction, known: Known, charge: Charge) -> Decided:
    invoice = known.invoices[charge.invoice_id]
    now = tx.as_of
    owed = invoice.status == "open" or (charge.once and invoice.status == "uncollectible")
    if not owed or invoice.outstanding_minor == 0:
        code = f"invoice_{invoice.status}"
        return charging.not_sent(charge, code, now)
    if _waited_too_long(tx, known, charge, invoice):
        return Failure(charge, invoice, ends_now=True)
    spoken_of = waiting_keys(invoice.invoice_id, invoice.number, invoice.subscription_id, invoice.cycle_starts_on)
    if any(key in known.awaited for key in (*spoken_of, f"settlement/{invoice.invoice_id}")):
        return charge._replace(wake_at=now + SOON)
    link = _link_to_close(tx, known, charge)
    if isinstance(link, Charge):
        return link
    method = choose(known.methods.get(invoice.client_id, ()), known.tried.get(invoice.invoice_id, ()))
    if charge.request is not None:
        return _again(tx, known, charge, invoice=invoice, method=method, link=link)
    if method is None:
        return Failure(charge._replace(code=NO_METHOD), invoice)
    recent = known.declines.get((method.credential, invoice.outstanding_minor, invoice.currency))
    if recent is not None and recent.declined >= DECLINES_MAX:
        return Failure(charge._replace(code=TOO_MANY_DECLINES), invoice)
    gateway = known.gateways.get(method.provider, "gateway_missing")
    if isinstance(gateway, str):
        later = now + GATEWAY_MISSING
        return _waits(charge._replace(code=gateway), now, later)
    refused_until = known.refusing.get(method.provider, now)
    if refused_until > now:
        return wait_for_account(charge, now, refused_until)
    request = _request(known, charge, invoice, method)
    return _call(known, charge, CHARGE, method.provider, gateway=gateway, request=request)._replace(link=link)


def _call(known: Known, charge: Charge, kind: str, provider: str, *, gateway: Gateway, request: ChargeRequest) -> Call:
    return Call(
        kind=kind,
        invoice_id=charge.invoice_id,
        attempt=charge.attempt,
        subscription_id=charge.subscription_id,
        fence=charge.fence + 1,
        provider=provider,
        gateway=gateway,
        request=request,
        today=known.today,
    )


def _waited_too_long(tx: Transaction, known: Known, charge: Charge, invoice: Invoice) -> bool:
    """Whether an attempt that something keeps from going out has waited beyond the ladder's last day.

    Of an invoice that has not failed yet only the agency can say anything, and it was told: that one waits on.
    """
    if charge.code is None or charge.code in (CLIENT_IS_PAYING, NO_METHOD, TOO_MANY_DECLINES):
        return False
    since = None if charge.once else invoice.ladder_started_at
    if since is None and (charge.once or invoice.failing_since is not None):
        since = charge.doubtful_since
    agency = known.agency
    return since is not None and last_day_is_over(since, agency.retry_days, agency.timezone, tx.as_of)


def _waits(charge: Charge, now: datetime, until: datetime) -> Charge:
    """The attempt as it waits for something that is not its client's; it says since when."""
    return charging.postponed(charge, until, doubtful_since=charge.doubtful_since or now)


def wait_for_account(charge: Charge, now: datetime, until: datetime) -> Charge:
    """The attempt as it waits for an account that its provider refuses."""
    return _waits(charge._replace(code=REFUSED_ACCOUNT), now, until)


def _again(
    tx: Transaction, known: Known, charge: Charge, *, invoice: Invoice, method: Method | None, link: OpenLink | None
) -> Decided:
    """The key may have been seen with the stored parameters, so it is sent with no others: new ones are a new attempt.

    An amount that the provider does not take is not asked for again by the same method. What it never got goes out as it
    is stored.
    """
    same = _is_outstanding(invoice, charge)
    if charge.code in UNPAYABLE and same and method is not None and method.credential == charge.credential:
        later = tx.as_of + GATEWAY_MISSING
        return _waits(charge, tx.as_of, later)
    if not same or charge.code in UNPAYABLE:
        code = charge.code if charge.code in UNPAYABLE else "replaced"
        return Replaced(charging.not_sent(charge, code, tx.as_of))
    return _resend(known, charge, link)


def _resend(known: Known, charge: Charge, link: OpenLink | None) -> Call | Charge:
    """The provider never got it: the stored parameters go out again under the same key."""
    found = _stored_call(known, charge)
    return found._replace(kind=CHARGE, link=link, again=True) if isinstance(found, Call) else found


def _request(known: Known, charge: Charge, invoice: Invoice, method: Method) -> ChargeRequest:
    key = charge.key or keys.charge_key(known.origins.of(method.provider), invoice.invoice_id, charge.attempt)
    return ChargeRequest(
        agency_id=known.agency.agency_id,
        invoice_id=invoice.invoice_id,
        attempt=charge.attempt,
        key=key,
        amount_minor=invoice.outstanding_minor,
        currency=invoice.currency,
        payment_method_id=method.payment_method_id,
        token=method.token,
        customer=method.customer,
        description=f"Invoice {invoice.number}",
    )


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
        agency=agency,
        today=local_date(tx.as_of, agency.timezone),
        invoices=invoices.load(tx, agency_id, {charge.invoice_id for charge in found}),
        methods=methods,
        declines=collection.recent_declines(tx, agency_id, credentials, DECLINES_WINDOW),
        tried=collection.tried(tx, agency_id, later) if later else {},
        refusing=accounts.refusing(tx, agency_id),
        awaited=inbox.awaited_invoices(tx, agency_id),
        gateways=gateways,
        lease=lease,
        links=pay_links.open_of(tx, agency_id, {charge.invoice_id for charge in found}),
        origins=deployment.origins(tx, agency_id),
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
