"""Payment pages: ask what became of them, take what was approved, close what nobody needs any more."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple, cast

import structlog

from shared.billing import pay_link
from shared.billing.account_health import keep_accounts
from shared.billing.pay_link import request_of
from shared.domain.facts import Agency
from shared.domain.pay_links import UNASKED_MAX, VERDICTS, Answer
from shared.domain.retry_times import GATEWAY_MISSING
from shared.domain.states import CHARGE_IN_FLIGHT
from shared.gateways.capabilities import as_online
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Expired,
    Found,
    Gateway,
    Gone,
    LinkRequest,
    NotFound,
    NotSent,
    NotYetKnowable,
    OnlineGateway,
    Pending,
    Saved,
    Succeeded,
    Unknown,
)
from shared.gateways.providers import provider_of
from shared.store import charges, facts, invoices, pay_links
from shared.store.database import Store, Transaction
from shared.store.invoices import Invoice
from shared.store.locks import lock_of_agency
from shared.store.pay_links import PayLink
from workers.gateway_accounts import GatewaysOf

AFTER_EXPIRY = timedelta(minutes=1)
SOON = timedelta(minutes=1)
LATER = timedelta(minutes=10)
AT_MOST = timedelta(hours=6)  # a bank debit settles in days; webhooks are what makes us prompt
ANSWERS: Final[Mapping[type, Answer]] = {
    Succeeded: "succeeded",
    Pending: "pending",
    NotYetKnowable: "unpaid",
    Declined: "declined",
    ActionRequired: "declined",
    Expired: "expired",
    Gone: "gone",
    NotSent: "refused",
    NotFound: "refused",
    Unknown: "lost",
}
log = structlog.get_logger()


class LinkCall(NamedTuple):
    """A call to make while no transaction is open. `wanted`: the invoice still asks for exactly this.

    What its row calls `closing` is closed, unless somebody has paid there.
    """

    link: PayLink
    gateway: OnlineGateway
    request: LinkRequest
    wanted: bool


class Looked(NamedTuple):
    """What became of a payment page, and what was paid by there if the client wants it to be kept."""

    found: Found | Expired | Gone
    saved: Saved | None = None


def claim_links(
    store: Store, gateways: GatewaysOf, agency_id: str, ids: Sequence[str], lease: timedelta
) -> list[LinkCall]:
    """The calls to make about the open payment pages of these invoices; what is committed first keeps attempts from going
    out."""
    with store.transaction() as tx:
        due = pay_links.due(tx, agency_id, ids)
        if not due:
            return []
        locked = lock_of_agency(tx, agency_id, [id_ for _, id_ in due], wait=True)
        ours = [id_ for id_, subscription_id in due if subscription_id in locked]
        links = pay_links.open_of(tx, agency_id, ours)
        loaded = invoices.load(tx, agency_id, links)
        agency = facts.require_agency(tx, agency_id)
        busy = {each.invoice_id for each in charges.open_of(tx, agency_id, links) if each.state in CHARGE_IN_FLIGHT}
        usable = gateways(tx, agency_id)
        decided = [
            _decide(tx, usable, agency, link=each, invoice=loaded[id_], busy=id_ in busy) for id_, each in links.items()
        ]
        calls = [each for each in decided if isinstance(each, LinkCall)]
        until = tx.as_of + lease
        claimed = [each.link._replace(state="paying", wake_at=until) for each in calls]
        others = [each for each in decided if isinstance(each, PayLink)]
        pay_links.write(tx, agency_id, [*claimed, *others])
        _let_attempts_go(tx, agency_id, others)
        return calls


def _decide(
    tx: Transaction, usable: Mapping[str, Gateway | str], agency: Agency, *, link: PayLink, invoice: Invoice, busy: bool
) -> LinkCall | PayLink:
    now = tx.as_of
    wanted = pay_link.is_wanted(invoice, link)
    if link.reference is None:
        # Nobody was sent to a payment page that is still being opened.
        over = now >= link.expires_at or not wanted or link.closing
        return pay_link.ended(tx, link) if over else link._replace(wake_at=link.expires_at)
    gateway = usable.get(link.provider, "gateway_missing")
    if isinstance(gateway, str):
        waiting = pay_link.late(tx, agency, invoice, link, pending=link.accepted)
        return waiting if waiting.state == "ended" else waiting._replace(wake_at=now + GATEWAY_MISSING)
    if busy and provider_of(link.provider).captures_on_return:
        # The money is taken by us: not while an attempt is under way.
        return link._replace(wake_at=now + SOON)
    request = request_of(agency.agency_id, link, invoice, "")
    return LinkCall(link, as_online(gateway), request, wanted)


def look(call: LinkCall) -> Looked:
    """Ask what became of the payment page; one that is not wanted any more is closed first, and nothing is taken there."""
    reference = call.link.reference or ""
    try:
        if call.wanted:
            found = call.gateway.collect_link(call.request, reference)
            if call.link.closing and isinstance(found, NotYetKnowable) and call.gateway.end_link(reference):
                return Looked(Expired())
        elif call.gateway.end_link(reference):
            return Looked(Expired())
        else:
            # Somebody has paid there, or may have: what was taken before counts, though it is asked for no more.
            found = call.gateway.look_at_link(reference)
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, money may have moved
        log.error("gateway.raised", invoice_id=call.link.invoice_id, error=type(error).__name__)
        return Looked(Unknown(f"adapter raised {type(error).__name__}"))
    keeps = isinstance(found, Succeeded) and call.link.keeps_method
    return Looked(found, _saved(call, reference) if keeps else None)


def _saved(call: LinkCall, reference: str) -> Saved | None:
    """What the client paid by. That it can't be learnt now must not keep his payment from being recorded."""
    try:
        return call.gateway.saved_at(reference)
    except Exception as error:  # noqa: BLE001 - whatever it is, the payment counts
        log.warning("pay_page.not_saved", invoice_id=call.link.invoice_id, error=type(error).__name__)
        return None


def settle_link(store: Store, agency_id: str, call: LinkCall, looked: Looked) -> None:
    """Write what became of the payment page. Money is recorded whatever state it is in by now: its reference says it once."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [call.link.subscription_id], wait=True)
        links = pay_links.of_invoices(tx, agency_id, [call.link.invoice_id])
        link = next(each for each in links if each.link_seq == call.link.link_seq)._replace(unrecorded=None)
        agency = facts.require_agency(tx, agency_id)
        invoice = invoices.load(tx, agency_id, [link.invoice_id])[link.invoice_id]
        after = _after(tx, agency, invoice, link=link, call=call, looked=looked)
        if isinstance(looked.found, Succeeded) or _refuses_account(looked.found):
            keep_accounts(tx, agency, [(link.provider, cast("Found", looked.found))])
        if after is not link:
            pay_links.write(tx, agency_id, [after])
        _let_attempts_go(tx, agency_id, [after])


def _refuses_account(found: Found | Expired | Gone) -> bool:
    return isinstance(found, NotSent) and found.about == "account"


def _let_attempts_go(tx: Transaction, agency_id: str, links: Sequence[PayLink]) -> None:
    """What waited because the client might be paying waits no longer."""
    over = [each.invoice_id for each in links if each.state not in pay_links.OPEN]
    if over:
        charges.wake_open(tx, agency_id, over)


def _after(
    tx: Transaction, agency: Agency, invoice: Invoice, *, link: PayLink, call: LinkCall, looked: Looked
) -> PayLink:
    found = looked.found
    verdict = VERDICTS[pay_link.standing(link)][ANSWERS.get(type(found), "lost")]
    if isinstance(found, Succeeded):
        return pay_link.paid(tx, agency, invoice, link=link, reference=found.reference, saved=looked.saved)
    match verdict:
        case "ended":
            return pay_link.over(tx, agency, invoice, link)
        case "failed":
            return pay_link.failed(tx, agency, invoice, link)
        case "reopened":
            return _reopened(tx, agency, invoice, link, call)
        case "accepted" | "doubted":
            accepted = link.accepted or verdict == "accepted"
            doubted = link._replace(doubtful_since=link.doubtful_since or tx.as_of, accepted=accepted)
            return _later(tx, agency, invoice, doubted, found)
        case "missing":
            pay_link.ask_a_person(tx, agency, invoice, link, pending=False)
            return _later(tx, agency, invoice, link, found)
        case "asked_again":
            # Only an order that the client has agreed to can be refused.
            agreed = link.agreed or isinstance(found, NotSent)
            return _later(tx, agency, invoice, link._replace(agreed=agreed), found)
        case _:
            return link


def _reopened(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink, call: LinkCall) -> PayLink:
    """Nobody has paid yet, as far as is known: ask again when its time is over, or close it if it is not wanted."""
    if tx.as_of >= link.expires_at + UNASKED_MAX:
        return _later(tx, agency, invoice, link, NotYetKnowable())
    at = max(link.expires_at + AFTER_EXPIRY, tx.as_of + LATER)
    if not pay_link.is_wanted(invoice, link):
        # Changed while we asked: at once. It could not be closed: soon again.
        at = tx.as_of if call.wanted else tx.as_of + SOON
    elif link.closing:
        at = tx.as_of + SOON if call.link.closing else tx.as_of
    return link._replace(state="open", wake_at=at)


def _later(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink, found: Found | Expired | Gone) -> PayLink:
    """Ask again, with waits that grow, up to the last day: see `late`."""
    # A question that failed says nothing new about a payment that is under way; that the payment page is gone does.
    pending = isinstance(found, Pending) or (link.accepted and not isinstance(found, Gone))
    waiting = pay_link.late(tx, agency, invoice, link, pending=pending)
    if waiting.state not in pay_links.OPEN:
        return waiting
    first = LATER if isinstance(found, Pending) else SOON
    later = min(max((tx.as_of - link.opened_at) / 4, first), AT_MOST)
    return waiting._replace(state="paying", wake_at=tx.as_of + later)
