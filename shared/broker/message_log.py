"""One log line and the figures of every work message, when it ends."""

from collections.abc import Callable
from threading import local
from time import monotonic

import dramatiq
import structlog

from shared.messages.work import Pool

log = structlog.get_logger()

Done = Callable[[Pool, str, float, int], None]
"""(pool, outcome, seconds, rows): a message ended; the outcome is `done` or `failed`."""


class MessageLog(dramatiq.Middleware):
    """One canonical line per message: whose, how many rows, how long, and how it ended. Never what the rows hold."""

    def __init__(self, pool: Pool, on_done: Done) -> None:
        self._pool, self._on_done = pool, on_done
        self._own = local()  # a thread works on one message at a time

    def before_process_message(self, _broker: dramatiq.Broker, _message: dramatiq.MessageProxy) -> None:
        """It begins."""
        self._own.began = monotonic()

    def after_process_message(
        self,
        _broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """It ended; if its actor raised, its rows are still due and are dispatched again after their lease."""
        del result
        seconds = monotonic() - self._own.began
        ids = message.kwargs.get("ids", ())
        rows = len(ids) if isinstance(ids, list) else 0
        told = {
            "pool": self._pool,
            "agency_id": message.kwargs.get("agency_id"),
            "rows": rows,
            "again": message.kwargs.get("again"),
            "seconds": round(seconds, 4),
            "message_id": message.message_id,
        }
        if exception is None:
            log.info("message.done", **told)
        else:
            log.error("message.failed", **told, error=type(exception).__name__)
        self._on_done(self._pool, "done" if exception is None else "failed", seconds, rows)
