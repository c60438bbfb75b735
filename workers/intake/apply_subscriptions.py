"""Subscriptions: their state by revision, their two streams, and the resumption of a stopped series."""

from datetime import date, datetime
from typing import Any

from shared.billing import invoice_series
from shared.billing.checkout import settle_initial_payments
from shared.domain.calendar import Unit, due_at, local_date
from shared.domain.facts import INVOICE, ORDER, Agency, Stream, Subscription, in_force
from shared.domain.keys import OUR_FORMS, is_our_form
from shared.domain.planning import CANCELLED, Schedule
from shared.messages import Change, SubscriptionResumed, SubscriptionUpserted, content_digest
from shared.store import cycles, fact_buffer, facts, schedules, tables
from shared.store.database import Transaction
from shared.store.fact_buffer import FactBuffer
from shared.store.locks import lock_subscriptions
from workers.intake import bill_from, checkout_money
from workers.intake.references import arrivals_of
from workers.intake.verdicts import Accepted, Applied, Refused, Stale, Verdict, Waits, compare


def subscription(work: FactBuffer, change: Change, data: SubscriptionUpserted) -> Verdict:
    """The whole state of a subscription. What it refers to must be known; else it waits for that."""
    agency = work.agency(data.agency_id)
    if agency is None:
        return Waits(f"agency/{data.agency_id}")
    missing = _missing(work, data)
    if missing is not None:
        return Waits(missing)
    stored = work.standing(tables.subscriptions, data.agency_id, data.subscription_id)
    accepted = compare(change, data.revision, stored)
    if stored is None and isinstance(accepted, Accepted):
        return _begin(work, agency, change, data, accepted)
    # From here on the subscription has rows that other work may hold: its lock, and statements of its own.
    work.flush()
    lock_subscriptions(work.tx, [(data.agency_id, data.subscription_id)], wait=True)
    verdict = _follow(work, agency, change, data, accepted)
    work.flush()
    work.forget()
    return verdict


def _begin(work: FactBuffer, agency: Agency, change: Change, data: SubscriptionUpserted, accepted: Accepted) -> Verdict:
    """The first that is heard of it."""
    refused = _order_id_refused(work, data)
    if refused is not None:
        return refused
    history = _history(agency, data, accepted.effective_at, accepted.digest)
    key = (data.agency_id, data.subscription_id)
    work.upsert(tables.subscriptions, key, {**history, **_fixed(data), "known_since": change.time})
    work.insert(tables.subscription_revisions, {**_keys(data), **history})
    _plan_streams(work, agency, data, change.time)
    if data.status == "cancelled" and data.checkout == "manual" and data.initial_payment is not None:
        work.flush()
        settle_initial_payments(work.tx, agency, [data.subscription_id])
    return Applied(arrivals_of(data))


def _follow(
    work: FactBuffer, agency: Agency, change: Change, data: SubscriptionUpserted, accepted: Accepted | Verdict
) -> Verdict:
    """A revision of what is known, its lock held."""
    if isinstance(accepted, Stale):
        stored = facts.subscriptions(work.tx, data.agency_id, [data.subscription_id])[data.subscription_id]
        unkept = checkout_money.refused(work.tx, stored, data) or bill_from.late_refused(work.tx, agency, stored, data)
        if unkept is not None:
            return unkept
        checkout_money.take_late(work.tx, agency, stored, data)
        bill_from.take_late(work.tx, agency, stored, data)
        fact_buffer.known_earlier(work.tx, data.agency_id, data.subscription_id, change.time)
        late = _history(agency, data, change.time, content_digest(data))
        fact_buffer.keep_late(work.tx, tables.subscription_revisions, _keys(data), late)
        if stored.ended_at is None:
            _restart(work.tx, agency, data)
    if not isinstance(accepted, Accepted):
        return accepted
    before = facts.subscriptions(work.tx, data.agency_id, [data.subscription_id])[data.subscription_id]
    refused = _refused(work, agency, before, data)
    if refused is not None:
        return refused
    _update(work, agency, before, data, accepted)
    return Applied(arrivals_of(data))


def _keys(data: SubscriptionUpserted) -> dict[str, str]:
    return {"agency_id": data.agency_id, "subscription_id": data.subscription_id}


def _missing(work: FactBuffer, data: SubscriptionUpserted) -> str | None:
    if not work.known(tables.clients, data.agency_id, data.client_id):
        return f"client/{data.client_id}"
    if not work.known(tables.services, data.agency_id, data.service_id):
        return f"service/{data.service_id}"
    return None


def _order_id_refused(work: FactBuffer, data: SubscriptionUpserted) -> Refused | None:
    if data.order_id is None:
        return None
    if is_our_form(data.order_id):
        return Refused(
            "data.order_id", f"begins with a prefix reserved for our own ids ({OUR_FORMS}); send an id of your own"
        )
    if work.order_id_taken(data.agency_id, data.order_id, data.subscription_id):
        return Refused("data.order_id", "another subscription has this order; send an id of its own")
    return None


def _refused(work: FactBuffer, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """What can't change once it is written, and ids that belong to another subscription."""
    refused = _order_id_refused(work, data)
    if refused is not None:
        return refused
    if stored.ended_at is not None and data.status != "cancelled":
        return Refused(
            "data.status",
            f"dunning ended this subscription at {stored.ended_at:%Y-%m-%dT%H:%M:%SZ} ({stored.ended_reason}) and it stays"
            " ended; send a new subscription, or status cancelled to agree",
        )
    if stored.checkout != data.checkout:
        return Refused("data.checkout", f"is {stored.checkout} and can't change; cancel and send a new subscription")
    if stored.starts_on != data.starts_on and fact_buffer.has_document(work.tx, data.agency_id, data.subscription_id):
        return Refused(
            "data.starts_on",
            f"is fixed at {stored.starts_on} since the first cycle has a document; cancel and send a new subscription",
        )
    return checkout_money.refused(work.tx, stored, data) or bill_from.refused(work.tx, agency, stored, data)


def _history(agency: Agency, data: SubscriptionUpserted, effective_at: datetime, digest: str) -> dict[str, Any]:
    """What may change over time; a cancellation without a date counts from the agency's local day."""
    today = local_date(effective_at, agency.timezone) if data.status == "cancelled" else None
    return {
        "client_id": data.client_id,
        "service_id": data.service_id,
        "status": data.status,
        "cancel_on": data.cancel_on or today,
        "quantity": data.quantity,
        "collection": data.collection_or_default,
        "digest": digest,
        "revision": data.revision,
        "effective_at": effective_at,
    }


def _fixed(data: SubscriptionUpserted) -> dict[str, Any]:
    """What has no history."""
    return {
        "checkout": data.checkout,
        "starts_on": data.starts_on,
        "order_id": data.order_id,
        "bill_from": data.bill_from,
        "initial_payment": checkout_money.encoded(data),
    }


def _plan_streams(work: FactBuffer, agency: Agency, data: SubscriptionUpserted, known_since: datetime) -> None:
    """Both streams are anchored at the start date; a manual order's invoices wait for their first one as an anchor.

    They recur by the service as it was when the subscription became known, as its price does; what changed later is found by a
    recheck.
    """
    service = work.service(data.agency_id, data.service_id)
    if service.effective_at > known_since:
        work.flush()
        revisions = facts.service_revisions(work.tx, data.agency_id, [data.service_id])[data.service_id]
        service = in_force(revisions, known_since)
        later = min(each.effective_at for each in revisions if each.effective_at > known_since)
        work.recheck(data.agency_id, "service", data.service_id, later)
    planned = []
    for stream in (ORDER, INVOICE):
        anchored = stream == ORDER or data.checkout == "self_checkout"
        recurs: tuple[Unit, int] = (
            (service.order_unit, service.order_every) if stream == ORDER else (service.unit, service.every)
        )
        planned.append(_schedule(agency, data, stream, data.starts_on if anchored else None, recurs))
    work.add_schedules(planned)


def _schedule(
    agency: Agency, data: SubscriptionUpserted, stream: Stream, anchor_on: date | None, recurs: tuple[Unit, int]
) -> Schedule:
    return Schedule(
        agency_id=data.agency_id,
        subscription_id=data.subscription_id,
        stream=stream,
        anchor_on=anchor_on,
        anchor_index=0,
        unit=recurs[0],
        every=recurs[1],
        epoch=0,
        next_index=0,
        next_at=None if anchor_on is None else due_at(anchor_on, agency.timezone, agency.issue_time),
        planned_until=anchor_on,
        stopped_reason=None,
        resumed_index=0,
    )


def _update(
    work: FactBuffer, agency: Agency, before: Subscription, data: SubscriptionUpserted, accepted: Accepted
) -> None:
    history = _history(agency, data, accepted.effective_at, accepted.digest)
    fixed = _fixed(data)
    for once in ("initial_payment", "bill_from"):
        if fixed[once] is None:
            del fixed[once]  # what was sent once stays: money, and where billing begins
    fact_buffer.change(work.tx, tables.subscriptions, _keys(data), {**history, **fixed})
    work.insert(tables.subscription_revisions, {**_keys(data), **history})
    if before.starts_on != data.starts_on:
        fact_buffer.forget_cycles(work.tx, data.agency_id, data.subscription_id)
        _plan_streams(work, agency, data, before.known_since)
        work.flush()
    elif before.ended_at is None:
        _restart(work.tx, agency, data)
    bill_from.apply(work.tx, agency, before, data)
    settle_initial_payments(work.tx, agency, [data.subscription_id])
    # A hold, an error or a recurrence may look different by this revision.
    work.recheck(data.agency_id, "subscription", data.subscription_id, accepted.effective_at)


def _restart(tx: Transaction, agency: Agency, data: SubscriptionUpserted) -> None:
    """A cancellation was taken back or moved, or is known now to be a later one: plan decides again from the next boundary."""
    again = []
    for bounded in schedules.load(tx, data.agency_id, data.subscription_id).values():
        schedule = bounded.schedule
        if schedule.stopped_reason == CANCELLED:
            at = due_at(schedule.boundary(schedule.next_index), agency.timezone, agency.issue_time)
            again.append(schedule._replace(next_at=at, stopped_reason=None))
    schedules.rewrite(tx, data.agency_id, again)


def resumed(tx: Transaction, change: Change, data: SubscriptionResumed) -> Verdict:
    """A stopped invoice series goes on; what is not stopped can't be resumed."""
    agency = facts.agency(tx, data.agency_id)
    locked = lock_subscriptions(tx, [(data.agency_id, data.subscription_id)], wait=True)
    if agency is None or not locked:
        return Waits(f"subscription/{data.subscription_id}")
    from_on = data.from_ if isinstance(data.from_, date) else None
    if not invoice_series.resume(tx, agency, [data.subscription_id], from_on, change.time):
        return Refused("data.subscription_id", _why_not_stopped(tx, data))
    cycles.wake_blocked(tx, data.agency_id, [data.subscription_id])
    return Applied()


def _why_not_stopped(tx: Transaction, data: SubscriptionResumed) -> str:
    """What there is to do instead of resuming invoices that are not stopped."""
    subscription = facts.subscriptions(tx, data.agency_id, [data.subscription_id])[data.subscription_id]
    if subscription.ended_reason is not None:
        return f"dunning ended this subscription ({subscription.ended_reason}) for good; send a new subscription"
    if schedules.load(tx, data.agency_id, data.subscription_id)[INVOICE].schedule.stopped_reason not in (
        None,
        CANCELLED,
    ):
        return (
            "the subscription is cancelled before its invoices would go on; send subscription.upserted with status active"
            " and no cancel_on, or a later one, and then this message again under an id of its own"
        )
    if subscription.status == "paused":
        return "the subscription is paused, its invoices are not stopped; send subscription.upserted with status active"
    if subscription.cancelled:
        return (
            "the subscription is cancelled, its invoices are not stopped; send subscription.upserted with status active"
        )
    return (
        "its invoices are not stopped, so there is nothing to resume; only a void or uncollectible invoice stops them"
    )
