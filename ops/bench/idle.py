"""An idle cluster: what a tick costs when nothing is due, and how long something that falls due takes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from ops.bench import seed
from ops.simulate.world import World
from scheduler.relay import Told, relay
from scheduler.tick import Scheduler
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.database import Store, make_engine
from shared.store.events import Unpublished

TICKS = 60
TICK_SECONDS = 1.0


class Silent:
    """A work queue with nothing in flight. Raises AssertionError when something is published: nothing is due here."""

    def publish(self, messages: Sequence[Due]) -> None:
        raise AssertionError(f"{len(messages)} messages dispatched on an idle engine")

    def load(self, _pool: Pool) -> Load:
        return Load(0, 0)


class Deaf:
    """An exchange that is never published to: nothing happens here."""

    def publish(self, _batch: Sequence[Unpublished]) -> Told:
        return Told(())


def tick_ms(urls: Sequence[str]) -> list[float]:
    """Median milliseconds of the scheduler's idle tick on each database; taken in rotation, so that noise hits all."""
    stores = [Store(make_engine(url)) for url in urls]
    spent: list[list[float]] = [[] for _ in stores]
    try:
        for _ in range(TICKS):
            for store, each in zip(stores, spent, strict=True):
                began = time.perf_counter()
                if Scheduler(store, Silent(), lambda: 0).tick().done + relay(store, Deaf()):
                    raise RuntimeError("something fell due on an idle engine")
                each.append(1000 * (time.perf_counter() - began))
        return [median(each) for each in spent]
    finally:
        for store in stores:
            store.engine.dispose()


class Latency(NamedTuple):
    """Seconds from the due instant until the row is committed, over `samples` instants."""

    samples: int
    p50: float
    p95: float


def latencies(url: str, mails: Path, samples: int, seconds: float) -> dict[str, Latency]:
    """Due → issued and due → order of self-checkout cycles that fall due one after another on an otherwise idle engine.

    All pools run in this process, ticked once a second; within a tick every pool is dispatched until nothing is left to do.
    The order comes after its invoice, the charge at the sandbox and the payment. A row counts when it is seen committed.
    """
    seed.seed_moments(url, samples, seconds)
    store = Store(make_engine(url))
    world = World(store, mails)
    found: dict[str, dict[str, float]] = {"issued": {}, "order": {}}
    deadline = time.perf_counter() + seconds + 30
    try:
        while len(found["order"]) < samples and time.perf_counter() < deadline:
            began = time.perf_counter()
            world.settle()
            _look(store, found)
            time.sleep(max(0.0, TICK_SECONDS - (time.perf_counter() - began)))
    finally:
        store.engine.dispose()
    if len(found["order"]) < samples:
        raise RuntimeError(f"only {len(found['order'])} of {samples} orders appeared")
    return {what: _summarised(list(each.values())) for what, each in found.items()}


def _look(store: Store, found: dict[str, dict[str, float]]) -> None:
    """Note what has appeared since the last check, and how long after its due instant."""
    with store.transaction() as tx:
        rows = tx.rows(
            """
            SELECT c.subscription_id, c.due_at, CASE c.stream WHEN 'invoice' THEN 'issued' ELSE 'order' END
            FROM cycles AS c WHERE c.state = 'done'
            """
        )
        now: datetime = tx.scalar("SELECT clock_timestamp()").astimezone(UTC)
    for subscription_id, due_at, what in rows:
        found[what].setdefault(subscription_id, (now - due_at).total_seconds())


def _summarised(seconds: list[float]) -> Latency:
    return Latency(len(seconds), median(seconds), quantiles(seconds, n=20, method="inclusive")[-1])
