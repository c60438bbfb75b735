"""A batch of upstream's messages in one transaction: one commit for all of them, and each still judged by itself."""

from collections.abc import Sequence

import structlog

from shared.messages import Change, Rejected, decode_change
from shared.store.errors import is_data_error
from shared.store.locks import lock_agency
from shared.store.transaction import Store
from workers.intake.receive_changes import Received, receive_change, receive_in

log = structlog.get_logger()


def receive_batch(store: Store, raws: Sequence[bytes]) -> list[Received]:
    """Store and apply messages as if one after another, in one commit. Returns what became of each, in their order.

    Messages of one agency are applied in their order; agencies are taken in the order of their ids, and the locks of all
    before the first message, so that two batches never wait for each other. If one message breaks the transaction, the
    batch is taken apart and each message goes alone. Raises only what trying again later may cure; nothing is kept then.
    """
    if len(raws) > 1:
        try:
            return _together(store, raws)
        except Exception as error:
            if not is_data_error(error):
                raise
            log.warning("changes.taken_apart", messages=len(raws), error=type(error).__name__)
    return [receive_change(store, raw) for raw in raws]


def _together(store: Store, raws: Sequence[bytes]) -> list[Received]:
    read = [_read(raw) for raw in raws]
    agencies = [each.agency_id if isinstance(each, Rejected) else each.data.agency_id for each in read]
    found: dict[int, Received] = {}
    with store.transaction() as tx:
        for agency_id in sorted(set(agencies)):
            lock_agency(tx, agency_id)
        for place in sorted(range(len(raws)), key=lambda place: (agencies[place], place)):
            found[place] = receive_in(tx, raws[place], read[place])
    return [found[place] for place in range(len(raws))]


def _read(raw: bytes) -> Change | Rejected:
    try:
        return decode_change(raw)
    except Rejected as rejected:
        return rejected
