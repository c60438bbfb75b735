"""What a checkout took for the first period: it pays the first invoice, whenever upstream sends it; or the agency is
notified."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from shared.billing.notify import AGENCY, Draft, notify
from shared.billing.receive_payments import receive
from shared.documents import notice_data
from shared.domain.facts import INVOICE, Agency, InitialPayment, Subscription
from shared.domain.keys import joined
from shared.domain.planning import CANCELLED
from shared.messages import event_data
from shared.store import facts, invoice_cycles, payments, schedules
from shared.store.database import Transaction
from shared.store.invoice_cycles import First
from shared.store.payments import Payment, Unapplied

# The first invoice is in another currency than the money that the checkout took.
OTHER_CURRENCY = "other_currency"


class _Taken(NamedTuple):
    """An initial payment with the first cycle that it was for, None while that is not planned."""

    subscription: Subscription
    payment: InitialPayment
    first: First | None


def taken_at_checkout(subscription: Subscription, cycle_index: int, invoice_id: str) -> tuple[Payment, ...]:
    """The checkout's payment belongs to cycle 0; an amount below the total leaves an outstanding amount to be charged."""
    paid = subscription.initial_payment
    if paid is None or cycle_index != 0:
        return ()
    return (_payment(paid, invoice_id),)


def settle_initial_payments(tx: Transaction, agency: Agency, ids: Collection[str]) -> None:
    """Of locked subscriptions: record the initial payment for the first invoice, or as money that none asks for.

    Nothing is done while the first invoice may still come, and for money that is recorded already. Money in another currency
    than the first invoice's can't pay it.
    """
    taken = _read(tx, agency.agency_id, ids)
    arrived = [
        _payment(each.payment, each.first.invoice_id)
        for each in taken
        if each.first is not None and each.first.invoice_id is not None and each.first.currency == each.payment.currency
    ]
    if arrived:
        payments.apply_unapplied(tx, agency.agency_id, ids, arrived)
        receive(tx, agency, arrived)
    _tell_unapplied(tx, agency, _without_invoice(tx, agency, taken))


def _read(tx: Transaction, agency_id: str, ids: Collection[str]) -> list[_Taken]:
    if not ids:
        return []
    found = facts.subscriptions(tx, agency_id, ids)
    paid = [(each, each.initial_payment) for each in found.values() if each.initial_payment is not None]
    if not paid:
        return []
    firsts = invoice_cycles.first_of(tx, agency_id, [each.subscription_id for each, _ in paid])
    recorded = payments.of_subscriptions(tx, agency_id, [each.subscription_id for each, _ in paid])
    return [
        _Taken(each, payment, firsts.get(each.subscription_id))
        for each, payment in paid
        if (each.subscription_id, payment.provider, payment.reference) not in recorded
    ]


def _without_invoice(tx: Transaction, agency: Agency, taken: Collection[_Taken]) -> list[Unapplied]:
    to_come = [each.subscription for each in taken if each.first is None]
    reasons = _why_none(tx, agency, to_come) if to_come else {}
    found = []
    for subscription, payment, first in taken:
        reason = reasons.get(subscription.subscription_id) if first is None else _why_not(first, payment)
        if reason is not None:
            unapplied = Unapplied(
                subscription_id=subscription.subscription_id,
                source=payment.provider,
                reference=payment.reference,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                reason=reason,
                received_at=payment.paid_at,
            )
            found.append(unapplied)
    return found


def _why_not(first: First, payment: InitialPayment) -> str | None:
    """Why the first cycle has no invoice that this money can pay. None while it may get one, and if it can."""
    if first.invoice_id is not None and first.currency != payment.currency:
        return OTHER_CURRENCY
    return first.ended_because


def _why_none(tx: Transaction, agency: Agency, found: Sequence[Subscription]) -> dict[str, str]:
    """By subscription, why there will be no first cycle: it ended before it. Absent while there may be one."""
    pairs = [(agency.agency_id, each.subscription_id) for each in found]
    planned = {
        each.schedule.subscription_id: each.schedule
        for each in schedules.with_limits(tx, pairs, due_only=False)
        if each.schedule.stream == INVOICE
    }
    reasons = {}
    for each in found:
        schedule = planned[each.subscription_id]
        over = CANCELLED if schedule.anchor_on is None and each.cancelled else None
        reason = each.ended_reason or schedule.stopped_reason or over
        if reason is not None:
            reasons[each.subscription_id] = reason
    return reasons


def _tell_unapplied(tx: Transaction, agency: Agency, unapplied: Collection[Unapplied]) -> None:
    if not unapplied:
        return
    new = payments.keep_unapplied(tx, agency.agency_id, list(unapplied))
    drafts = []
    for each in unapplied:
        if (each.subscription_id, each.source, each.reference) not in new:
            continue
        tx.record(
            event_data.PaymentUnapplied(
                agency_id=agency.agency_id,
                subscription_id=each.subscription_id,
                source=each.source,
                reference=each.reference,
                amount_minor=each.amount_minor,
                currency=each.currency,
                reason=each.reason,
                received_at=each.received_at,
            )
        )
        said = notice_data.PaymentUnapplied(
            subscription_id=each.subscription_id,
            surplus_minor=each.amount_minor,
            currency=each.currency,
            reason=each.reason,
            reference=each.reference,
        )
        instance = joined(each.source, each.reference)
        drafts.append(
            Draft(
                said=said,
                audience=AGENCY,
                about=each.subscription_id,
                subscription_id=each.subscription_id,
                client_id=None,
                invoice_id=None,
                instance=instance,
            )
        )
    notify(tx, agency, drafts)


def _payment(paid: InitialPayment, invoice_id: str) -> Payment:
    return Payment(
        source=paid.provider,
        reference=paid.reference,
        invoice_id=invoice_id,
        amount_minor=paid.amount_minor,
        currency=paid.currency,
        received_at=paid.paid_at,
    )
