"""Waking rows → messages. The only valve: how much may be under way in a pool, and how much of it for one agency."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store import waking
from shared.store.transaction import Store
from shared.store.waking import Woken

LEASE = timedelta(minutes=2)
IN_FLIGHT_MAX = 64
REFILL_BELOW = 16  # a pool that has enough to do is left alone: rows that gather meanwhile make fuller messages
FAIR_SHARE = 4  # a quarter of a pool for one agency while others wait
ALONE_AFTER_TRIES = 3
BATCHES: Mapping[Pool, int] = {"intake": 50, "invoices": 500, "charges": 20, "orders": 500, "notices": 50}


class Bell(Protocol):
    """Rings pools. A message only says that rows may be due: it may be lost, doubled or reordered without harm."""

    def ring(self, messages: Sequence[Due]) -> None:
        """Publish; raises OSError if the broker did not take them, which costs nothing but a lease."""
        ...

    def load(self, pool: Pool) -> Load:
        """What a pool has to do already; raises OSError if the broker can't be asked."""
        ...


def dispatch(
    store: Store,
    bell: Bell,
    pools: Collection[str] = waking.POOLS,
    *,
    frozen: Sequence[str] = (),
    lease: timedelta = LEASE,
) -> int:
    """One pass over pools that have something due. Returns how many messages it rang."""
    return sum(dispatch_pool(store, bell, pool, frozen=frozen, lease=lease) for pool in BATCHES if pool in pools)


def dispatch_pool(store: Store, bell: Bell, pool: Pool, *, frozen: Sequence[str] = (), lease: timedelta = LEASE) -> int:
    """Ring one pool for what is due, up to the room it has, and fairly: one agency gets a quarter while others wait."""
    waiting, held = bell.load(pool)
    if waiting > REFILL_BELOW:
        return 0
    room = max(IN_FLIGHT_MAX - held, REFILL_BELOW) - waiting
    share = IN_FLIGHT_MAX // FAIR_SHARE
    served: dict[str, int] = {}
    rung = 0
    fair = True
    while room > 0:
        full = [agency_id for agency_id, count in served.items() if count >= share] if fair else []
        messages, more = _take(store, pool, min(room, share), [*frozen, *full], lease)
        if messages:
            bell.ring(messages)
        for message in messages:
            served[message.agency_id] = served.get(message.agency_id, 0) + 1
        room -= len(messages)
        rung += len(messages)
        if not more:
            if not full:
                break
            fair = False  # nobody else waits: the rest of the room is theirs
    return rung


def _take(store: Store, pool: Pool, room: int, excluded: Sequence[str], lease: timedelta) -> tuple[list[Due], bool]:
    """Move `wake_at` of due rows by the lease and commit; then they may be rung for. Also says if more may be due."""
    limit = room * BATCHES[pool]
    with store.transaction() as tx:
        woken = waking.wake(tx, pool, limit, excluded, lease)
    return batches(pool, woken), len(woken) == limit


def batches(pool: Pool, woken: Sequence[Woken]) -> list[Due]:
    """Messages of one agency each, in the order of waking; rows rung before apart from fresh ones, tried ones alone."""
    groups: dict[tuple[str, bool], dict[str, None]] = {}
    alone: dict[tuple[str, str], None] = {}
    for row in woken:
        if row.tries >= ALONE_AFTER_TRIES:
            alone[row.agency_id, row.id] = None
        else:
            groups.setdefault((row.agency_id, row.rings > 1), {})[row.id] = None
    size = BATCHES[pool]
    messages = [Due(pool, agency_id, [id_], again=True) for agency_id, id_ in alone]
    for (agency_id, again), ids in groups.items():
        listed = list(ids)
        messages += [Due(pool, agency_id, listed[at : at + size], again) for at in range(0, len(listed), size)]
    return messages
