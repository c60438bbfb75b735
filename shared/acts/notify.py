"""Tell somebody something, once: notices are written in the transaction of what they tell."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from shared.domain.facts import Agency, Client
from shared.domain.keys import notice_key
from shared.gateways.providers import provider_of
from shared.store import facts, notices
from shared.store.invoices import Invoice
from shared.store.notices import NewNotice
from shared.store.transaction import Tx

CLIENT, AGENCY = "client", "agency"
_encode = msgspec.json.encode


class Draft(NamedTuple):
    """A notice to be: who is told, of which occasion, about what; `turn` tells repeated occasions apart."""

    occasion: str
    audience: str
    about: str
    subscription_id: str | None
    client_id: str | None
    invoice_id: str | None = None
    turn: str = ""
    said: Mapping[str, Any] = {}


def about_invoice(invoice: Invoice, occasion: str, audience: str, turn: str = "", **said: Any) -> Draft:
    """A draft about an invoice, with what its text needs of it."""
    context = {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "period_starts_on": invoice.cycle_starts_on,
        "period_ends_on": invoice.cycle_ends_on,
        "currency": invoice.currency,
        "total_minor": invoice.total_minor,
        "rest_minor": invoice.rest_minor,
        "service": (invoice.snapshot.get("service") or {}).get("name"),
        **said,
    }
    return Draft(
        occasion,
        audience,
        invoice.invoice_id,
        invoice.subscription_id,
        invoice.client_id,
        invoice.invoice_id,
        turn,
        context,
    )


def notify(tx: Tx, agency: Agency, drafts: Sequence[Draft], clients: Mapping[str, Client] | None = None) -> None:
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
    context = {
        "agency": agency.name,
        "agency_id": agency.agency_id,
        "agency_email": agency.email,
        "client": client.name if client is not None else None,
        "online": provider_of(agency.gateway).online,
        "locale": (client.locale if client is not None else None) or agency.locale,
        **draft.said,
    }
    return NewNotice(
        notice_key(draft.occasion, draft.audience, draft.about, draft.turn),
        draft.occasion,
        draft.audience,
        recipient,
        draft.subscription_id,
        draft.invoice_id,
        _encode(context).decode(),
    )
