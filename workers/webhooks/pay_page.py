"""The page where a client pays: the state of the invoice, and a button that leads to the provider.

Only the button opens a payment page at the provider: programs that follow every link of a mail press none.
"""

from collections.abc import Callable
from time import sleep
from typing import Literal, NamedTuple, cast

import structlog

from shared.billing import pay_link
from shared.billing.account_health import OF_THE_MOMENT, keep_accounts
from shared.domain.money import display, exponent
from shared.gateways.capabilities import as_online
from shared.gateways.port import KEY_IN_USE, LinkRequest, NotSent, OnlineGateway, Opened, Unknown
from shared.gateways.providers import provider_of
from shared.pay_urls import PayUrls
from shared.store import charges, facts, pay_links
from shared.store.database import Store, Transaction
from shared.store.invoices import Invoice
from shared.store.locked_invoices import locked_invoices
from shared.store.pay_links import PayLink
from workers.gateway_accounts import GatewaysOf

Standing = Literal["open", "settled", "under_way", "closing", "not_online", "unavailable", "thanks"]
# A second press meets the first one, which is being answered: how often the same page is asked for again, by the same key.
TRIES = 12
PAUSE_SECONDS = 0.5
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the page needs besides rows."""

    store: Store
    gateways: GatewaysOf
    urls: PayUrls
    # Between two tries.
    pause: Callable[[], object] = lambda: sleep(PAUSE_SECONDS)


class Shown(NamedTuple):
    """What the page says: amounts are ready to be read."""

    standing: Standing
    agency: str
    agency_email: str
    number: str
    service: str
    due_on: str
    amount: str
    keeps: bool


class SentOn(NamedTuple):
    """The client goes on to the provider."""

    url: str


def show(runtime: Runtime, token: str, *, back: bool = False) -> Shown | None:
    """The state of the invoice; None for an address that is not ours. `back`: the client comes back from the provider, so what
    became of it is looked at now."""
    named = runtime.urls.read(token)
    if named is None:
        return None
    with runtime.store.transaction() as tx:
        found = locked_invoices(tx, named[0], [named[1]]).get(named[1])
        if found is None:
            return None
        if back:
            link = pay_links.open_of(tx, named[0], [found.invoice_id]).get(found.invoice_id)
            if link is not None:
                pay_links.write(tx, named[0], [link._replace(wake_at=tx.as_of)])
        refused = pay_link.offers(tx, facts.require_agency(tx, named[0]), found)
        standing: Standing = refused or "open"
        return _shown(tx, named[0], found, "thanks" if back and standing == "open" else standing)


class Opening(NamedTuple):
    """The provider has to be asked for the payment page."""

    request: LinkRequest
    link: PayLink
    gateway: OnlineGateway


def pay(runtime: Runtime, token: str, *, keeps_method: bool = False) -> SentOn | Shown | None:
    """The button was pressed: the payment page at the provider, opened if need be; or why there is none.

    `keeps_method`: the client has ticked that his other invoices are to be paid by the same.
    """
    found = prepare(runtime, token, keeps_method=keeps_method)
    return open_payment_page(runtime, found) if isinstance(found, Opening) else found


def prepare(runtime: Runtime, token: str, *, keeps_method: bool = False) -> SentOn | Shown | Opening | None:
    """The first part of `pay`, which asks no provider; `open_payment_page` is the second, where it is needed."""
    named = runtime.urls.read(token)
    if named is None:
        return None
    agency_id, invoice_id = named
    with runtime.store.transaction() as tx:
        invoice = locked_invoices(tx, agency_id, [invoice_id]).get(invoice_id)
        if invoice is None:
            return None
        link = pay_link.prepare(tx, facts.require_agency(tx, agency_id), invoice, keeps_method=keeps_method)
        if isinstance(link, str):
            return _shown(tx, agency_id, invoice, link)
        gateway = runtime.gateways(tx, agency_id).get(link.provider, "gateway_missing")
        if isinstance(gateway, str):
            log.error("pay_page.gateway_missing", agency_id=agency_id, reason=gateway)
            _end(tx, agency_id, link)
            return _shown(tx, agency_id, invoice, "unavailable")
        customer = _customer(tx, agency_id, invoice, link)
    if link.url is not None:
        return SentOn(link.url)
    back = runtime.urls.of(agency_id, invoice_id)
    request = pay_link.request_of(agency_id, link, invoice, back, customer)
    return Opening(request, link, as_online(gateway))


def _customer(tx: Transaction, agency_id: str, invoice: Invoice, link: PayLink) -> str | None:
    """Who the client is at the provider, by his newest method there: what he saves joins it."""
    methods = facts.payment_methods(tx, agency_id, [invoice.client_id]).get(invoice.client_id, [])
    known = [each for each in methods if each.usable and each.provider == link.provider and each.customer]
    return max(known, key=lambda each: (each.instructed_at, each.payment_method_id)).customer if known else None


def open_payment_page(runtime: Runtime, opening: Opening) -> SentOn | Shown:
    """Ask the provider for the payment page. Pressed again, or twice at once, the same one is asked for under the same key."""
    request, link, gateway = opening
    for again in reversed(range(TRIES)):
        found = gateway.open_link(request)
        in_use = isinstance(found, Unknown) and found.detail == KEY_IN_USE
        answer = _settled(runtime, request, link, found, last=not in_use or not again)
        if answer is not None:
            break
        runtime.pause()
    if isinstance(found, Opened) and not isinstance(answer, SentOn):
        gateway.end_link(found.reference)  # not asked for any more: nobody was sent there, and nobody can be
    return cast("SentOn | Shown", answer)


def _settled(
    runtime: Runtime, request: LinkRequest, link: PayLink, found: Opened | NotSent | Unknown, *, last: bool
) -> SentOn | Shown | None:
    """What the provider's answer means for the press; None: ask once more."""
    agency_id, invoice_id = request.agency_id, request.invoice_id
    with runtime.store.transaction() as tx:
        invoice = locked_invoices(tx, agency_id, [invoice_id]).get(invoice_id)
        if invoice is None:
            raise LookupError("an invoice that had a payment page is gone")
        current = pay_links.open_of(tx, agency_id, [invoice_id]).get(invoice_id)
        current = current if current is not None and current.link_seq == link.link_seq else None
        if current is not None:
            asked_for = pay_link.is_wanted(invoice, current) and not current.closing
            if current.url is None and isinstance(found, Opened):
                current = pay_link.opened(tx, agency_id, current, found.reference, found.url, asked_for=asked_for)
            if current.url is not None and asked_for:
                return SentOn(current.url)
            if current.url is None and not last:
                return None
        if current is not None and current.url is None:
            standing = _refused(tx, agency_id, invoice, current, found)
        else:
            standing = pay_link.offers(tx, facts.require_agency(tx, agency_id), invoice) or "closing"
        log.warning("pay_page.not_opened", agency_id=agency_id, invoice_id=invoice_id, answer=type(found).__name__)
        return _shown(tx, agency_id, invoice, standing)


def _refused(
    tx: Transaction, agency_id: str, invoice: Invoice, link: PayLink, found: Opened | NotSent | Unknown
) -> Standing:
    """There is no payment page. What the provider refuses for what it says would be refused again under that key: it ends.

    A refusal of the agency's account is reported as such, for it concerns every invoice.
    """
    agency = facts.require_agency(tx, agency_id)
    account = isinstance(found, NotSent) and found.about == "account"
    if isinstance(found, NotSent) and (found.key_spent or not (account or found.code in OF_THE_MOMENT)):
        _end(tx, agency_id, link)
    if isinstance(found, NotSent) and account:
        keep_accounts(tx, agency, [(link.provider, found)])
    if not isinstance(found, NotSent) or account or found.code in OF_THE_MOMENT:
        return "unavailable"
    pay_link.tell_not_payable(tx, agency, invoice, found.code or "refused")
    return "not_online"


def _end(tx: Transaction, agency_id: str, link: PayLink) -> None:
    """Nobody was sent there, and nobody can be: an attempt that waited for it waits no longer."""
    pay_links.write(tx, agency_id, [pay_link.ended(tx, link)])
    charges.wake_open(tx, agency_id, [link.invoice_id])


def _shown(tx: Transaction, agency_id: str, invoice: Invoice, standing: Standing) -> Shown:
    agency = facts.require_agency(tx, agency_id)
    return Shown(
        standing=standing,
        agency=agency.name,
        agency_email=agency.email,
        number=invoice.number or "",
        service=str((invoice.snapshot.get("service") or {}).get("name") or ""),
        due_on=invoice.due_on.isoformat(),
        amount=display(invoice.outstanding_minor, invoice.currency, exponent(invoice.currency)),
        keeps=provider_of(agency.gateway).keeps_methods,
    )
