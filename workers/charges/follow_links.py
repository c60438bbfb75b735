"""Places where clients pay: look what became of them, take what was approved, close what nobody needs any more."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, cast

import structlog

from shared.acts.pay_link import request_of
from shared.acts.receive import receive
from shared.domain.states import CHARGE_IN_FLIGHT
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Expired,
    Found,
    Gateway,
    LinkRequest,
    NotYetKnowable,
    OnlineGateway,
    Pending,
    Succeeded,
    Unknown,
)
from shared.store import charges, facts, invoices, pay_links
from shared.store.invoices import Invoice
from shared.store.locks import lock_subscriptions
from shared.store.pay_links import PayLink
from shared.store.payments import Payment
from shared.store.transaction import Store, Tx
from workers.directory import GatewaysOf

AFTER_EXPIRY = timedelta(minutes=1)
SOON = timedelta(minutes=1)
LATER = timedelta(minutes=10)
AT_MOST = timedelta(hours=6)  # a bank debit settles in days; webhooks are what makes us prompt
GATEWAY_MISSING = timedelta(hours=1)
log = structlog.get_logger()


class LinkCall(NamedTuple):
    """A call to make while no transaction is open. `wanted`: the invoice still asks for exactly this."""

    link: PayLink
    gateway: OnlineGateway
    request: LinkRequest
    wanted: bool


def claim_links(
    store: Store, gateways: GatewaysOf, agency_id: str, ids: Sequence[str], lease: timedelta
) -> list[LinkCall]:
    """The calls to make about the open places of these invoices; what is committed first keeps attempts from going out."""
    with store.transaction() as tx:
        due = pay_links.due(tx, agency_id, ids)
        if not due:
            return []
        locked = {pair[1] for pair in lock_subscriptions(tx, [(agency_id, id_) for _, id_ in due], wait=True)}
        ours = [id_ for id_, subscription_id in due if subscription_id in locked]
        links = pay_links.open_of(tx, agency_id, ours)
        loaded = invoices.load(tx, agency_id, links)
        busy = {each.invoice_id for each in charges.open_of(tx, agency_id, links) if each.state in CHARGE_IN_FLIGHT}
        usable = gateways(tx, agency_id)
        decided = [_decide(tx, usable, agency_id, each, loaded[id_], id_ in busy) for id_, each in links.items()]
        calls = [each for each in decided if isinstance(each, LinkCall)]
        until = tx.as_of + lease
        claimed = [each.link._replace(state="paying", wake_at=until) for each in calls]
        pay_links.write(tx, agency_id, [*claimed, *(each for each in decided if isinstance(each, PayLink))])
        return calls


def _decide(
    tx: Tx, usable: Mapping[str, Gateway | str], agency_id: str, link: PayLink, invoice: Invoice, busy: bool
) -> LinkCall | PayLink:
    now = tx.as_of
    if link.reference is None:
        over = now >= link.expires_at
        return _ended(tx, link) if over else link._replace(wake_at=link.expires_at)
    gateway = usable.get(link.provider, "gateway_missing")
    if isinstance(gateway, str):
        return link._replace(wake_at=now + GATEWAY_MISSING)
    wanted = invoice.status == "open" and invoice.rest_minor == link.amount_minor
    if busy and link.provider != "stripe":
        # The money is taken by us: not while an attempt is under way. At Stripe the client has paid, or has not.
        return link._replace(wake_at=now + SOON)
    return LinkCall(link, cast("OnlineGateway", gateway), request_of(agency_id, link, invoice, ""), wanted)


def look(call: LinkCall) -> Found | Expired:
    """Ask what became of the place; one that is not wanted any more is closed first, and nothing is taken there."""
    reference = call.link.reference or ""
    try:
        if not call.wanted and call.gateway.end_link(reference):
            return Expired()
        if not call.wanted and call.link.provider != "stripe":
            return NotYetKnowable("it could not be closed")
        return call.gateway.collect_link(call.request, reference)
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, money may have moved
        log.error("gateway.raised", invoice_id=call.link.invoice_id, error=type(error).__name__)
        return Unknown(f"adapter raised {type(error).__name__}")


def settle_link(store: Store, agency_id: str, call: LinkCall, found: Found | Expired) -> None:
    """Write what became of the place. Money is recorded whatever state it is in by now: its reference says it once."""
    with store.transaction() as tx:
        lock_subscriptions(tx, [(agency_id, call.link.subscription_id)], wait=True)
        links = pay_links.of_invoices(tx, agency_id, [call.link.invoice_id])
        link = next(each for each in links if each.turn == call.link.turn)._replace(unrecorded=None)
        if isinstance(found, Succeeded):
            _receive(tx, agency_id, link, found.reference)
        elif link.state in pay_links.OPEN:
            link = _after(tx, link, found)
            pay_links.write(tx, agency_id, [link])
        if isinstance(found, Succeeded) or link.state not in pay_links.OPEN:
            charges.wake_open(tx, agency_id, [link.invoice_id])


def _receive(tx: Tx, agency_id: str, link: PayLink, reference: str) -> None:
    pay_links.write(tx, agency_id, [link._replace(state="paid", wake_at=None, settled_at=tx.as_of)])
    agency = facts.require_agency(tx, agency_id)
    payment = Payment(link.provider, reference, link.invoice_id, link.amount_minor, link.currency, tx.as_of)
    receive(tx, agency, [payment])


def _after(tx: Tx, link: PayLink, found: Found | Expired) -> PayLink:
    match found:
        case Expired() | Declined():
            return _ended(tx, link)
        case NotYetKnowable() | ActionRequired():
            at = max(link.expires_at + AFTER_EXPIRY, tx.as_of + LATER)
            return link._replace(state="open", wake_at=at)
        case Pending():
            later = min(max((tx.as_of - link.opened_at) / 4, LATER), AT_MOST)
            return link._replace(state="paying", wake_at=tx.as_of + later)
        case _:
            return link._replace(state="paying", wake_at=tx.as_of + SOON)


def _ended(tx: Tx, link: PayLink) -> PayLink:
    return link._replace(state="ended", wake_at=None, settled_at=tx.as_of)
