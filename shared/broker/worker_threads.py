"""A pool's worker threads in this process: dramatiq's worker without its master process, and what runs beside them."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import dramatiq
import structlog

from shared.broker.pool_consumer import PoolBroker

IDLE_MILLISECONDS = 500  # how often an idle thread checks whether it should end
log = structlog.get_logger()


class BackgroundLoops(dramatiq.Middleware):
    """Loops of a process beside its worker threads: they begin with the worker, also under dramatiq's own command line."""

    def __init__(self, within: timedelta) -> None:
        self._within = within.total_seconds()
        self._loops: list[tuple[str, Callable[[Event], None]]] = []
        self._threads: list[Thread] = []
        self._stop = Event()
        self._worker: dramatiq.Worker | None = None

    def add(self, name: str, loop: Callable[[Event], None]) -> None:
        """Run `loop(stop)` in a thread of its own; it returns soon after `stop` is set."""
        self._loops.append((name, loop))

    def stopping(self) -> bool:
        """Whether the worker was told to end."""
        return self._stop.is_set()

    def alive(self) -> bool:
        """Whether every loop still runs, and every thread of the worker."""
        worker = self._worker
        of_worker = [] if worker is None else [*worker.workers, *worker.consumers.values()]
        return all(thread.is_alive() for thread in (*self._threads, *of_worker))

    def after_worker_boot(self, _broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begin."""
        self._worker = worker
        self._threads = [Thread(target=loop, args=(self._stop,), name=name, daemon=True) for name, loop in self._loops]
        for thread in self._threads:
            thread.start()

    def before_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        """End, and wait for the end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(self._within)
            if thread.is_alive():
                log.warning("loop.cut_short", name=thread.name)


class WorkerThreads:
    """Worker threads at work."""

    def __init__(self, broker: PoolBroker, threads: int) -> None:
        self._worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=IDLE_MILLISECONDS)
        self._worker.start()

    def stop(self, within: timedelta) -> bool:
        """Take nothing new, and wait for what is under way. Returns whether it ended in time.

        What did not is rolled back when the process ends: its rows are still due.
        """
        threads = list(self._worker.workers)
        self._worker.stop(timeout=round(within.total_seconds() * 1000))
        return not any(thread.is_alive() for thread in threads)
