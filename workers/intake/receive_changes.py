"""Store a message, then apply it; what waited for it is applied with it."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import structlog

from shared.billing.halving import halved
from shared.domain.states import MessageState
from shared.error_words import safe_words
from shared.messages import MESSAGE_BYTES_MAX, Change, Rejected, decode_change, event_data
from shared.store import inbox
from shared.store.database import Store, Transaction
from shared.store.errors import is_data_error, limit_of
from shared.store.fact_buffer import FactBuffer
from shared.store.inbox import NO_ROOM, TELL_WAITING_AFTER, Arrived, Earlier, Room, Settled, Waiting
from shared.store.locks import lock_agency
from workers.intake.kinds import APPLY
from workers.intake.select_invoice import given_meanwhile
from workers.intake.verdicts import Applied, OfChange, Refused, Repeated, Stale, Waits, of_change, too_far_ahead

log = structlog.get_logger()


T = TypeVar("T")


class BesideError(OSError):
    """What waited hit a limit or a lock while it was applied beside something else: not an error of that one's data."""


def apart_if_held_up(attempt: Callable[[Room], T]) -> T:
    """Do `attempt`, a transaction, with room for what waited; should that hit a limit or a lock, once more without it.

    Then what waited is released instead, and the scheduler dispatches it at its next tick: each is applied on its own, and
    refused or reported as always.
    """
    try:
        return attempt(inbox.ROOM)
    except BesideError as error:
        log.warning("change.beside_failed", error=safe_words(error.__cause__ or error))
    return attempt(NO_ROOM)


UNREADABLE = "unreadable"
REUSED = "a message with this id but different content was accepted before; send this one under an id of its own"
DEADLOCK_TRIES_MAX = 3


class Received(NamedTuple):
    """What became of a message: applied, stale, waiting, rejected or repeated; of a rejected one the field and reason."""

    agency_id: str
    source: str
    id: str
    state: MessageState
    field: str = ""
    reason: str = ""


def receive_change(store: Store, raw: bytes) -> Received:
    """Store and apply one message; a message seen before (agency, source and id say so) changes nothing.

    An invalid message is kept as rejected with its field and reason. Raises only what trying again later may cure.
    """
    try:
        change = decode_change(raw)
    except Rejected as rejected:
        return _receive(store, raw, rejected)
    for attempt in range(1, DEADLOCK_TRIES_MAX + 1):
        try:
            return _receive(store, raw, change)
        except Exception as error:
            if is_data_error(error):
                return reject_broken(store, raw, arrived(raw, change), error)
            if attempt == DEADLOCK_TRIES_MAX or limit_of(error):
                raise
    raise AssertionError("unreachable")


def reject_broken(store: Store, raw: bytes, kept: Arrived, error: Exception) -> Received:
    """Keep a message that nothing can be done with as rejected, with words."""
    log.error("change.failed", source=kept.source, id=kept.id, type=kept.type, exc_info=error)
    failed = Rejected(
        field="", reason=_broken(error), source=kept.source, id=kept.id, type=kept.type, agency_id=kept.agency_id
    )
    return _receive(store, raw, failed)


def _receive(store: Store, raw: bytes, read: Change | Rejected) -> Received:
    kept = arrived(raw, read)

    def attempt(room: Room) -> Received:
        with store.transaction() as tx:
            lock_agency(tx, kept.agency_id)
            work = FactBuffer(tx, room)
            received = receive_again(work, read, kept)
            work.flush()
            return received

    return apart_if_held_up(attempt)


def receive_again(
    work: FactBuffer, read: Change | Rejected, kept: Arrived, earlier: Sequence[Earlier] | None = None
) -> Received:
    """Store and apply a message of whose identity there may have been one before, its agency's lock held.

    `earlier`: what `inbox.earlier` says of it, if the caller knows.
    """
    work.flush()
    if earlier is None:
        earlier = inbox.earlier(work.tx, [kept]).get(kept.identity, ())
    told = _told_before(work.tx, kept, read, earlier)
    if told is not None:
        return told
    (inbox_id,) = inbox.store_all(work.tx, [kept])
    return receive_kept(work, read, inbox_id, kept)


def _told_before(
    tx: Transaction, kept: Arrived, read: Change | Rejected, earlier: Sequence[Earlier]
) -> Received | None:
    """What becomes of a message by what came before under its identity; None: it is to be stored and applied.

    The same again is a repeat. Anything else counts if what came before was rejected, for then it is mended; else it is
    rejected, for upstream has used one id for two messages.
    """
    for each in earlier:
        if each.raw == kept.raw or _says_the_same(each.raw, read):
            return Received(
                agency_id=kept.agency_id,
                source=kept.source,
                id=kept.id,
                state="repeated",
                field=each.field or "",
                reason=each.reason or "",
            )
    if all(each.state == "rejected" for each in earlier):
        return None
    inbox.keep_rejected(tx, kept, "id", REUSED)
    _tell_rejected(tx, kept, "id", REUSED)
    return Received(
        agency_id=kept.agency_id, source=kept.source, id=kept.id, state="rejected", field="id", reason=REUSED
    )


def _says_the_same(raw: bytes, read: Change | Rejected) -> bool:
    """True for the same change in other bytes, such as with its keys in another order."""
    if isinstance(read, Rejected):
        return False
    try:
        before = decode_change(raw)
    except Rejected:
        return False
    return (before.type, before.time, before.data) == (read.type, read.time, read.data)


def _tell_rejected(tx: Transaction, kept: Arrived, field: str, reason: str) -> None:
    of: OfChange = {
        "agency_id": kept.agency_id or None,
        "change_source": kept.source,
        "change_id": kept.id,
        "change_type": kept.type,
    }
    tx.record(event_data.ChangeRejected(**of, field=field, reason=reason))


def arrived(raw: bytes, read: Change | Rejected) -> Arrived:
    """What the inbox keeps of a message; one without an id goes by its content."""
    if isinstance(read, Rejected):
        id_ = read.id or hashlib.sha256(raw).hexdigest()
        return Arrived(
            source=read.source or UNREADABLE,
            id=id_,
            agency_id=read.agency_id,
            type=read.type,
            time=None,
            raw=raw[:MESSAGE_BYTES_MAX],
        )
    return Arrived(
        source=read.source, id=read.id, agency_id=read.data.agency_id, type=read.type, time=read.time, raw=raw
    )


def receive_kept(work: FactBuffer, read: Change | Rejected, inbox_id: int | None, kept: Arrived) -> Received:
    """Apply a message that was just kept, its agency's lock held. `read` is what its bytes say. The caller flushes `work`."""
    if inbox_id is None:
        raise RuntimeError("a message counts already under this identity: it was kept without its agency's lock")
    if isinstance(read, Rejected):
        work.settle(kept.agency_id, inbox_id, Settled("rejected", read.field, read.reason))
        _tell_rejected(work.tx, kept, read.field, read.reason)
        return Received(
            agency_id=kept.agency_id,
            source=kept.source,
            id=kept.id,
            state="rejected",
            field=read.field,
            reason=read.reason,
        )
    return _apply(work, read, inbox_id)


def apply_stored(tx: Transaction, change: Change, inbox_id: int, waited_for: str | None, room: Room) -> Received:
    """Apply a message that the inbox holds, in a transaction that holds its agency's lock; see `apart_if_held_up`."""
    work = FactBuffer(tx, room)
    received = _apply(work, change, inbox_id, waited_for)
    work.flush()
    return received


def _apply(
    work: FactBuffer, change: Change, inbox_id: int, waited_for: str | None = None, *, tell_later: bool = True
) -> Received:
    """Apply a stored message, and then what waited for it, oldest first: the one place where its answer is decided.

    `applied` says that something changed, `repeated` that nothing did because it is known, `stale` that a later revision
    counts; anything else is rejected with field, reason and what to send instead.
    """
    agency_id = change.data.agency_id
    tx = work.tx
    received = partial(Received, agency_id=agency_id, source=change.source, id=change.id)
    refused = too_far_ahead(change, tx.as_of) or given_meanwhile(tx, change.data, waited_for)
    verdict = refused or APPLY[type(change.data)](work, change, change.data)
    match verdict:
        case Applied(arrivals):
            work.settle(agency_id, inbox_id, Settled("applied"))
            tx.record(event_data.ChangeApplied(**of_change(change)))
            if work.awaited(agency_id, arrivals):
                work.flush()
                _apply_awaiting(work, agency_id, arrivals)
            return received(state="applied")
        case Repeated() | Stale():
            late = isinstance(verdict, Stale)
            state: MessageState = "stale" if late else "repeated"
            answer = event_data.ChangeStale if late else event_data.ChangeRepeated
            work.settle(agency_id, inbox_id, Settled(state))
            tx.record(answer(**of_change(change)))
            return received(state=state)
        case Refused(field, reason):
            work.settle(agency_id, inbox_id, Settled("rejected", field, reason))
            tx.record(event_data.ChangeRejected(**of_change(change), field=field, reason=reason))
            return received(state="rejected", field=field, reason=reason)
        case Waits(waits_for):
            wake_at = tx.as_of + TELL_WAITING_AFTER if tell_later else None
            work.settle(agency_id, inbox_id, Settled("waiting", waits_for=waits_for, wake_at=wake_at))
            return received(state="waiting", reason=f"waits for {waits_for}")


def _apply_awaiting(work: FactBuffer, agency_id: str, arrivals: Sequence[str]) -> None:
    """What waited for these, oldest first, as far as one transaction may hold it; the others are released, each on its own.

    Raises BesideError if one of them hits a limit or a lock.
    """
    try:
        if not work.room.is_used_up():
            _apply_some(work, agency_id, arrivals)
    except Exception as error:
        if is_data_error(error) or isinstance(error, BesideError):
            raise
        raise BesideError from error
    if work.room.is_used_up():
        work.flush()
        inbox.wake(work.tx, agency_id, arrivals)


def _apply_some(work: FactBuffer, agency_id: str, arrivals: Sequence[str]) -> None:
    found = inbox.waiting_for(work.tx, agency_id, arrivals, work.room)
    work.room = work.room.less(len(found), sum(len(waiting.raw) for waiting in found))
    for waiting in found:
        _look_again(work, waiting)


def _apply_waiting(work: FactBuffer, waiting: Waiting) -> tuple[Change, Received]:
    """Apply a message that waited. What breaks it is its own: it is rejected, and nothing else is undone."""
    change = decode_change(waiting.raw)
    work.flush()
    try:
        with work.tx.savepoint():
            received = _apply(work, change, waiting.inbox_id, waiting.waits_for, tell_later=False)
            work.flush()
            return change, received
    except Exception as error:
        if not is_data_error(error):
            raise
        work.drop()
        log.exception("change.failed", source=change.source, id=change.id, type=change.type)
        reason = _broken(error)
        work.settle(change.data.agency_id, waiting.inbox_id, Settled("rejected", "", reason))
        work.tx.record(event_data.ChangeRejected(**of_change(change), field="", reason=reason))
        return change, Received(
            agency_id=change.data.agency_id,
            source=change.source,
            id=change.id,
            state="rejected",
            field="",
            reason=reason,
        )


def _broken(error: BaseException) -> str:
    return f"could not be applied ({safe_words(error)}); please report this message"


def replay_waiting(store: Store, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Check messages that wait again: apply what can be applied, and notify upstream once of what still can't.

    Each in a transaction of its own: a second message may speak of another subscription, and nobody who holds one may wait
    for the next. One that hits a limit is rejected, and the others go on. `again` makes no difference: none is counted here.
    """
    del again

    def attempt(part: Sequence[int]) -> int:
        for inbox_id in part:
            apart_if_held_up(partial(look, inbox_id))
        return len(part)

    def look(inbox_id: int, room: Room) -> None:
        with store.transaction() as tx:
            lock_agency(tx, agency_id)
            work = FactBuffer(tx, room)
            for waiting in inbox.waiting_rows(tx, agency_id, [inbox_id]):
                _look_again(work, waiting)
            work.flush()

    def refuse(inbox_id: int, error: Exception) -> None:
        with store.transaction() as tx:
            lock_agency(tx, agency_id)
            for waiting in inbox.waiting_rows(tx, agency_id, [inbox_id]):
                inbox.settle_all(tx, {inbox_id: Settled("rejected", "", _broken(error))})
                of = of_change(decode_change(waiting.raw))
                tx.record(event_data.ChangeRejected(**of, field="", reason=_broken(error)))

    halved("waiting changes", sorted(map(int, ids)), attempt, refuse, in_order=True)


def _look_again(work: FactBuffer, waiting: Waiting) -> None:
    change, received = _apply_waiting(work, waiting)
    if received.state != "waiting" or waiting.told_waiting_at is not None:
        return
    if work.tx.as_of >= waiting.received_at + TELL_WAITING_AFTER:
        inbox.told_waiting(work.tx, waiting.inbox_id)
        work.tx.record(event_data.ChangeWaiting(**of_change(change), reason=received.reason))
    else:
        inbox.wake_at(work.tx, waiting.inbox_id, waiting.received_at + TELL_WAITING_AFTER)
