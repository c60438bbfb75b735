"""An operator lets a kept message be applied again: after a mended program, or when what it lacked has arrived."""

from functools import partial

from shared.messages import Change, Rejected, decode_change, event_data
from shared.store import inbox, operator_lists
from shared.store.database import Store
from shared.store.inbox import Arrived, Room, Settled
from shared.store.locks import lock_agency
from shared.store.operator_lists import Kept
from workers.intake.receive_changes import REUSED, Received, apart_if_held_up, apply_stored


def replay(store: Store, inbox_id: int, by: str) -> Received | None:
    """Apply a rejected or waiting message as if it arrived now. Returns what became of it, None if there is none.

    Any other message stays as it is. The audit trail says who asked for it.
    """
    with store.transaction() as tx:
        found = operator_lists.message(tx, inbox_id)
    if found is None:
        return None
    read = _read(found[1])
    return apart_if_held_up(partial(_replay, store, inbox_id, by, found=found, read=read))


def _replay(
    store: Store, inbox_id: int, by: str, room: Room, *, found: tuple[Kept, bytes], read: Change | Rejected
) -> Received:
    agency_id = read.agency_id if isinstance(read, Rejected) else read.data.agency_id
    with store.transaction() as tx:
        lock_agency(tx, agency_id)
        kept, raw = operator_lists.message(tx, inbox_id, lock=True) or found
        if kept.state not in ("rejected", "waiting"):
            return Received(agency_id=kept.agency_id, source=kept.source, id=kept.id, state=kept.state)
        if isinstance(read, Rejected):
            inbox.settle_all(tx, {inbox_id: Settled("rejected", read.field, read.reason)})
            return Received(
                agency_id=kept.agency_id,
                source=kept.source,
                id=kept.id,
                state="rejected",
                field=read.field,
                reason=read.reason,
            )
        earlier = inbox.earlier(
            tx, [Arrived(source=kept.source, id=kept.id, agency_id=agency_id, type=kept.type, time=None, raw=raw)]
        )
        if kept.state == "rejected" and any(e.state != "rejected" for each in earlier.values() for e in each):
            return Received(
                agency_id=kept.agency_id, source=kept.source, id=kept.id, state="rejected", field="id", reason=REUSED
            )
        operator_lists.arrived_again(tx, inbox_id, agency_id, read.type, read.time)
        tx.record(
            event_data.ChangeReplayed(
                agency_id=agency_id,
                change_source=read.source,
                change_id=read.id,
                change_type=read.type,
                previous_state=kept.state,
                by=by,
            )
        )
        return apply_stored(tx, read, inbox_id, kept.waits_for, room)


def _read(raw: bytes) -> Change | Rejected:
    try:
        return decode_change(raw)
    except Rejected as rejected:
        return rejected
