"""How a pool's process begins: settings, logs, the schema, the broker, then the pool's own wiring."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event

import structlog

from shared.broker.message_log import MessageLog
from shared.broker.pool_consumer import PoolBroker, make_global
from shared.broker.stall_watch import StallWatch
from shared.broker.topology import PREFETCH
from shared.broker.worker_threads import BackgroundLoops
from shared.messages.work import Pool
from shared.process import Process, Stopped
from shared.settings import Settings, load
from shared.telemetry import logs, metrics

__all__ = ["Stopped", "WorkerProcess", "begin"]

log = structlog.get_logger()


class WorkerProcess(Process):
    """A pool's process: its broker, and the loops beside its worker threads."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        super().__init__(pool, settings, connections=settings.threads + 2)
        self.pool = pool
        self.background = BackgroundLoops(settings.stop_within)
        self.stall_watch = StallWatch(lambda: self.broker.held(), PREFETCH[pool], settings.lease)
        self.alive = lambda: self.background.alive() and self.stall_watch.moves()
        self.broker = PoolBroker(
            settings.broker_urls,
            pool,
            name=self.name,
            middleware=[MessageLog(pool, metrics.message_done), self.stall_watch, self.background],
            on_dropped=partial(metrics.message_dropped, pool),
        )
        self.connected = self.broker.unanswered

    def close(self) -> None:
        """Let go of every connection."""
        self.broker.close()
        super().close()


Prepare = Callable[[WorkerProcess], None]


def begin(
    pool: Pool, prepare: Prepare, environ: Mapping[str, str] = os.environ, stop: Event | None = None
) -> WorkerProcess:
    """A process of `pool` whose actors are declared and whose surroundings are right.

    Raises SettingsError for a wrong environment, and what `Process.wait_for_surroundings` raises.
    """
    needs = ("DATABASE_URL", "BROKER_URL", *(("MAIL_URL",) if pool == "notices" else ()))
    settings = load(environ, needs)
    logs.configure(pool, settings.log_level)
    process = WorkerProcess(pool, settings)
    try:
        process.wait_for_surroundings(stop)
        prepare(process)
    except BaseException:
        process.close()
        raise
    make_global(process.broker)
    log.info("process.began", pool=pool, threads=settings.threads)
    return process
