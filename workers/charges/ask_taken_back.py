"""What webhooks said of money that is gone → the provider's own word on it. The same three steps: claim, ask, settle."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import structlog

from shared.billing import reversed_payments
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.billing.refund_payments import fail
from shared.billing.reversed_payments import BY_HAND
from shared.documents import notice_data
from shared.domain.dunning import doubling
from shared.domain.facts import Agency
from shared.domain.unknown_outcomes import NEEDS_A_PERSON, needs_a_person
from shared.gateways.capabilities import as_online
from shared.gateways.port import (
    Declined,
    Found,
    Gateway,
    NotYetKnowable,
    OnlineGateway,
    Sent,
    Succeeded,
    TakenBack,
)
from shared.store import facts, invoices, refunds, reversals
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from shared.store.refunds import Refund
from shared.store.reversals import Inquiry
from workers.charges.refund_payments import refund_request
from workers.charges.unsuccessful import FIRST_LOOK, LATEST_LOOK
from workers.gateway_accounts import GatewaysOf

ASKED_FOR: Final = timedelta(days=30)
RETURNED: Final = "returned"
log = structlog.get_logger()


class Question(NamedTuple):
    """A question to ask while no transaction is open; `refund` where it is about one of ours."""

    inquiry: Inquiry
    gateway: OnlineGateway | None
    agency_id: str
    refund: Refund | None


def claim_questions(
    store: Store, gateways: GatewaysOf, agency_id: str, ids: Sequence[str], lease: timedelta
) -> list[Question]:
    """The questions to ask about payments of these invoices. Asking twice does no harm, so a lease is all there is.

    Without a gateway: nobody can be asked now, or a person has said it and nobody is asked ever.
    """
    with store.transaction() as tx:
        due = reversals.due(tx, agency_id, ids)
        if not due:
            return []
        lock_of_agency(tx, agency_id, [each.subscription_id for each in due], wait=True)
        again = {each.reference: each for each in reversals.due(tx, agency_id, ids)}
        usable = gateways(tx, agency_id)
        still = [again[each.reference] for each in due if each.reference in again]
        ours = [(each.provider, each.reference) for each in still if each.kind == "refund"]
        refunded = refunds.by_references(tx, agency_id, ours) if ours else {}
        asked = [_question(usable, agency_id, each, refunded) for each in still]
        until = tx.as_of + lease
        reversals.write(tx, agency_id, [each.inquiry._replace(wake_at=until) for each in asked])
    return asked


def _question(
    usable: Mapping[str, Gateway | str],
    agency_id: str,
    inquiry: Inquiry,
    refunded: Mapping[tuple[str, str], Refund],
) -> Question:
    gateway = usable.get(inquiry.provider, "gateway_missing")
    if isinstance(gateway, str) or inquiry.kind == BY_HAND:
        return Question(inquiry, None, agency_id, None)
    refund = refunded.get((inquiry.provider, inquiry.reference))
    return Question(inquiry, as_online(gateway), agency_id, refund)


def ask(question: Question) -> TakenBack | Found:
    """Ask the provider."""
    inquiry, refund, gateway = question.inquiry, question.refund, question.gateway
    if gateway is None:
        return NotYetKnowable("nobody is asked")
    try:
        if refund is None:
            return gateway.taken_back(inquiry.kind, inquiry.reference)
        request = refund_request(question.agency_id, refund)
        return gateway.find_refund(request, Sent(refund.sent_at or refund.requested_at, refund.reference))
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, it is asked again
        log.error("gateway.raised", invoice_id=inquiry.invoice_id, error=type(error).__name__)
        return NotYetKnowable(f"adapter raised {type(error).__name__}")


def settle_question(store: Store, agency_id: str, asked: Inquiry, found: TakenBack | Found) -> None:
    """Write what the provider says; without an answer it is asked again.

    If more was heard since it was asked, the answer may be older than that: the newer question is asked for itself.
    """
    with store.transaction() as tx:
        inquiry = reversed_payments.locked(tx, agency_id, asked)
        if inquiry is None or inquiry.state != "asking" or inquiry.asked_since != asked.asked_since:
            return
        agency = facts.require_agency(tx, agency_id)
        match found:
            case _ if inquiry.kind == BY_HAND:
                reversed_payments.answered(tx, agency, inquiry, inquiry.amount_minor or 0)
            case TakenBack(amount, currency) if _is_in(tx, agency_id, inquiry, currency):
                reversed_payments.answered(tx, agency, inquiry, amount)
            case Declined() if inquiry.kind == "refund":
                _returned(tx, agency, inquiry)
            case Succeeded() if inquiry.kind == "refund":
                reversals.write(tx, agency_id, [_done(tx, inquiry)])
            case _:
                _later(tx, agency, inquiry)


def _is_in(tx: Transaction, agency_id: str, inquiry: Inquiry, currency: str) -> bool:
    """An amount in another currency than the payment's can't be recorded: a person has to look."""
    left = reversals.left_of(tx, agency_id, inquiry.provider, inquiry.payment_reference)
    return {each.currency for each in left} == {currency}


def _returned(tx: Transaction, agency: Agency, inquiry: Inquiry) -> None:
    """The client's bank has sent a refund back: it failed after all, and can be repeated, or recorded as given outside."""
    agency_id = agency.agency_id
    reversals.write(tx, agency_id, [_done(tx, inquiry)])
    refund = refunds.by_reference(tx, agency_id, inquiry.provider, inquiry.reference)
    if refund is not None and refund.state == "succeeded":
        invoice = invoices.load(tx, agency_id, [refund.invoice_id])[refund.invoice_id]
        fail(tx, agency, invoice, refund, RETURNED)


def _done(tx: Transaction, inquiry: Inquiry) -> Inquiry:
    return inquiry._replace(state="answered", answered_at=tx.as_of, wake_at=None)


def _later(tx: Transaction, agency: Agency, inquiry: Inquiry) -> None:
    """Ask again, with waits that grow. After three days without an answer the agency is notified, once; after thirty it
    ends."""
    since = inquiry.asked_since
    last_at = since + ASKED_FOR
    over = tx.as_of >= last_at
    if needs_a_person(since, tx.as_of):
        invoice = invoices.load(tx, agency.agency_id, [inquiry.invoice_id])[inquiry.invoice_id]
        said = notice_data.ReversalInDoubt(
            **facts_of(invoice),
            since=since.date(),
            until=last_at.date(),
            provider=inquiry.provider,
            reference=inquiry.reference,
            payment_reference=inquiry.payment_reference,
        )
        instance = f"{inquiry.reference}/{since.isoformat()}"
        notify(tx, agency, [about_invoice(invoice, said, AGENCY, instance)])
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), max(last_at, tx.as_of))
    waiting = inquiry._replace(code=NEEDS_A_PERSON if needs_a_person(since, tx.as_of) else None, wake_at=at)
    ended = inquiry._replace(state="unanswered", code=NEEDS_A_PERSON, wake_at=None)
    reversals.write(tx, agency.agency_id, [ended if over else waiting])
