"""Notices: mails to be sent once, written in the transaction of what they are about."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import asdict

from shared.documents.notice_parts import InvoiceFacts, NoticeData, Parties
from shared.domain.facts import Agency, Client
from shared.domain.keys import notice_key
from shared.gateways.providers import provider_of
from shared.store import facts, notices
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.notices import NewNotice

CLIENT, AGENCY = "client", "agency"
_encode = msgspec.json.encode


class Draft(NamedTuple):
    """A notice to be written: its data, its audience, what it is about; `instance` distinguishes repeated occasions."""

    said: NoticeData
    audience: str
    about: str
    subscription_id: str | None
    client_id: str | None
    invoice_id: str | None = None
    instance: str = ""


def facts_of(invoice: Invoice) -> InvoiceFacts:
    """What every notice about an invoice says of it."""
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "period_starts_on": invoice.cycle_starts_on,
        "period_ends_on": invoice.cycle_ends_on,
        "currency": invoice.currency,
        "total_minor": invoice.total_minor,
        "outstanding_minor": invoice.outstanding_minor,
        "service": (invoice.snapshot.get("service") or {}).get("name"),
    }


def about_invoice(invoice: Invoice, said: NoticeData, audience: str, instance: str = "") -> Draft:
    """A draft about an invoice."""
    id_ = invoice.invoice_id
    return Draft(
        said=said,
        audience=audience,
        about=id_,
        subscription_id=invoice.subscription_id,
        client_id=invoice.client_id,
        invoice_id=id_,
        instance=instance,
    )


def notify(
    tx: Transaction, agency: Agency, drafts: Sequence[Draft], clients: Mapping[str, Client] | None = None
) -> None:
    """Write notices. Recipients are read now: dunning reaches the address a client has, not the one it had."""
    if not drafts:
        return
    if clients is None:
        wanted = {draft.client_id for draft in drafts if draft.client_id is not None}
        clients = facts.clients(tx, agency.agency_id, wanted) if wanted else {}
    notices.insert(tx, agency.agency_id, [_notice(agency, draft, clients) for draft in drafts])


def _notice(agency: Agency, draft: Draft, clients: Mapping[str, Client]) -> NewNotice:
    client = clients.get(draft.client_id) if draft.client_id is not None else None
    recipient = client.email if draft.audience == CLIENT and client is not None else agency.email
    to = Parties(
        agency=agency.name,
        agency_id=agency.agency_id,
        agency_email=agency.email,
        client=client.name if client is not None else None,
        online=provider_of(agency.gateway).online,
        locale=(client.locale if client is not None else None) or agency.locale,
    )
    kept = asdict(to) | asdict(draft.said)
    del kept["pay_url"]  # it is made when the mail is sent
    return NewNotice(
        key=notice_key(draft.said.occasion, draft.audience, draft.about, draft.instance),
        occasion=draft.said.occasion,
        audience=draft.audience,
        recipient=recipient,
        subscription_id=draft.subscription_id,
        invoice_id=draft.invoice_id,
        context=_encode(kept).decode(),
    )
