"""Whether a pool's process holds messages on which nobody works: it seems alive from outside, and does nothing."""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from time import monotonic

import dramatiq
import structlog

log = structlog.get_logger()


class StallWatch(dramatiq.Middleware):
    """Asked by the liveness probe. A process holds as many messages as it may, none of its threads works on one, and this
    lasts longer than `patience`, the lease: then it is not alive, and whoever supervises it starts another one."""

    def __init__(
        self, held: Callable[[], int], most: int, patience: timedelta, clock: Callable[[], float] = monotonic
    ) -> None:
        self._held, self._most, self._patience = held, most, patience.total_seconds()
        self._monotonic = clock
        self._lock = Lock()
        self._busy = 0
        self._since: float | None = None  # when a probe first saw it
        self._told = False

    def before_process_message(self, _broker: dramatiq.Broker, _message: dramatiq.MessageProxy) -> None:
        """A thread has something to do."""
        self._moved(1)

    def after_process_message(
        self,
        _broker: dramatiq.Broker,
        _message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """It is done."""
        del result, exception
        self._moved(-1)

    def _moved(self, by: int) -> None:
        with self._lock:
            self._busy += by
            self._since, self._told = None, False

    def moves(self) -> bool:
        """False once the process has stood still for too long."""
        with self._lock:
            if self._busy or self._held() < self._most:
                self._since = None
                return True
            if self._since is None:
                self._since = self._monotonic()
            if self._monotonic() - self._since <= self._patience:
                return True
            if not self._told:
                log.error("pool.stalled", held=self._most, seconds=self._patience, fix="restart this process")
                self._told = True
            return False
