"""Open a place where a client pays an invoice himself: decide whether there may be one, and say what to ask the provider by.

While an attempt of ours is under way there is none, and an open one is closed before an attempt goes out: so an invoice is
never paid by both.
"""

from datetime import timedelta
from typing import Literal

from shared.domain.facts import Agency
from shared.domain.keys import pay_link_key, subscription_subject
from shared.domain.states import CHARGE_IN_FLIGHT
from shared.gateways.port import LinkRequest
from shared.store import charges, deployment, pay_links
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from shared.store.transaction import Tx

LIVES_FOR = timedelta(hours=1)  # Stripe's least is half an hour, and PayPal forgets an order after three
LEFT_AT_LEAST = timedelta(minutes=5)

Refusal = Literal["settled", "under_way", "closing", "not_online"]


def prepare(tx: Tx, agency: Agency, invoice: Invoice) -> PayLink | Refusal:
    """The place to send the client to (its subscription is locked): the open one, or a new one to open; or why there is none.

    `settled`: nothing is asked for any more. `under_way`: the money may be on its way already. `closing`: the open place is
    over another amount, or about to expire; soon there can be a new one. `not_online`: the agency has no such provider.
    """
    if invoice.status != "open" or invoice.rest_minor == 0:
        return "settled"
    if agency.gateway not in ("stripe", "paypal"):
        return "not_online"
    if any(each.state in CHARGE_IN_FLIGHT for each in charges.open_of(tx, agency.agency_id, [invoice.invoice_id])):
        return "under_way"
    link = pay_links.open_of(tx, agency.agency_id, [invoice.invoice_id]).get(invoice.invoice_id)
    if link is None:
        return _open(tx, agency, invoice)
    if link.state == "paying":
        return "under_way"
    if link.amount_minor != invoice.rest_minor or link.expires_at - tx.as_of < LEFT_AT_LEAST:
        pay_links.write(tx, agency.agency_id, [link._replace(wake_at=tx.as_of)])
        return "closing"
    return link


def _open(tx: Tx, agency: Agency, invoice: Invoice) -> PayLink:
    before = pay_links.of_invoices(tx, agency.agency_id, [invoice.invoice_id])
    turn = max((each.turn for each in before), default=0) + 1
    expires_at = (tx.as_of + LIVES_FOR).replace(microsecond=0)
    link = PayLink(
        invoice_id=invoice.invoice_id,
        turn=turn,
        subscription_id=invoice.subscription_id,
        provider=agency.gateway,
        key=pay_link_key(deployment.origins(tx, agency.agency_id).of(agency.gateway), invoice.invoice_id, turn),
        amount_minor=invoice.rest_minor,
        currency=invoice.currency,
        state="opening",
        reference=None,
        url=None,
        opened_at=tx.as_of,
        expires_at=expires_at,
        wake_at=expires_at,
        settled_at=None,
    )
    pay_links.insert(tx, agency.agency_id, link)
    said = {"invoice_id": link.invoice_id, "turn": turn, "provider": link.provider, "expires_at": expires_at}
    tx.record(agency.agency_id, "link.opened", subscription_subject(invoice.subscription_id), said)
    return link


def opened(tx: Tx, agency_id: str, link: PayLink, reference: str, url: str) -> PayLink:
    """The provider has made the place (its subscription is locked)."""
    now_open = link._replace(state="open", reference=reference, url=url, wake_at=link.expires_at + timedelta(minutes=1))
    pay_links.write(tx, agency_id, [now_open])
    return now_open


def request_of(agency_id: str, link: PayLink, invoice: Invoice, back: str) -> LinkRequest:
    """What the provider is asked by, from the link's row alone. `back`: the address the client comes back to."""
    return LinkRequest(
        agency_id=agency_id,
        invoice_id=link.invoice_id,
        turn=link.turn,
        key=link.key,
        amount_minor=link.amount_minor,
        currency=link.currency,
        description=f"Invoice {invoice.number or invoice.invoice_id}",
        expires_at=link.expires_at,
        success_url=f"{back}?paid=1",
        cancel_url=back,
    )
