"""Subscriptions: their state by revision, their two streams, and the resumption of a stopped series."""

from datetime import date, datetime
from typing import Any

import msgspec

from shared.acts import series
from shared.domain.cycles import Unit, due_at, local_date
from shared.domain.facts import INVOICE, ORDER, Agency, Stream, Subscription
from shared.domain.planning import CANCELLED, Schedule
from shared.messages import Change, SubscriptionResumed, SubscriptionUpserted, content_digest
from shared.store import cycles, facts, schedules, tables, upserts
from shared.store.locks import lock_subscriptions
from shared.store.transaction import Tx
from shared.store.unit_of_work import UnitOfWork
from workers.intake.naming import arrivals_of
from workers.intake.verdicts import Accepted, Applied, Refused, Stale, Verdict, Waits, compare


def subscription(work: UnitOfWork, change: Change, data: SubscriptionUpserted) -> Verdict:
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


def _begin(work: UnitOfWork, agency: Agency, change: Change, data: SubscriptionUpserted, accepted: Accepted) -> Verdict:
    """The first that is heard of it."""
    if _order_id_taken(work, data):
        return _ORDER_ID_TAKEN
    history = _history(agency, data, accepted.effective_at, accepted.digest)
    key = (data.agency_id, data.subscription_id)
    work.upsert(tables.subscriptions, key, {**history, **_fixed(data), "known_since": change.time})
    work.insert(tables.subscription_revisions, {**_keys(data), **history})
    _plan_streams(work, agency, data)
    return Applied(arrivals_of(data))


def _follow(
    work: UnitOfWork, agency: Agency, change: Change, data: SubscriptionUpserted, accepted: Accepted | Verdict
) -> Verdict:
    """A revision of what is known, its lock held."""
    if isinstance(accepted, Stale):
        upserts.known_earlier(work.tx, data.agency_id, data.subscription_id, change.time)
        late = _history(agency, data, change.time, content_digest(data))
        upserts.keep_late(work.tx, tables.subscription_revisions, _keys(data), late)
    if not isinstance(accepted, Accepted):
        return accepted
    before = facts.subscriptions(work.tx, data.agency_id, [data.subscription_id])[data.subscription_id]
    refused = _refused(work, before, data)
    if refused is not None:
        return refused
    _update(work, agency, before, data, accepted)
    return Applied(arrivals_of(data))


def _keys(data: SubscriptionUpserted) -> dict[str, str]:
    return {"agency_id": data.agency_id, "subscription_id": data.subscription_id}


def _missing(work: UnitOfWork, data: SubscriptionUpserted) -> str | None:
    if not work.known(tables.clients, data.agency_id, data.client_id):
        return f"client/{data.client_id}"
    if not work.known(tables.services, data.agency_id, data.service_id):
        return f"service/{data.service_id}"
    return None


_ORDER_ID_TAKEN = Refused("data.order_id", "another subscription has this order; send an id of its own")


def _order_id_taken(work: UnitOfWork, data: SubscriptionUpserted) -> bool:
    return bool(data.order_id) and work.order_id_taken(data.agency_id, data.order_id or "", data.subscription_id)


def _refused(work: UnitOfWork, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """What can't change once it is written, and ids that belong to another subscription."""
    if _order_id_taken(work, data):
        return _ORDER_ID_TAKEN
    if stored.checkout != data.checkout:
        return Refused("data.checkout", f"is {stored.checkout} and can't change; cancel and send a new subscription")
    if stored.starts_on != data.starts_on and upserts.has_document(work.tx, data.agency_id, data.subscription_id):
        return Refused(
            "data.starts_on",
            f"is fixed at {stored.starts_on} since the first cycle has a document; cancel and send a new subscription",
        )
    return None


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
    paid = None if data.initial_payment is None else msgspec.json.encode(data.initial_payment).decode()
    return {
        "checkout": data.checkout,
        "starts_on": data.starts_on,
        "order_id": data.order_id,
        "bill_from": data.bill_from,
        "initial_payment": paid,
    }


def _plan_streams(work: UnitOfWork, agency: Agency, data: SubscriptionUpserted) -> None:
    """Both streams are anchored at the start date; a manual order's invoices wait for their first one as an anchor."""
    service = work.service(data.agency_id, data.service_id)
    planned = []
    for stream in (ORDER, INVOICE):
        anchored = stream == ORDER or data.checkout == "self_checkout"
        recurs: tuple[Unit, int] = (
            (service.order_unit, service.order_every) if stream == ORDER else (service.unit, service.every)
        )
        planned.append(_schedule(agency, data, stream, data.starts_on if anchored else None, recurs))
    work.plan(planned)


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
    work: UnitOfWork, agency: Agency, before: Subscription, data: SubscriptionUpserted, accepted: Accepted
) -> None:
    history = _history(agency, data, accepted.effective_at, accepted.digest)
    upserts.change(work.tx, tables.subscriptions, _keys(data), {**history, **_fixed(data)})
    work.insert(tables.subscription_revisions, {**_keys(data), **history})
    if before.starts_on != data.starts_on:
        upserts.forget_cycles(work.tx, data.agency_id, data.subscription_id)
        _plan_streams(work, agency, data)
    elif before.ended_at is None:
        _restart(work.tx, agency, data)
    # A hold, an error or a recurrence may look different by this revision.
    work.recheck(data.agency_id, "subscription", data.subscription_id, accepted.effective_at)


def _restart(tx: Tx, agency: Agency, data: SubscriptionUpserted) -> None:
    """A cancellation was taken back or moved: plan decides anew from the next boundary on."""
    again = []
    for bounded in schedules.load(tx, data.agency_id, data.subscription_id).values():
        schedule = bounded.schedule
        if schedule.stopped_reason == CANCELLED:
            at = due_at(schedule.boundary(schedule.next_index), agency.timezone, agency.issue_time)
            again.append(schedule._replace(next_at=at, stopped_reason=None))
    schedules.rewrite(tx, data.agency_id, again)


def resumed(tx: Tx, change: Change, data: SubscriptionResumed) -> Verdict:
    """A stopped invoice series goes on; on a series that runs nothing happens."""
    agency = facts.agency(tx, data.agency_id)
    locked = lock_subscriptions(tx, [(data.agency_id, data.subscription_id)], wait=True)
    if agency is None or not locked:
        return Waits(f"subscription/{data.subscription_id}")
    from_on = data.from_ if isinstance(data.from_, date) else None
    series.resume(tx, agency, data.subscription_id, from_on, change.time)
    cycles.wake_blocked(tx, data.agency_id, [data.subscription_id])
    return Applied()
