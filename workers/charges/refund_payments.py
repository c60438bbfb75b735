"""Due refunds → money that went back, or a reason. The same three steps as for charges: claim, call, settle."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog

from shared.billing.account_health import REFUSED_ACCOUNT, keep_accounts
from shared.billing.event_fields import of_refund
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.billing.refund_payments import fail, succeed
from shared.documents import notice_data
from shared.domain.charging import InDoubt
from shared.domain.dunning import doubling
from shared.domain.facts import Agency
from shared.domain.retry_times import GATEWAY_MISSING, net_at
from shared.domain.states import REFUND_ANSWERS, REFUND_MOVES, IllegalMoveError, check_move
from shared.domain.unknown_outcomes import NEEDS_A_PERSON, is_remembered, needs_a_person, next_step
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Found,
    Gateway,
    NotSent,
    NotYetKnowable,
    Pending,
    RefundRequest,
    Sent,
    Succeeded,
    Unknown,
)
from shared.gateways.providers import provider_of
from shared.messages import event_data
from shared.store import facts, invoices, refunds
from shared.store.database import Store, Transaction
from shared.store.invoices import Invoice
from shared.store.locks import lock_of_agency
from shared.store.refunds import Refund
from workers.charges.outcomes import answer_name, provider_answer
from workers.charges.unrecorded import UNRECORDED
from workers.charges.unsuccessful import FIRST_LOOK, LATEST_LOOK
from workers.gateway_accounts import GatewaysOf

log = structlog.get_logger()


class RefundCall(NamedTuple):
    """A call to make while no transaction is open; `sent` if the refund may have gone out before and is asked about first.

    `again`: an earlier claim may have sent it, so to be refused now says nothing about that.
    `remembered`: the request may be sent again, for its key still means the same refund.
    """

    refund: Refund
    gateway: Gateway
    request: RefundRequest
    sent: Sent | None
    again: bool
    remembered: bool


def claim_refunds(
    store: Store, gateways: GatewaysOf, agency_id: str, ids: Sequence[str], lease: timedelta
) -> list[RefundCall]:
    """Claim the due refunds of these invoices and commit: a claim that was rolled back must never go out."""
    with store.transaction() as tx:
        wanted = refunds.due(tx, agency_id, ids)
        if not wanted:
            return []
        locked = lock_of_agency(tx, agency_id, [id_ for _, id_ in wanted], wait=True)
        found = refunds.of_invoices(tx, agency_id, [id_ for id_, subscription in wanted if subscription in locked])
        usable = gateways(tx, agency_id)
        decided = [_decide(tx, agency_id, usable, refund) for refund in found if _is_due(tx, refund)]
        calls = [each for each in decided if isinstance(each, RefundCall)]
        until = tx.as_of + lease
        claimed = [
            each.refund._replace(
                state="sending" if each.refund.state == "due" else each.refund.state,
                sent_at=each.refund.sent_at or tx.as_of,
                lease_until=until,
                wake_at=until,
            )
            for each in calls
        ]
        refunds.write(tx, agency_id, [*claimed, *(each for each in decided if isinstance(each, Refund))])
        return [call._replace(refund=refund) for call, refund in zip(calls, claimed, strict=True)]


def _is_due(tx: Transaction, refund: Refund) -> bool:
    free = refund.lease_until is None or refund.lease_until <= tx.as_of
    return refund.state in ("due", "sending", "unknown", "pending") and free


def _decide(
    tx: Transaction, agency_id: str, usable: Mapping[str, Gateway | str], refund: Refund
) -> RefundCall | Refund:
    gateway = usable.get(refund.source, "gateway_missing")
    if isinstance(gateway, str):
        return refund._replace(code=gateway, wake_at=tx.as_of + GATEWAY_MISSING)
    call = RefundCall(
        refund=refund._replace(fence=refund.fence + 1),
        gateway=gateway,
        request=refund_request(agency_id, refund),
        sent=None,
        again=False,
        remembered=True,
    )
    if refund.sent_at is None:
        return call
    remembered = is_remembered(provider_of(refund.source).refund_key_retention, refund.sent_at, tx.as_of)
    step = next_step(
        remembered=remembered,
        reference=refund.reference,
        doubtful_since=refund.doubtful_since,
        now=tx.as_of,
    )
    return call._replace(
        sent=Sent(refund.sent_at, refund.reference) if step == "lookup" else None,
        again=True,
        remembered=remembered,
    )


def ask(call: RefundCall) -> Found:
    """Call the gateway: send the refund, again under its key if need be, or ask what became of it."""
    try:
        if call.sent is None:
            return call.gateway.refund(call.request)
        found = call.gateway.find_refund(call.request, call.sent)
        if isinstance(found, NotYetKnowable) and call.remembered and call.sent.reference is None:
            return call.gateway.refund(call.request)
        return found
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, money may have moved
        log.error("gateway.raised", invoice_id=call.refund.invoice_id, error=type(error).__name__)
        return Unknown(f"adapter raised {type(error).__name__}")


def refund_request(agency_id: str, refund: Refund) -> RefundRequest:
    """A refund as its provider is asked for it, and about it."""
    return RefundRequest(
        agency_id=agency_id,
        invoice_id=refund.invoice_id,
        refund_seq=refund.refund_seq,
        key=refund.key,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        payment_reference=refund.payment_reference,
    )


def settle_refund(store: Store, agency_id: str, call: RefundCall, found: Found) -> None:
    """Write what came of a call, unless another worker has claimed the refund since: it then asks for itself."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [call.refund.subscription_id], wait=True)
        rows = refunds.of_invoices(tx, agency_id, [call.refund.invoice_id])
        refund = next((each for each in rows if each.refund_seq == call.refund.refund_seq), None)
        meant = Unknown("") if call.again and isinstance(found, NotSent) else found
        held = refund is not None and refund.fence == call.refund.fence
        after = REFUND_ANSWERS[refund.state][answer_name(meant)] if refund is not None and held else None
        if refund is None or after is None:
            _keep_evidence(tx, agency_id, call.refund, found)
            return
        agency = facts.require_agency(tx, agency_id)
        invoice = invoices.load(tx, agency_id, [refund.invoice_id])[refund.invoice_id]
        known = refund._replace(code=None) if (refund.code or "").startswith(UNRECORDED) else refund
        _follow(tx, agency, invoice, refund=known, found=meant, after=after)
        keep_accounts(tx, agency, [(refund.source, found)], asked=call.sent is not None)


def _keep_evidence(tx: Transaction, agency_id: str, refund: Refund, found: Found) -> None:
    """Another worker has claimed it since, and asks for itself; or it has ended."""
    log.warning("refund.answered_late", invoice_id=refund.invoice_id, refund_seq=refund.refund_seq)
    invoice = invoices.load(tx, agency_id, [refund.invoice_id])[refund.invoice_id]
    of = of_refund(agency_id, refund, invoice)
    tx.record(event_data.RefundAnsweredLate(**of, answer=provider_answer(found)))


def _follow(tx: Transaction, agency: Agency, invoice: Invoice, *, refund: Refund, found: Found, after: str) -> None:
    match after, found:
        case "succeeded", Succeeded(reference):
            succeed(tx, agency, invoice, refund, reference)
        case "failed", (Declined(code) | ActionRequired(code)):
            fail(tx, agency, invoice, refund, code)
        case "due", NotSent(_, code, "account"):
            _again(tx, agency, refund._replace(code=f"{REFUSED_ACCOUNT}:{code}"))
        case "due", NotSent(_, code):
            _again(tx, agency, refund._replace(code=code))
        case "due", _:
            _again(tx, agency, refund)
        case (("pending" | "unknown"), Pending(reference)):
            _wait(tx, agency, invoice, refund._replace(reference=reference), after)
        case (("pending" | "unknown"), _):
            _wait(tx, agency, invoice, refund, after)
        case _:
            raise IllegalMoveError(f"refund: {refund.state} → {after} is answered by nobody")


def _again(tx: Transaction, agency: Agency, refund: Refund) -> None:
    """The provider never got it: the same request goes out again under the same key, with waits that grow."""
    check_move(REFUND_MOVES, "refund", refund.state, "due")
    since = refund.doubtful_since or tx.as_of
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    again = refund._replace(state="due", sent_at=None, doubtful_since=since, wake_at=at, lease_until=None)
    refunds.write(tx, agency.agency_id, [again])


def _wait(tx: Transaction, agency: Agency, invoice: Invoice, refund: Refund, state: InDoubt) -> None:
    """The provider has not said, or not finally: ask again. After three days without a word, or thirty in which it was
    accepted, the agency is asked, once."""
    since = (refund.doubtful_since if state == refund.state else None) or tx.as_of
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    code = refund.code
    if state != refund.state:
        check_move(REFUND_MOVES, "refund", refund.state, state)
        waits = event_data.RefundPending if state == "pending" else event_data.RefundUnknown
        tx.record(waits(**of_refund(agency.agency_id, refund, invoice)))
    if code != NEEDS_A_PERSON and needs_a_person(since, tx.as_of, pending=state == "pending"):
        code = NEEDS_A_PERSON
        said = notice_data.RefundInDoubt(
            **facts_of(invoice),
            since=since.date(),
            provider=refund.source,
            key=refund.key,
            refund_seq=refund.refund_seq,
            refunded_minor=refund.amount_minor,
        )
        notify(tx, agency, [about_invoice(invoice, said, AGENCY, str(refund.refund_seq))])
    waiting = refund._replace(state=state, doubtful_since=since, wake_at=at, lease_until=None, code=code)
    refunds.write(tx, agency.agency_id, [waiting])
