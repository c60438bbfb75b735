"""The scheduler's loop: a tick each second, earlier when a commit says that it left work behind."""

from collections.abc import Callable
from threading import Event

import structlog

from scheduler.tick import Scheduler

TICK_SECONDS = 1
log = structlog.get_logger()


def loop(scheduler: Scheduler, wait: Callable[[int], object], stop: Event) -> None:
    """Tick until `stop` is set. `wait(seconds)` returns early when there is work.

    A tick that fails is logged and tried again after the wait: every row is still there, and due.
    """
    while not stop.is_set():
        try:
            scheduler.tick()
            wait(TICK_SECONDS)
        except Exception:
            log.exception("tick.failed")
            stop.wait(TICK_SECONDS)
