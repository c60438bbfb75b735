"""Due rows → messages. All limits are here: how much may be under way in a pool, for whom, and how fast."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog

from shared.domain.pacing import allowance, spent
from shared.domain.retry_times import LEASE
from shared.error_words import safe_words
from shared.messages import Due
from shared.messages.work import IDS_MAX, Load, Pool
from shared.store import accounts, due_rows, pauses
from shared.store.database import Store, Transaction
from shared.store.due_rows import DueRow, MessageSize
from shared.store.errors import limit_of

log = structlog.get_logger()
IN_FLIGHT_MAX = 64
REFILL_BELOW = 16  # a pool that has enough to do is left alone: rows that gather meanwhile make fuller messages
FAIR_SHARE = 4  # a quarter of a pool for one agency while others wait
ALONE_AFTER_TRIES = 3
BATCHES: Mapping[Pool, int] = {
    "intake": 50,
    "invoices": IDS_MAX,
    "charges": 20,
    "orders": IDS_MAX,
    "notices": 50,
}


class WorkQueue(Protocol):
    """Takes work messages. One only says that rows may be due: it may be lost, doubled or reordered without harm."""

    def publish(self, messages: Sequence[Due]) -> None:
        """Publish; raises OSError if the broker did not take them all. Some may have been taken."""
        ...

    def load(self, pool: Pool) -> Load:
        """What a pool has to do already; raises OSError if the broker can't be asked."""
        ...


class PassOptions(NamedTuple):
    """What a pass may take, and for how long. `excluded`: agencies that are left out of it, in a simulation those whose time
    has not come."""

    excluded: Sequence[str] = ()
    lease: timedelta = LEASE


def dispatch(
    store: Store,
    work_queue: WorkQueue,
    pools: Collection[str] = due_rows.POOLS,
    *,
    excluded: Sequence[str] = (),
    lease: timedelta = LEASE,
) -> int:
    """One pass over pools that have something due. Returns how many messages it published.

    Raises OSError when the broker can't be asked or did not take a message; every row of that message is due again. One pool's
    broken queue, or rows that can't be taken within the limits, do not keep the others from being dispatched. A second
    failure is taken for one of the broker, or of the database, and ends the pass.
    """
    dispatched = 0
    broken: Exception | None = None
    for pool in BATCHES:
        if pool in pools:
            try:
                dispatched += dispatch_pool(store, work_queue, pool, excluded=excluded, lease=lease)
            except Exception as error:
                if broken is not None or not (isinstance(error, OSError) or limit_of(error)):
                    raise
                broken = error
    if broken is not None:
        raise broken
    return dispatched


def dispatch_pool(
    store: Store, work_queue: WorkQueue, pool: Pool, *, excluded: Sequence[str] = (), lease: timedelta = LEASE
) -> int:
    """Dispatch what is due in one pool, up to the room it has, and fairly: one agency gets a quarter while others wait.

    Room is counted in messages: those that wait in the queue, and those that the pool's workers may hold. However many
    workers there are, a few messages may always wait.
    """
    waiting, held = work_queue.load(pool)
    if waiting > REFILL_BELOW:
        return 0
    room = max(IN_FLIGHT_MAX - held, REFILL_BELOW) - waiting
    share = IN_FLIGHT_MAX // FAIR_SHARE
    served: dict[str, int] = {}
    spent_now: set[str] = set()
    dispatched = 0
    fair = True
    while room > 0:
        full = [agency_id for agency_id, count in served.items() if count >= share] if fair else []
        taken = _take_within_limits(store, pool, min(room, share), PassOptions([*excluded, *full, *spent_now], lease))
        _publish(store, work_queue, pool, taken)
        for message in taken.messages:
            served[message.agency_id] = served.get(message.agency_id, 0) + 1
        room -= len(taken.messages)
        dispatched += len(taken.messages)
        if not taken.spent <= spent_now:
            spent_now |= taken.spent  # their older rows must not hide those of others from the next round
        elif not taken.more:
            if not full:
                break
            fair = False  # nobody else waits: the rest of the room is theirs
    return dispatched


class Taken(NamedTuple):
    """Rows that were taken, as messages; `until` is their lease, `more` whether others may be due.

    `spent`: agencies whose accounts take nothing more now, however many of their rows are due.
    """

    messages: list[Due]
    rows: list[DueRow]
    until: datetime
    more: bool
    spent: frozenset[str] = frozenset()


def _take_within_limits(store: Store, pool: Pool, room: int, options: PassOptions) -> Taken:
    """Take as many as the database can move at a time: a taking that hits a limit is tried with half the room, down to one."""
    while True:
        try:
            return _take(store, pool, room, options)
        except Exception as error:
            if limit_of(error) is None or room <= 1:
                raise
            log.warning("batch.halved", what=f"messages for {pool}", rows=room, error=safe_words(error))
            room //= 2


def _take(store: Store, pool: Pool, room: int, options: PassOptions) -> Taken:
    """Move `wake_at` of due rows by the lease and commit; then they may be published."""
    with store.transaction() as tx:
        until = tx.as_of + options.lease
        excluded = _paused(tx, pool)
        if excluded is None:
            return Taken([], [], until, more=False)
        excluded += options.excluded
        size = MessageSize(BATCHES[pool], ALONE_AFTER_TRIES)
        used_up: frozenset[str] = frozenset()
        if pool == "charges":
            rows, used_up = _take_paced(tx, room, size, excluded, options.lease)
        else:
            rows = due_rows.take_due(tx, pool, room, size=size, excluded=excluded, lease=options.lease)
    messages = batches(pool, rows)
    return Taken(messages, rows, until, more=len(messages) >= room, spent=used_up)


def _paused(tx: Transaction, pool: Pool) -> list[str] | None:
    """Agencies for which an operator has paused the pool; None if it is paused for all."""
    found = [pause.agency_id for pause in pauses.listed(tx, pool)]
    return None if pauses.EVERYBODY in found else found


def _take_paced(
    tx: Transaction, room: int, size: MessageSize, excluded: Sequence[str], lease: timedelta
) -> tuple[list[DueRow], frozenset[str]]:
    """Take due charges, of each gateway account as many as its rate allows; those of a paused account sleep as long.

    Returns with them the agencies that have got all that they are allowed.
    """
    candidates = due_rows.agencies_due(tx, "charges", room * size.rows, excluded)
    found, elsewhere = accounts.held_back(tx, candidates)
    allowed = dict.fromkeys(elsewhere, 0)
    for account in found:
        most = allowance(account, tx.as_of, size.rows)
        if account.paused_until is not None and account.paused_until > tx.as_of:
            due_rows.sleep(tx, "charges", account.agency_id, account.paused_until)
        elif most is not None:
            allowed[account.agency_id] = most
    rows = due_rows.take_due(tx, "charges", room, size=size, excluded=excluded, lease=lease, allowed=allowed)
    counts = Counter(row.agency_id for row in rows)
    for account in found:
        if counts[account.agency_id]:
            accounts.spend(tx, account, spent(account, counts[account.agency_id], tx.as_of))
    return rows, frozenset(agency_id for agency_id, most in allowed.items() if counts[agency_id] >= most)


def _publish(store: Store, work_queue: WorkQueue, pool: Pool, taken: Taken) -> None:
    """Publish what was taken. If that fails, the rows are due again at once; a message that got through all the same finds them
    due, or done: either is right."""
    if not taken.messages:
        return
    try:
        work_queue.publish(taken.messages)
    except OSError:
        with store.transaction() as tx:
            due_rows.give_back(tx, pool, taken.rows, taken.until)
        raise


def batches(pool: Pool, rows: Sequence[DueRow]) -> list[Due]:
    """Messages of one agency each, oldest first; rows dispatched before apart from new ones, tried ones alone."""
    groups: dict[tuple[str, bool], list[str]] = {}
    alone: dict[tuple[str, str], None] = {}
    for row in rows:
        if row.tries >= ALONE_AFTER_TRIES:
            alone[row.agency_id, row.id] = None
        else:
            groups.setdefault((row.agency_id, row.dispatches > 1), []).append(row.id)
    size = BATCHES[pool]
    messages = [Due(pool, agency_id, [id_], again=True) for agency_id, id_ in alone]
    for (agency_id, again), ids in groups.items():
        # Several rows of one subscription name it once.
        parts = (list(dict.fromkeys(ids[at : at + size])) for at in range(0, len(ids), size))
        messages += [Due(pool, agency_id, part, again) for part in parts]
    return messages
