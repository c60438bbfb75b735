"""Store a message, then apply it; what waited for it is applied with it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from shared.messages import (
    MESSAGE_BYTES_MAX,
    AgencyUpserted,
    Change,
    ChargeRequested,
    ClientUpserted,
    InvoiceIssued,
    InvoicePaid,
    InvoiceVoided,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    Rejected,
    ServiceUpserted,
    SubscriptionResumed,
    SubscriptionUpserted,
    decode_change,
)
from shared.store import inbox
from shared.store.errors import describe, is_data_error
from shared.store.inbox import TELL_WAITING_AFTER, Arrived, Waiting
from shared.store.locks import lock_agency
from shared.store.transaction import Store, Tx
from workers.intake import apply_facts, apply_invoices, apply_issued, apply_subscriptions
from workers.intake.verdicts import Applied, Refused, Stale, Verdict, Waits

log = structlog.get_logger()

_APPLY: Mapping[type, Callable[[Tx, Change, Any], Verdict]] = {
    AgencyUpserted: apply_facts.agency,
    ClientUpserted: apply_facts.client,
    ServiceUpserted: apply_facts.service,
    PaymentMethodUpserted: apply_facts.payment_method,
    PaymentMethodRemoved: apply_facts.payment_method_removed,
    SubscriptionUpserted: apply_subscriptions.subscription,
    SubscriptionResumed: apply_subscriptions.resumed,
    InvoiceIssued: apply_issued.issued,
    InvoicePaid: apply_invoices.paid,
    InvoiceVoided: apply_invoices.voided,
    ChargeRequested: apply_invoices.charge_requested,
}
UNREADABLE = "unreadable"
TRIES_MAX = 3


class Received(NamedTuple):
    """What became of a message: applied, stale, waiting, rejected or repeated; of a rejected one the field and reason."""

    source: str
    id: str
    state: str
    field: str = ""
    reason: str = ""


def receive_change(store: Store, raw: bytes) -> Received:
    """Store and apply one message; a message seen before (source and id say so) changes nothing.

    An invalid message is kept as rejected with its field and reason. Raises only what trying again later may cure.
    """
    try:
        change = decode_change(raw)
    except Rejected as rejected:
        return _keep_rejected(store, raw, rejected)
    for attempt in range(1, TRIES_MAX + 1):
        try:
            return _receive(store, raw, change)
        except Exception as error:
            if is_data_error(error):
                log.exception("change.failed", source=change.source, id=change.id, type=change.type)
                failed = Rejected("", _broken(error), change.source, change.id, change.type, change.data.agency_id)
                return _keep_rejected(store, raw, failed)
            if attempt == TRIES_MAX:
                raise
    raise AssertionError("unreachable")


def receive_changes(store: Store, raws: Sequence[bytes]) -> list[Received]:
    """Store and apply messages in their order."""
    return [receive_change(store, raw) for raw in raws]


def _receive(store: Store, raw: bytes, change: Change) -> Received:
    with store.transaction() as tx:
        lock_agency(tx, change.data.agency_id)
        return receive_in(tx, raw, change)


def receive_in(tx: Tx, raw: bytes, read: Change | Rejected) -> Received:
    """Store and apply one message in a transaction that holds its agency's lock; `read` is what its bytes say."""
    if isinstance(read, Rejected):
        return _keep(tx, raw, read)
    arrived = Arrived(read.source, read.id, read.data.agency_id, read.type, read.time, raw)
    inbox_id = inbox.store(tx, arrived)
    if inbox_id is None:
        return Received(read.source, read.id, "repeated")
    return _apply(tx, read, inbox_id, tell_later=True)


def apply_stored(tx: Tx, change: Change, inbox_id: int) -> Received:
    """Apply a message that the inbox holds, in a transaction that holds its agency's lock."""
    return _apply(tx, change, inbox_id, tell_later=True)


def _apply(tx: Tx, change: Change, inbox_id: int, *, tell_later: bool) -> Received:
    """Apply a stored message, and then what waited for it, oldest first."""
    agency_id = change.data.agency_id
    verdict = _APPLY[type(change.data)](tx, change, change.data)
    match verdict:
        case Applied(arrived):
            inbox.settle(tx, inbox_id, "applied")
            _answer(tx, change, "applied")
            for waiting in inbox.waiting_for(tx, agency_id, arrived) if arrived else ():
                _look_again(tx, waiting)
            return Received(change.source, change.id, "applied")
        case Stale():
            inbox.settle(tx, inbox_id, "stale")
            _answer(tx, change, "applied", effect="stale")
            return Received(change.source, change.id, "stale")
        case Refused(field, reason):
            inbox.settle(tx, inbox_id, "rejected", field, reason)
            _answer(tx, change, "rejected", field=field, reason=reason)
            return Received(change.source, change.id, "rejected", field, reason)
        case Waits(waits_for):
            inbox.wait(tx, inbox_id, waits_for, tx.as_of + TELL_WAITING_AFTER if tell_later else None)
            return Received(change.source, change.id, "waiting", "", f"waits for {waits_for}")


def _apply_waiting(tx: Tx, waiting: Waiting) -> tuple[Change, Received]:
    """Apply a message that waited. What breaks it is its own: it is rejected, and nothing else is undone."""
    change = decode_change(waiting.raw)
    try:
        with tx.savepoint():
            return change, _apply(tx, change, waiting.inbox_id, tell_later=False)
    except Exception as error:
        if not is_data_error(error):
            raise
        log.exception("change.failed", source=change.source, id=change.id, type=change.type)
        reason = _broken(error)
        inbox.settle(tx, waiting.inbox_id, "rejected", "", reason)
        _answer(tx, change, "rejected", field="", reason=reason)
        return change, Received(change.source, change.id, "rejected", "", reason)


def _broken(error: BaseException) -> str:
    return f"could not be applied ({describe(error)}); please report this message"


def replay_waiting(store: Store, agency_id: str, ids: Sequence[str]) -> None:
    """Look again at messages that wait: apply what can be applied, and tell upstream once of what still can't.

    Each in a transaction of its own: a second message may speak of another subscription, and nobody who holds one may wait
    for the next.
    """
    for inbox_id in sorted(map(int, ids)):
        with store.transaction() as tx:
            lock_agency(tx, agency_id)
            for waiting in inbox.waiting_rows(tx, agency_id, [inbox_id]):
                _look_again(tx, waiting)


def _look_again(tx: Tx, waiting: Waiting) -> None:
    change, received = _apply_waiting(tx, waiting)
    if received.state != "waiting" or waiting.told_waiting_at is not None:
        return
    if tx.as_of >= waiting.received_at + TELL_WAITING_AFTER:
        inbox.told_waiting(tx, waiting.inbox_id)
        _answer(tx, change, "waiting", reason=received.reason)
    else:
        inbox.wake_at(tx, waiting.inbox_id, waiting.received_at + TELL_WAITING_AFTER)


def _answer(tx: Tx, change: Change, what: str, **said: str) -> None:
    data = {"source": change.source, "id": change.id, "type": change.type, **said}
    tx.record(change.data.agency_id, f"change.{what}", f"message/{change.source}/{change.id}", data)


def _keep_rejected(store: Store, raw: bytes, rejected: Rejected) -> Received:
    with store.transaction() as tx:
        lock_agency(tx, rejected.agency_id)
        return _keep(tx, raw, rejected)


def _keep(tx: Tx, raw: bytes, rejected: Rejected) -> Received:
    """Keep what can't be taken, as far as it can be read; a message without an id goes by its content."""
    id_ = rejected.id or hashlib.sha256(raw).hexdigest()
    source = rejected.source or UNREADABLE
    kept = raw[:MESSAGE_BYTES_MAX]
    inbox_id = inbox.store(tx, Arrived(source, id_, rejected.agency_id, rejected.type, None, kept))
    if inbox_id is None:
        return Received(source, id_, "repeated", rejected.field, rejected.reason)
    inbox.settle(tx, inbox_id, "rejected", rejected.field, rejected.reason)
    data = {"source": source, "id": id_, "type": rejected.type, "field": rejected.field, "reason": rejected.reason}
    tx.record(rejected.agency_id, "change.rejected", f"message/{source}/{id_}", data)
    return Received(source, id_, "rejected", rejected.field, rejected.reason)
