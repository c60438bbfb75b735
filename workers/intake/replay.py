"""An operator lets a kept message be applied again: after a mended program, or when what it lacked has arrived."""

from shared.messages import Rejected, decode_change
from shared.store import inbox, operating
from shared.store.inbox import Arrived, Settled
from shared.store.locks import lock_agency
from shared.store.transaction import Store
from workers.intake.receive_changes import REUSED, Received, apply_stored


def replay(store: Store, inbox_id: int, by: str) -> Received | None:
    """Apply a rejected or waiting message as if it arrived now. Returns what became of it, None if there is none.

    Any other message stays as it is. The audit trail says who asked for it.
    """
    with store.transaction() as tx:
        found = operating.message(tx, inbox_id)
    if found is None:
        return None
    kept, raw = found
    try:
        change = decode_change(raw)
    except Rejected as rejected:
        with store.transaction() as tx:
            lock_agency(tx, rejected.agency_id)
            inbox.settle_all(tx, {inbox_id: Settled("rejected", rejected.field, rejected.reason)})
        return Received(kept.agency_id, kept.source, kept.id, "rejected", rejected.field, rejected.reason)
    with store.transaction() as tx:
        lock_agency(tx, change.data.agency_id)
        again = operating.message(tx, inbox_id, lock=True)
        if again is None or again[0].state not in ("rejected", "waiting"):
            return Received(kept.agency_id, kept.source, kept.id, kept.state if again is None else again[0].state)
        earlier = inbox.earlier(tx, [Arrived(kept.source, kept.id, change.data.agency_id, kept.type, None, raw)])
        if again[0].state == "rejected" and any(e.state != "rejected" for each in earlier.values() for e in each):
            return Received(kept.agency_id, kept.source, kept.id, "rejected", "id", REUSED)
        operating.arrived_again(tx, inbox_id, change.data.agency_id, change.type, change.time)
        subject = f"message/{change.source}/{change.id}"
        tx.record(change.data.agency_id, "change.replayed", subject, {"by": by, "was": again[0].state})
        return apply_stored(tx, change, inbox_id, kept.waits_for)
