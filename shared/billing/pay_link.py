"""Open a payment page, where a client pays an invoice himself: decide whether there may be one, and what to ask the provider
by.

While an attempt of ours is under way there is none, and an open one is closed before an attempt goes out: so an invoice is
never paid by both.
"""

from datetime import timedelta
from typing import Literal

from shared.billing.event_fields import of_link
from shared.billing.notify import AGENCY, CLIENT, about_invoice, facts_of, notify
from shared.billing.receive_payments import receive
from shared.documents import notice_data
from shared.domain.facts import Agency
from shared.domain.keys import page_method_id, pay_link_key
from shared.domain.pay_links import UNASKED_MAX, Standing, lateness, person_until
from shared.domain.states import CHARGE_IN_FLIGHT, PAY_LINK_MOVES, check_move
from shared.gateways.port import LinkRequest, Saved
from shared.gateways.providers import provider_of
from shared.messages import event_data
from shared.store import charges, deployment, facts, pay_links, rechecks
from shared.store.database import Transaction
from shared.store.facts import SavedMethod
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from shared.store.payments import Payment
from shared.store.rechecks import NewRecheck

LIVES_FOR = timedelta(hours=1)  # the least of all providers is half an hour, and one forgets a page after three
LEFT_AT_LEAST = timedelta(minutes=5)

Refusal = Literal["settled", "under_way", "closing", "not_online"]
OWED = ("open", "uncollectible")


def is_owed(invoice: Invoice) -> bool:
    """Whether a client may still pay: also what was written off is owed."""
    return invoice.status in OWED and invoice.outstanding_minor > 0


def is_wanted(invoice: Invoice, link: PayLink) -> bool:
    """Whether the invoice still asks for exactly the amount of a payment page."""
    return invoice.status in OWED and invoice.outstanding_minor == link.amount_minor


def standing(link: PayLink) -> Standing:
    """The standing of a payment page, for the table of what answers mean."""
    if link.state in pay_links.OPEN and link.doubtful_since is not None:
        return "doubtful"
    return link.state


def offers(tx: Transaction, agency: Agency, invoice: Invoice) -> Refusal | None:
    """Why there can be no payment page for this invoice at all; None: there can be one. An amount that can't be paid is
    told."""
    if not is_owed(invoice):
        return "settled"
    if not provider_of(agency.gateway).online:
        return "not_online"
    code = provider_of(agency.gateway).refusal(invoice.outstanding_minor, invoice.currency)
    if code is not None:
        tell_not_payable(tx, agency, invoice, code)
        return "not_online"
    return None


def tell_not_payable(tx: Transaction, agency: Agency, invoice: Invoice, code: str) -> None:
    """The provider can't take this amount on a page: the agency is notified, once for each reason, for its client will write to
    it."""
    outstanding_minor = invoice.outstanding_minor
    said = notice_data.PageImpossible(
        **facts_of(invoice), provider=agency.gateway, code=code, moved_minor=outstanding_minor
    )
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, code)])


def prepare(tx: Transaction, agency: Agency, invoice: Invoice, *, keeps_method: bool = False) -> PayLink | Refusal:
    """The payment page to send the client to (its subscription is locked): the open one, or a new one to open; or why there is
    none.

    `settled`: nothing is asked for any more. `under_way`: the money may be on its way already. `closing`: the open page is
    over another amount, keeps the method where it should not, or is about to expire; soon there can be a new one. `not_online`:
    the agency has no such provider, or it can't take this amount.
    """
    refused = offers(tx, agency, invoice)
    if refused is not None:
        return refused
    keeps_method = keeps_method and provider_of(agency.gateway).keeps_methods
    if any(each.state in CHARGE_IN_FLIGHT for each in charges.open_of(tx, agency.agency_id, [invoice.invoice_id])):
        return "under_way"
    link = pay_links.open_of(tx, agency.agency_id, [invoice.invoice_id]).get(invoice.invoice_id)
    if link is None:
        return _open(tx, agency, invoice, keeps_method=keeps_method)
    if link.state == "paying":
        return "under_way"
    other = link.closing or not is_wanted(invoice, link) or link.keeps_method != keeps_method
    if other or link.expires_at - tx.as_of < LEFT_AT_LEAST:
        pay_links.write(tx, agency.agency_id, [link._replace(wake_at=tx.as_of, closing=True)])
        return "closing"
    return link


def _open(tx: Transaction, agency: Agency, invoice: Invoice, *, keeps_method: bool) -> PayLink:
    before = pay_links.of_invoices(tx, agency.agency_id, [invoice.invoice_id])
    link_seq = max((each.link_seq for each in before), default=0) + 1
    expires_at = (tx.as_of + LIVES_FOR).replace(microsecond=0)
    link = PayLink(
        invoice_id=invoice.invoice_id,
        link_seq=link_seq,
        subscription_id=invoice.subscription_id,
        provider=agency.gateway,
        key=pay_link_key(deployment.origins(tx, agency.agency_id).of(agency.gateway), invoice.invoice_id, link_seq),
        amount_minor=invoice.outstanding_minor,
        currency=invoice.currency,
        state="opening",
        reference=None,
        url=None,
        opened_at=tx.as_of,
        expires_at=expires_at,
        wake_at=expires_at,
        settled_at=None,
        keeps_method=keeps_method,
    )
    pay_links.insert(tx, agency.agency_id, link)
    tx.record(event_data.LinkOpened(**of_link(agency.agency_id, link, invoice), expires_at=expires_at))
    return link


def opened(tx: Transaction, agency_id: str, link: PayLink, reference: str, url: str, *, asked_for: bool) -> PayLink:
    """The provider has made the payment page (its subscription is locked). Not `asked_for` any more: it is closed at once."""
    wake_at = link.expires_at + timedelta(minutes=1) if asked_for else tx.as_of
    now_open = link._replace(state="open", reference=reference, url=url, wake_at=wake_at)
    pay_links.write(tx, agency_id, [now_open])
    return now_open


def ended(tx: Transaction, link: PayLink) -> PayLink:
    """Nobody can pay there any more, and nobody did. The row as it is to be written."""
    check_move(PAY_LINK_MOVES, "link", link.state, "ended")
    return link._replace(state="ended", wake_at=None, settled_at=tx.as_of)


def paid(
    tx: Transaction, agency: Agency, invoice: Invoice, *, link: PayLink, reference: str, saved: Saved | None
) -> PayLink:
    """The client has paid at a payment page: the money is recorded, and what he paid by is kept if he wanted that.

    A kept method is the client's newest default one, so his next invoice is charged by it; as any new method it is tried on
    what he has open. Returns the row as it was written.
    """
    if link.state != "paid":
        check_move(PAY_LINK_MOVES, "link", link.state, "paid")
    done = link._replace(state="paid", wake_at=None, settled_at=tx.as_of, doubtful_since=None)
    pay_links.write(tx, agency.agency_id, [done])
    payment = Payment(
        source=link.provider,
        reference=reference,
        invoice_id=link.invoice_id,
        amount_minor=link.amount_minor,
        currency=link.currency,
        received_at=tx.as_of,
    )
    receive(tx, agency, [payment])
    if saved is not None and link.keeps_method:
        of = (invoice.client_id, page_method_id(link.invoice_id, link.link_seq))
        facts.save_method(tx, agency.agency_id, SavedMethod(*of, link.provider, saved.token, saved.customer))
        rechecks.add_all(tx, [NewRecheck(agency.agency_id, "payment_method", invoice.client_id, tx.as_of)])
    return done


def over(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink) -> PayLink:
    """Nobody can pay there any more, and nobody did: a client who had agreed to was thanked, so he is told."""
    return failed(tx, agency, invoice, link) if link.agreed else ended(tx, link)


def failed(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink) -> PayLink:
    """The client was thanked, and no money came after all: both are told, unless nothing is owed any more."""
    tx.record(event_data.LinkFailed(**of_link(agency.agency_id, link, invoice)))
    if is_owed(invoice):
        moved = link.amount_minor
        said = notice_data.PagePaymentFailed(**facts_of(invoice), provider=link.provider, moved_minor=moved)
        notify(tx, agency, [about_invoice(invoice, said, who, str(link.link_seq)) for who in (CLIENT, AGENCY)])
    return ended(tx, link)


def late(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink, *, pending: bool) -> PayLink:
    """A payment page of which the provider has not said what became of it, as it goes on: none is waited for without an end.

    Three days after its time (a payment that is under way: after thirty) the agency is asked to check, once; a week later it
    ends, and the invoice can be charged and paid again. Where money moves by our hand alone, what was never taken is over.
    """
    since = link.doubtful_since
    if since is None:
        if tx.as_of < link.expires_at + UNASKED_MAX:
            return link
        if provider_of(link.provider).captures_on_return:
            return over(tx, agency, invoice, link)
        since = link.expires_at
        link = link._replace(doubtful_since=since)
    match lateness(since, tx.as_of, pending=pending):
        case "ask_a_person":
            ask_a_person(tx, agency, invoice, link, pending=pending)
        case "over":
            return over(tx, agency, invoice, link)
        case _:
            pass
    return link


def is_asked(tx: Transaction, link: PayLink) -> bool:
    """Whether the agency was asked what became of a payment page in doubt."""
    return link.doubtful_since is not None and lateness(link.doubtful_since, tx.as_of, pending=False) != "in_time"


def ask_a_person(tx: Transaction, agency: Agency, invoice: Invoice, link: PayLink, *, pending: bool) -> None:
    """Nobody but the agency can say whether its client has paid: asked once, with the day until which it is waited for."""
    since = link.doubtful_since or tx.as_of
    said = notice_data.PagePaymentInDoubt(
        **facts_of(invoice),
        since=since.date(),
        until=person_until(since, pending=pending).date(),
        provider=link.provider,
        key=link.key,
        moved_minor=link.amount_minor,
    )
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, str(link.link_seq))])


def request_of(agency_id: str, link: PayLink, invoice: Invoice, back: str, customer: str | None = None) -> LinkRequest:
    """What the provider is asked by. `back`: the address the client comes back to; `customer`: who he is at the provider."""
    return LinkRequest(
        agency_id=agency_id,
        invoice_id=link.invoice_id,
        link_seq=link.link_seq,
        key=link.key,
        amount_minor=link.amount_minor,
        currency=link.currency,
        description=f"Invoice {invoice.number or invoice.invoice_id}",
        expires_at=link.expires_at,
        success_url=f"{back}?paid=1",
        cancel_url=back,
        keeps_method=link.keeps_method,
        customer=customer if link.keeps_method else None,
    )
