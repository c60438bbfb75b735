"""Two schedulers and four workers on ten thousand due cycles, every message doubled and shuffled: one document each."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import cast

import pytest

from scheduler import dispatch
from scheduler.plan import plan
from scheduler.recheck import recheck
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.database import Store
from shared.store.invariants import violations
from tests.races.inserts import Inserts
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.races.sessions import Session, Stage
from workers.invoices.issue_invoices import issue_invoices
from workers.orders.create_orders import create_orders

SUBSCRIPTIONS = 5000  # an order and an invoice cycle each
GIANT = 3000
AGENCIES = {"giant": GIANT, **{f"small-{number}": (SUBSCRIPTIONS - GIANT) // 10 for number in range(10)}}
BATCH = 100  # many small batches, so that how the work falls to the workers is no matter of luck
SCHEDULERS, WORKERS = 2, 4
WORK: dict[str, Callable[..., None]] = {"orders": create_orders, "invoices": issue_invoices}


class DoublingWorkQueue:
    """A broker that delivers every message twice and in no order at all. `taken` is what a worker has under way."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a shuffle, not a secret
        self._changed = threading.Condition()
        self._waiting: list[Due] = []
        self._taken = 0
        self._closed = False
        self.delivered: Counter[str] = Counter()

    def publish(self, messages: Sequence[Due]) -> None:
        with self._changed:
            self._waiting += [*messages, *messages]
            self._random.shuffle(self._waiting)
            self._changed.notify_all()

    def load(self, pool: Pool) -> Load:
        with self._changed:
            return Load(sum(message.pool == pool for message in self._waiting), 0)

    def take(self) -> Due | None:
        """The next message; None once the work queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._taken += 1
            self.delivered[threading.current_thread().name] += 1
            return self._waiting.pop()

    def done(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def idle(self, patience: float = 0) -> bool:
        """True if nothing is under way; looks again, up to `patience` seconds, whenever something was done."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._taken, patience)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _schedule(store: Store, work_queue: DoublingWorkQueue) -> None:
    """Plan and dispatch until two checks, with nothing under way before and after the second, find nothing to do."""
    while True:
        idle = work_queue.idle(patience=1)
        busy = recheck(store) + plan(store)
        busy += dispatch.dispatch_pool(store, work_queue, "invoices") + dispatch.dispatch_pool(
            store, work_queue, "orders"
        )
        if idle and not busy and work_queue.idle():
            return


def _work(store: Store, work_queue: DoublingWorkQueue) -> None:
    while (message := work_queue.take()) is not None:
        try:
            WORK[message.pool](store, message.agency_id, message.ids, again=message.again)
        finally:
            work_queue.done()


def _race(stage: Stage) -> DoublingWorkQueue:
    """Let them all run until nothing is due any more; whatever one of them raises is raised here."""
    work_queue = DoublingWorkQueue(seed=20260601)
    workers = [_start(stage, f"worker-{number}", _work, work_queue) for number in range(WORKERS)]
    schedulers = [_start(stage, f"scheduler-{number}", _schedule, work_queue) for number in range(SCHEDULERS)]
    for session in schedulers:
        session.join()
    work_queue.close()
    stage.end(*schedulers, *workers)
    return work_queue


def _start(
    stage: Stage, name: str, what: Callable[[Store, DoublingWorkQueue], None], work_queue: DoublingWorkQueue
) -> Session:
    return stage.start(name, lambda store: what(store, work_queue))


@pytest.mark.slow
def test_ten_thousand_cycles_one_document_each(stage: Stage) -> None:
    """No cycle without its document, no document twice, nothing blocked, and no constraint was ever needed."""
    for agency, count in AGENCIES.items():
        seed_agency(stage.store, agency)
        seed_subscriptions(stage.store, agency, [f"sub-{number:04}" for number in range(count)])
    for pool in WORK:
        stage.monkeypatch.setitem(cast("dict[str, int]", dispatch.BATCHES), pool, BATCH)
    inserts = Inserts(stage.monkeypatch)

    work_queue = _race(stage)

    states = "SELECT stream, state, count(*) FROM cycles GROUP BY 1, 2 ORDER BY 1"
    assert stage.ask(states) == [("invoice", "done", SUBSCRIPTIONS), ("order", "done", SUBSCRIPTIONS)]
    counted = "SELECT count(*), count(DISTINCT (agency_id, subscription_id)) FROM "
    assert stage.ask(counted + "invoices") == [(SUBSCRIPTIONS, SUBSCRIPTIONS)]
    assert stage.ask(counted + "orders") == [(SUBSCRIPTIONS, SUBSCRIPTIONS)]
    numbered = (
        "SELECT count(*) FROM (SELECT agency_id FROM invoices GROUP BY 1 HAVING max(sequence) <> count(*)) AS gaps"
    )
    assert stage.ask(numbered) == [(0,)]
    alarms = "SELECT count(*) FROM events WHERE type IN ('cycle.blocked', 'cycle.repeated', 'cycle.released_late')"
    assert stage.ask(alarms) == [(0,)]
    assert inserts.refused_rows() == {}
    assert violations(stage.store) == []

    done = Counter(inserts.by_thread("invoices")) + Counter(inserts.by_thread("orders"))
    assert done.total() == 2 * SUBSCRIPTIONS
    assert set(done) == {f"worker-{number}" for number in range(WORKERS)}
    assert min(done.values()) > 0.05 * 2 * SUBSCRIPTIONS
    assert min(work_queue.delivered.values()) > 0
