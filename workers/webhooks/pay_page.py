"""The page where a client pays: how the invoice stands, and on a press of the button the way to the provider.

Only the button opens a place at the provider: programs that follow every link of a mail press none.
"""

from typing import Literal, NamedTuple, cast

import structlog

from shared.acts import pay_link
from shared.domain.currency import exponent
from shared.domain.money import display
from shared.gateways.port import OnlineGateway, Opened
from shared.pay_urls import PayUrls
from shared.store import facts, invoices, pay_links
from shared.store.invoices import Invoice
from shared.store.locks import lock_subscriptions
from shared.store.pay_links import PayLink
from shared.store.transaction import Store, Tx
from workers.directory import GatewaysOf

Standing = Literal["open", "settled", "under_way", "closing", "not_online", "unavailable", "thanks"]
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the page needs besides rows."""

    store: Store
    gateways: GatewaysOf
    urls: PayUrls


class Shown(NamedTuple):
    """What the page says: amounts are ready to be read."""

    standing: Standing
    agency: str
    agency_email: str
    number: str
    service: str
    due_on: str
    amount: str


class SentOn(NamedTuple):
    """The client goes on to the provider."""

    url: str


def show(runtime: Runtime, token: str, *, back: bool = False) -> Shown | None:
    """How the invoice stands; None for an address that is not ours. `back`: the client comes back from the provider, so what
    became of it is looked at now."""
    named = runtime.urls.read(token)
    if named is None:
        return None
    with runtime.store.transaction() as tx:
        found = _locked(tx, *named)
        if found is None:
            return None
        if back:
            link = pay_links.open_of(tx, named[0], [found.invoice_id]).get(found.invoice_id)
            if link is not None:
                pay_links.write(tx, named[0], [link._replace(wake_at=tx.as_of)])
        return _shown(tx, named[0], found, _standing(found, back=back))


def _standing(invoice: Invoice, *, back: bool) -> Standing:
    if invoice.status != "open" or invoice.rest_minor == 0:
        return "settled"
    return "thanks" if back else "open"


def pay(runtime: Runtime, token: str) -> SentOn | Shown | None:
    """The button was pressed: the place at the provider, opened if need be; or why there is none."""
    named = runtime.urls.read(token)
    if named is None:
        return None
    agency_id, invoice_id = named
    with runtime.store.transaction() as tx:
        invoice = _locked(tx, agency_id, invoice_id)
        if invoice is None:
            return None
        link = pay_link.prepare(tx, facts.require_agency(tx, agency_id), invoice)
        if isinstance(link, str):
            return _shown(tx, agency_id, invoice, link)
        gateway = runtime.gateways(tx, agency_id).get(link.provider, "gateway_missing")
        if isinstance(gateway, str):
            log.error("pay_page.gateway_missing", agency_id=agency_id, reason=gateway)
            pay_links.write(tx, agency_id, [link._replace(state="ended", wake_at=None, settled_at=tx.as_of)])
            return _shown(tx, agency_id, invoice, "unavailable")
    if link.url is not None:
        return SentOn(link.url)
    return _open(runtime, agency_id, invoice, link, cast("OnlineGateway", gateway))


def _open(runtime: Runtime, agency_id: str, invoice: Invoice, link: PayLink, gateway: OnlineGateway) -> SentOn | Shown:
    """Ask the provider for the place. Pressed again, the same place is asked for under the same key."""
    back = runtime.urls.of(agency_id, invoice.invoice_id)
    found = gateway.open_link(pay_link.request_of(agency_id, link, invoice, back))
    with runtime.store.transaction() as tx:
        again = _locked(tx, agency_id, invoice.invoice_id)
        current = pay_links.open_of(tx, agency_id, [invoice.invoice_id]).get(invoice.invoice_id)
        mine = current is not None and current.turn == link.turn
        if isinstance(found, Opened) and mine and current is not None:
            if current.url is None:
                current = pay_link.opened(tx, agency_id, current, found.reference, found.url)
            return SentOn(current.url or found.url)
        log.warning(
            "pay_page.not_opened", agency_id=agency_id, invoice_id=invoice.invoice_id, answer=type(found).__name__
        )
        return _shown(tx, agency_id, again or invoice, "unavailable")


def _locked(tx: Tx, agency_id: str, invoice_id: str) -> Invoice | None:
    of = invoices.subscriptions_of(tx, agency_id, [invoice_id])
    if not of:
        return None
    lock_subscriptions(tx, [(agency_id, of[invoice_id])], wait=True)
    return invoices.load(tx, agency_id, [invoice_id])[invoice_id]


def _shown(tx: Tx, agency_id: str, invoice: Invoice, standing: Standing) -> Shown:
    agency = facts.require_agency(tx, agency_id)
    return Shown(
        standing,
        agency.name,
        agency.email,
        invoice.number or "",
        str((invoice.snapshot.get("service") or {}).get("name") or ""),
        invoice.due_on.isoformat(),
        display(invoice.rest_minor, invoice.currency, exponent(invoice.currency)),
    )
