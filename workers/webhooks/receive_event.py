"""A provider's webhook → a row in the inbox, and whatever it is about is looked at now. Its own word on money is not believed.

The row and the waking are one transaction, so an event counts once, however often and in whatever order it is delivered; the
charges pool then asks the provider how things are.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

import structlog

from shared.acts.notify import AGENCY, about_invoice, notify
from shared.acts.refund import found_at_provider, told
from shared.domain.keys import subscription_subject
from shared.gateways.port import BadSignatureError, OnlineGateway, ProviderEvent
from shared.secret_store import ReadSecret
from shared.store import accounts, charges, facts, inbox, invoices, pay_links, payments, refunds
from shared.store.charges import Charge
from shared.store.inbox import Arrived, Settled
from shared.store.invoices import Invoice
from shared.store.locks import lock_subscriptions
from shared.store.pay_links import PayLink
from shared.store.transaction import Store, Tx
from workers.directory import GatewaysOf

Outcome = Literal["applied", "repeated", "bad_signature", "unconfigured", "unavailable"]
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the receiver needs besides rows."""

    store: Store
    gateways: GatewaysOf
    read_secret: ReadSecret


def receive_webhook(runtime: Runtime, provider: str, agency_id: str, raw: bytes, headers: Mapping[str, str]) -> Outcome:
    """Prove, keep and apply one webhook; returns only after the commit. Raises what the database raises."""
    with runtime.store.transaction() as tx:
        now = tx.as_of
        gateway = runtime.gateways(tx, agency_id).get(provider, "gateway_missing")
        names = [each.webhook_secret for each in accounts.configured(tx, agency_id) if each.provider == provider]
    secret = runtime.read_secret(names[0]) if names and names[0] is not None else None
    if isinstance(gateway, str) or secret is None:
        return "unconfigured"
    try:
        event = cast("OnlineGateway", gateway).parse_webhook(raw, headers, secret, now)
    except BadSignatureError as refused:
        log.warning("webhook.refused", provider=provider, agency_id=agency_id, reason=str(refused))
        return "bad_signature"
    except OSError as error:
        log.warning("webhook.unproven", provider=provider, agency_id=agency_id, reason=str(error))
        return "unavailable"
    with runtime.store.transaction() as tx:
        source = f"/webhooks/{provider}/{agency_id}"
        (inbox_id,) = inbox.store_all(tx, [Arrived(source, event.id, agency_id, event.type, event.at, raw)])
        if inbox_id is None:
            return "repeated"
        apply(tx, provider, agency_id, event)
        inbox.settle_all(tx, {inbox_id: Settled("applied")})
    log.info("webhook.applied", provider=provider, agency_id=agency_id, type=event.type, id=event.id)
    return "applied"


def apply(tx: Tx, provider: str, agency_id: str, event: ProviderEvent) -> None:
    """Wake what the event is about."""
    match event.about:
        case "payment" | "link":
            _payment(tx, provider, agency_id, event)
        case "refund":
            _refund(tx, provider, agency_id, event)
        case "dispute":
            _dispute(tx, provider, agency_id, event)
        case _:
            return


def _payment(tx: Tx, provider: str, agency_id: str, event: ProviderEvent) -> None:
    link = pay_links.named(tx, agency_id, provider, event.reference, event.key)
    if link is not None:
        lock_subscriptions(tx, [(agency_id, link.subscription_id)], wait=True)
        fresh = pay_links.named(tx, agency_id, provider, event.reference, event.key)
        if fresh is not None:
            _wake_link(tx, agency_id, fresh, event)
        return
    charge = charges.named(tx, agency_id, provider, event.reference, event.key)
    if charge is None:
        return  # none of ours: the agency's account may have other uses
    lock_subscriptions(tx, [(agency_id, charge.subscription_id)], wait=True)
    again = charges.named(tx, agency_id, provider, event.reference, event.key)
    woken = None if again is None else _woken(tx, again, event)
    if woken is not None:
        charges.write(tx, agency_id, [woken])


def _wake_link(tx: Tx, agency_id: str, link: PayLink, event: ProviderEvent) -> None:
    if link.state in pay_links.OPEN:
        reference = link.reference or (event.reference if event.about == "link" else None)
        pay_links.write(tx, agency_id, [link._replace(reference=reference, wake_at=tx.as_of)])
    elif link.state == "ended" and event.settled and not pay_links.open_of(tx, agency_id, [link.invoice_id]):
        # Paid all the same: looked at once more. If another place is open, the comparison of the books finds it.
        pay_links.write(tx, agency_id, [link._replace(state="paying", wake_at=tx.as_of, settled_at=None)])


def _woken(tx: Tx, charge: Charge, event: ProviderEvent) -> Charge | None:
    """The attempt as it is to be looked at now; None if that is under way, or there is nothing to ask."""
    now = tx.as_of
    reference = charge.reference or event.reference
    if charge.state in ("unknown", "pending"):
        return charge._replace(reference=reference, planned_at=now, wake_at=now)
    if charge.state in ("declined", "action_required") and event.settled and charge.request is not None:
        return charge._replace(reference=event.reference or reference, doubtful_since=now, wake_at=now)
    return None


def _refund(tx: Tx, provider: str, agency_id: str, event: ProviderEvent) -> None:
    invoice = _locked_invoice(tx, provider, agency_id, event.payment)
    if invoice is None or event.reference is None:
        return
    known = refunds.by_reference(tx, agency_id, provider, event.reference)
    if known is None and event.key is not None:
        known = refunds.by_key(tx, agency_id, event.key)
    agency = facts.require_agency(tx, agency_id)
    if known is None:
        if event.amount_minor and event.payment:
            found_at_provider(tx, agency, invoice, provider, event.payment, event.reference, event.amount_minor)
    elif known.state in ("unknown", "pending"):
        refunds.write(tx, agency_id, [known._replace(reference=event.reference, wake_at=tx.as_of)])
    elif known.state == "succeeded" and event.type == "refund.failed":
        # The client's bank has sent it back. The credit note stands: the money is still owed.
        subject = subscription_subject(known.subscription_id)
        tx.record(agency_id, "refund.failed", subject, {**told(known), "code": "returned"})
        said = {"code": "returned", "provider": provider, "refunded_minor": known.amount_minor}
        notify(tx, agency, [about_invoice(invoice, "refund_failed", AGENCY, f"{known.turn}/returned", **said)])


def _dispute(tx: Tx, provider: str, agency_id: str, event: ProviderEvent) -> None:
    if not event.type.lower().endswith("dispute.created"):
        return
    invoice = _locked_invoice(tx, provider, agency_id, event.payment)
    if invoice is None:
        return
    data = {
        "invoice_id": invoice.invoice_id,
        "provider": provider,
        "dispute": event.reference,
        "amount_minor": event.amount_minor,
        "currency": event.currency,
    }
    tx.record(agency_id, "payment.disputed", subscription_subject(invoice.subscription_id), data)
    said = {"provider": provider, "dispute": event.reference}
    agency = facts.require_agency(tx, agency_id)
    notify(tx, agency, [about_invoice(invoice, "payment_disputed", AGENCY, event.reference or event.id, **said)])


def _locked_invoice(tx: Tx, provider: str, agency_id: str, payment: str | None) -> Invoice | None:
    """The invoice of a payment, with its subscription locked."""
    invoice_id = None if payment is None else payments.invoice_of(tx, agency_id, provider, payment)
    if invoice_id is None:
        return None
    of = invoices.subscriptions_of(tx, agency_id, [invoice_id])
    lock_subscriptions(tx, [(agency_id, of[invoice_id])], wait=True)
    return invoices.load(tx, agency_id, [invoice_id])[invoice_id]
