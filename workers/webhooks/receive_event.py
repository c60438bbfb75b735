"""A provider's webhook → a row in the inbox, and whatever it is about is looked at now. Its own word on money is not believed.

The row and the waking are one transaction, so an event counts once, however often and in whatever order it is delivered; the
charges pool then asks the provider how things are.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import structlog

from shared.billing import reversed_payments
from shared.billing.event_fields import of_invoice
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.billing.refund_payments import found_at_provider
from shared.documents import notice_data
from shared.domain.charging import Charge
from shared.error_words import safe_words
from shared.gateways import providers
from shared.gateways.capabilities import Claim, as_online
from shared.gateways.port import BadSignatureError, Gateway, ProviderEvent, UnreadableError
from shared.messages import event_data
from shared.secret_store import ReadSecret
from shared.store import accounts, charges, facts, inbox, pay_links, payments, refunds, reversals, unproven
from shared.store.database import Store, Transaction
from shared.store.errors import is_data_error
from shared.store.inbox import Arrived, Settled
from shared.store.invoices import Invoice
from shared.store.locked_invoices import locked_invoices
from shared.store.locks import lock_of_agency
from shared.store.pay_links import PayLink
from workers.gateway_accounts import GatewaysOf

Outcome = Literal["applied", "repeated", "kept", "bad_signature", "unreadable", "unconfigured", "full", "unavailable"]
UNREADABLE: Final = "unreadable: "  # proven, and could not be read or applied: tried again, the cause may be mended
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the receiver needs besides rows."""

    store: Store
    gateways: GatewaysOf
    read_secret: ReadSecret


def receive_webhook(runtime: Runtime, provider: str, agency_id: str, raw: bytes, headers: Mapping[str, str]) -> Outcome:
    """Keep one webhook, proven and applied or to be proven; returns only after the commit. Raises what the database raises,
    but not for what would go wrong each time: what is signed and can't be read or applied is kept and tried again later."""
    try:
        claim = providers.provider_of(provider).webhook_claim
        if claim is not None:
            return _keep_unproven(runtime, claim, provider, agency_id=agency_id, raw=raw, headers=headers)
        return _prove(runtime, provider, agency_id, raw, headers)
    except UnreadableError as unread:
        reason = str(unread)
    except BadSignatureError as refused:
        return _refused(provider, agency_id, str(refused))
    except Exception as error:
        if not is_data_error(error):
            raise
        reason = safe_words(error)
    if providers.provider_of(provider).webhook_claim is not None:
        return _refused(provider, agency_id, reason)
    with runtime.store.transaction() as tx:
        proof = {name: value for name, value in headers.items() if name.endswith("-signature")}
        given_up = unproven.set_aside(tx, agency_id, provider, raw=raw, headers=proof, reason=UNREADABLE + reason)
    log.error("webhook.unreadable", provider=provider, agency_id=agency_id, reason=reason, given_up=given_up)
    return "unreadable"


def _refused(provider: str, agency_id: str, reason: str) -> Literal["bad_signature"]:
    log.warning("webhook.refused", provider=provider, agency_id=agency_id, reason=reason)
    return "bad_signature"


def _prove(runtime: Runtime, provider: str, agency_id: str, raw: bytes, headers: Mapping[str, str]) -> Outcome:
    """No provider is asked here: what proves the webhook is at hand."""
    with runtime.store.transaction() as tx:
        now = tx.as_of
        gateway, secret, _ = account_of(runtime, tx, provider, agency_id)
    if isinstance(gateway, str) or secret is None:
        return "unconfigured"
    event = as_online(gateway).parse_webhook(raw, headers, secret, now)
    with runtime.store.transaction() as tx:
        return keep(tx, provider, agency_id, event, raw)


def _keep_unproven(
    runtime: Runtime, claim: Claim, provider: str, *, agency_id: str, raw: bytes, headers: Mapping[str, str]
) -> Outcome:
    with runtime.store.transaction() as tx:
        told = claim(raw, headers, tx.as_of)
        if not account_of(runtime, tx, provider, agency_id).expects_webhooks:
            log.warning("webhook.unconfigured", provider=provider, agency_id=agency_id)
            return "unconfigured"
        return "kept" if unproven.keep(tx, agency_id, provider, raw, told) else "full"


class Account(NamedTuple):
    """An agency's account with a provider, as webhooks need it. `secret`: what proves them, None if it is not there (now)."""

    gateway: Gateway | str
    secret: str | None
    expects_webhooks: bool


def account_of(runtime: Runtime, tx: Transaction, provider: str, agency_id: str) -> Account:
    """The account; a word instead of the gateway says why it can't be used."""
    gateway = runtime.gateways(tx, agency_id).get(provider, "gateway_missing")
    names = [each.webhook_secret for each in accounts.configured(tx, agency_id) if each.provider == provider]
    name = names[0] if names else None
    return Account(gateway, None if name is None else runtime.read_secret(name), name is not None)


def keep(
    tx: Transaction, provider: str, agency_id: str, event: ProviderEvent, raw: bytes
) -> Literal["applied", "repeated"]:
    """Keep and apply a webhook that is proven."""
    inbox_id = _keep(
        tx,
        Arrived(
            source=f"/webhooks/{provider}/{agency_id}",
            id=event.id,
            agency_id=agency_id,
            type=event.type,
            time=event.at,
            raw=raw,
        ),
    )
    if inbox_id is None:
        return "repeated"
    apply(tx, provider, agency_id, event)
    inbox.settle_all(tx, {inbox_id: Settled("applied")})
    log.info("webhook.applied", provider=provider, agency_id=agency_id, type=event.type, id=event.id)
    return "applied"


def _keep(tx: Transaction, arrived: Arrived) -> int | None:
    """Keep a webhook. None if the same bytes were kept before; other bytes under the same id are kept, and count, too."""
    (inbox_id,) = inbox.store_all(tx, [arrived])
    if inbox_id is None and all(each.raw != arrived.raw for each in inbox.earlier(tx, [arrived])[arrived.identity]):
        digest = hashlib.sha256(arrived.raw).hexdigest()[:16]
        (inbox_id,) = inbox.store_all(tx, [arrived._replace(id=f"{arrived.id}#{digest}")])
    return inbox_id


def apply(tx: Transaction, provider: str, agency_id: str, event: ProviderEvent) -> None:
    """Wake what the event is about."""
    match event.about:
        case "payment" | "link":
            _payment(tx, provider, agency_id, event)
        case "refund":
            _refund(tx, provider, agency_id, event)
        case "dispute":
            _dispute(tx, provider, agency_id, event)
        case "reversal" if event.reference is not None and event.payment is not None:
            if refunds.by_reference(tx, agency_id, provider, event.reference) is None:
                _ask(tx, agency_id, provider, kind="reversal", reference=event.reference, event=event)
        case _:
            return


def _payment(tx: Transaction, provider: str, agency_id: str, event: ProviderEvent) -> None:
    if event.failed and event.payment is not None:
        # What was there has failed after all, as a debit may weeks later.
        _ask(tx, agency_id, provider, kind="payment", reference=event.payment, event=event)
    link = pay_links.named(tx, agency_id, provider, event.reference, event.key)
    if link is not None:
        lock_of_agency(tx, agency_id, [link.subscription_id], wait=True)
        fresh = pay_links.named(tx, agency_id, provider, event.reference, event.key)
        if fresh is not None:
            _wake_link(tx, agency_id, fresh, event)
        return
    charge = charges.named(tx, agency_id, provider, event.reference, event.key)
    if charge is None:
        return  # none of ours: the agency's account may have other uses
    lock_of_agency(tx, agency_id, [charge.subscription_id], wait=True)
    again = charges.named(tx, agency_id, provider, event.reference, event.key)
    woken = None if again is None else _woken(tx, again, event)
    if woken is not None:
        charges.write(tx, agency_id, [woken])


def _ask(tx: Transaction, agency_id: str, provider: str, *, kind: str, reference: str, event: ProviderEvent) -> None:
    """Ask what is gone of the payment that an event is about, under whichever of its names it is recorded."""
    payment = _ours(tx, agency_id, provider, event)
    if payment is not None:
        reversed_payments.ask(tx, agency_id, provider, kind=kind, reference=reference, payment_reference=payment)


def _ours(tx: Transaction, agency_id: str, provider: str, event: ProviderEvent) -> str | None:
    """The name under which a payment is recorded: a person may have named it by our key, upstream by another id of it."""
    names = [each for each in (event.payment, event.also, event.key) if each is not None]
    known = payments.by_references(tx, agency_id, provider, names) if names else {}
    return next((each for each in names if each in known), None)


def _wake_link(tx: Transaction, agency_id: str, link: PayLink, event: ProviderEvent) -> None:
    if link.state in pay_links.OPEN:
        reference = link.reference or (event.reference if event.about == "link" else None)
        pay_links.write(tx, agency_id, [link._replace(reference=reference, wake_at=tx.as_of)])
    elif link.state == "ended" and event.settled and not pay_links.open_of(tx, agency_id, [link.invoice_id]):
        # Paid all the same: checked once more. If another payment page is open, the reconciliation finds it.
        pay_links.write(
            tx, agency_id, [link._replace(state="paying", wake_at=tx.as_of, settled_at=None, doubtful_since=None)]
        )


def _woken(tx: Transaction, charge: Charge, event: ProviderEvent) -> Charge | None:
    """The attempt as it is to be looked at now; None if that is under way, or there is nothing to ask."""
    now = tx.as_of
    reference = charge.reference or event.reference
    if charge.state in ("unknown", "pending"):
        return charge._replace(reference=reference, planned_at=now, wake_at=now)
    if charge.state in ("declined", "action_required") and event.settled and charge.request is not None:
        return charge._replace(reference=event.reference or reference, doubtful_since=now, wake_at=now)
    return None


def _refund(tx: Transaction, provider: str, agency_id: str, event: ProviderEvent) -> None:
    if event.reference is None:
        return
    payment = _ours(tx, agency_id, provider, event)
    found = _locked_invoices(tx, provider, agency_id, payment)
    known = refunds.by_reference(tx, agency_id, provider, event.reference)
    if known is None and event.key is not None:
        known = refunds.by_key(tx, agency_id, event.key)
    if known is None:
        _refund_there(tx, provider, agency_id, event=event, payment=payment or "", found=found)
    elif known.state in ("unknown", "pending"):
        lock_of_agency(tx, agency_id, [known.subscription_id], wait=True)
        refunds.write(tx, agency_id, [known._replace(reference=event.reference, wake_at=tx.as_of)])
    elif known.state == "succeeded":
        # The client's bank may have sent it back.
        reversed_payments.ask(
            tx, agency_id, provider, kind="refund", reference=event.reference, payment_reference=known.payment_reference
        )


def _refund_there(
    tx: Transaction, provider: str, agency_id: str, *, event: ProviderEvent, payment: str, found: Sequence[Invoice]
) -> None:
    """A refund that is none of ours, of the first invoice under its payment that has so much left; also called a reversal
    it may report as a refund, too."""
    reference = event.reference or ""
    if not event.amount_minor or reversals.inquiry(tx, agency_id, provider, reference) is not None:
        return
    agency = facts.require_agency(tx, agency_id)
    for invoice in found:
        if (
            found_at_provider(
                tx,
                agency,
                invoice,
                source=provider,
                payment_reference=payment,
                reference=reference,
                amount_minor=event.amount_minor,
            )
            is not None
        ):
            return


def _dispute(tx: Transaction, provider: str, agency_id: str, event: ProviderEvent) -> None:
    """What became of a dispute is asked, of a new one too: a debit that was returned is lost from its beginning."""
    if event.reference is None:
        return
    known = payments.by_references(tx, agency_id, provider, [payment for _, payment in event.disputed])
    asked = [(reference, payment) for reference, payment in event.disputed if payment in known]
    for reference, payment in asked:
        reversed_payments.ask(tx, agency_id, provider, kind="dispute", reference=reference, payment_reference=payment)
    if not asked or not event.type.lower().endswith("dispute.created"):
        return
    for invoice in _locked_invoices(tx, provider, agency_id, asked[0][1])[:1]:
        tx.record(
            event_data.PaymentDisputed(
                **of_invoice(agency_id, invoice),
                provider=provider,
                reference=event.reference,
                amount_minor=event.amount_minor,
                currency=event.currency,
            )
        )
        said = notice_data.PaymentDisputed(**facts_of(invoice), provider=provider, dispute=event.reference)
        agency = facts.require_agency(tx, agency_id)
        notify(tx, agency, [about_invoice(invoice, said, AGENCY, event.reference)])


def _locked_invoices(tx: Transaction, provider: str, agency_id: str, payment: str | None) -> list[Invoice]:
    """The invoices that a payment paid, with their subscriptions locked."""
    under = [] if payment is None else payments.under(tx, agency_id, provider, payment)
    loaded = locked_invoices(tx, agency_id, [each.invoice_id for each in under])
    return [loaded[each.invoice_id] for each in under]
