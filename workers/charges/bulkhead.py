"""One slow provider must not hold all threads of a process: an agency whose calls take long gets half of them at most."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

SLOW_SECONDS = 5.0
SLOW_FOR_SECONDS = 600.0


class Bulkhead:
    """Counts the messages of each agency that this process works on. An agency is slow while one of them takes longer than five
    seconds, and for ten minutes afterwards.

    An agency that is fast is never limited, however much of the pool it takes.
    """

    def __init__(self, threads: int, now: Callable[[], float] = monotonic) -> None:
        self._most = max(1, threads // 2)
        self._now = now
        self._lock = Lock()
        self._began: dict[str, list[float]] = {}
        self._slow_until: dict[str, float] = {}

    @contextmanager
    def enter(self, agency_id: str) -> Iterator[bool]:
        """Work on a message of an agency. False: its slow calls hold half of the threads; leave the message for later."""
        began = self._now()
        if not self._has_room(agency_id, began):
            yield False
            return
        try:
            yield True
        finally:
            self._leave(agency_id, began)

    def _has_room(self, agency_id: str, now: float) -> bool:
        with self._lock:
            held = self._began.setdefault(agency_id, [])
            slow = self._slow_until.get(agency_id, now) > now or any(now - since > SLOW_SECONDS for since in held)
            if slow and len(held) >= self._most:
                return False
            held.append(now)
            return True

    def _leave(self, agency_id: str, began: float) -> None:
        now = self._now()
        with self._lock:
            self._began[agency_id].remove(began)
            if not self._began[agency_id]:
                del self._began[agency_id]
            if now - began > SLOW_SECONDS:
                self._slow_until[agency_id] = now + SLOW_FOR_SECONDS
            elif self._slow_until.get(agency_id, now) < now:
                del self._slow_until[agency_id]
