"""The product's own path from schedules on: one scheduler process that plans and dispatches, worker processes that issue.

The work queue is local (a queue between processes) and counts what is in flight, as the broker's would; batches, lease and
flow control are the product's defaults. Charges are dispatched too, and wait: no pool collects here.
"""

import multiprocessing
import queue
import resource
import threading
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

import msgspec

from ops.bench.seed import connect
from scheduler.dispatch import dispatch
from scheduler.plan import plan
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.database import Store, make_engine
from workers.invoices.issue_invoices import issue_invoices

WORKERS = 2
SAMPLE_SECONDS = 0.05
IDLE_WAIT_SECONDS = 0.05
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Due).decode


class Ran(NamedTuple):
    """A run: how long it took, the peak memory of each process in MB, and lock waits summed over all sessions."""

    seconds: float
    scheduler_mb: float
    worker_mb: float
    lock_wait_seconds: float


class LocalWorkQueue:
    """Publishes work to the worker processes of one pool; messages of the other pools are counted and stay in flight."""

    def __init__(self, tasks: "Queue[bytes | None]", acks: "Queue[str]") -> None:
        self._tasks, self._acks = tasks, acks
        self._counts: Counter[str] = Counter()

    def publish(self, messages: Sequence[Due]) -> None:
        """Hand messages to the workers."""
        for due in messages:
            self._counts[due.pool] += 1
            if due.pool == "invoices":
                self._tasks.put(_encode(due))

    def load(self, pool: Pool) -> Load:
        """How many messages of a pool are not answered yet."""
        while self.wait(0):
            pass
        return Load(self._counts[pool], 0)

    def wait(self, seconds: float) -> bool:
        """Wait for one answer. Returns whether there was one."""
        try:
            pool = self._acks.get(seconds > 0, seconds)
        except queue.Empty:
            return False
        self._counts[pool] -= 1
        return True


def run(url: str) -> Ran:
    """Issue everything that is due, with two workers. The end is when nothing is planned, dispatched or in flight any more."""
    context = multiprocessing.get_context("spawn")  # a fresh process each, so that its memory is its own
    tasks: Queue[bytes | None] = context.Queue()
    acks: Queue[str] = context.Queue()
    results: Queue[tuple[str, float, float]] = context.Queue()
    ready = context.Barrier(WORKERS + 1)
    processes = [context.Process(target=_work, args=(url, tasks, acks, results, ready)) for _ in range(WORKERS)]
    processes.append(context.Process(target=_schedule, args=(url, tasks, acks, results, ready)))
    with LockWaits(url) as waits:
        for process in processes:
            process.start()
        try:
            found = [_result(results, processes) for _ in processes]
        except BaseException:
            for process in processes:
                process.terminate()
            raise
        for process in processes:
            process.join()
    seconds = max(each[1] for each in found if each[0] == "scheduler")
    memory = {name: max(each[2] for each in found if each[0] == name) for name in ("scheduler", "worker")}
    return Ran(seconds, memory["scheduler"], memory["worker"], waits.seconds)


def _result(
    results: "Queue[tuple[str, float, float]]", processes: Sequence[multiprocessing.process.BaseProcess]
) -> tuple[str, float, float]:
    while True:
        try:
            return results.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in processes):
                raise RuntimeError("a process of the bench failed; its traceback is above") from None


def _schedule(
    url: str,
    tasks: "Queue[bytes | None]",
    acks: "Queue[str]",
    results: "Queue[tuple[str, float, float]]",
    ready: Barrier,
) -> None:
    store = _store(url)
    work_queue = LocalWorkQueue(tasks, acks)
    ready.wait()
    began = time.perf_counter()
    while True:
        busy = plan(store) + dispatch(store, work_queue)
        if not busy and not work_queue.load("invoices").waiting:
            break
        if not busy:
            work_queue.wait(IDLE_WAIT_SECONDS)
    seconds = time.perf_counter() - began
    for _ in range(WORKERS):
        tasks.put(None)
    results.put(("scheduler", seconds, _peak_mb()))


def _work(
    url: str,
    tasks: "Queue[bytes | None]",
    acks: "Queue[str]",
    results: "Queue[tuple[str, float, float]]",
    ready: Barrier,
) -> None:
    store = _store(url)
    ready.wait()
    while (task := tasks.get()) is not None:
        due = _decode(task)
        issue_invoices(store, due.agency_id, due.ids, again=due.again)
        acks.put(due.pool)
    results.put(("worker", 0.0, _peak_mb()))


def _store(url: str) -> Store:
    store = Store(make_engine(url))
    with store.transaction() as tx:  # the connection is made before the clock runs
        tx.scalar("SELECT 1")
    return store


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class LockWaits:
    """Samples every 50 ms how many sessions wait for a lock. A context manager; `seconds` is the sum over sessions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.seconds = 0.0

    def __enter__(self) -> "LockWaits":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        with connect(self._url) as session:
            last = time.perf_counter()
            while not self._done.wait(SAMPLE_SECONDS):
                row = session.execute(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """,
                    prepare=True,
                ).fetchone()
                now = time.perf_counter()
                self.seconds += (row[0] if row else 0) * (now - last)
                last = now
