"""One slow provider must not hold all threads of a process: an agency whose calls take long gets half of them at most."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

SLOW_SECONDS = 5.0


class Bulkhead:
    """Counts the messages of each agency that this process has worked on for longer than five seconds.

    An agency that is fast is never limited, however much of the pool it takes.
    """

    def __init__(self, threads: int, now: Callable[[], float] = monotonic) -> None:
        self._most = max(1, threads // 2)
        self._now = now
        self._lock = Lock()
        self._began: dict[str, list[float]] = {}

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
            with self._lock:
                self._began[agency_id].remove(began)
                if not self._began[agency_id]:
                    del self._began[agency_id]

    def _has_room(self, agency_id: str, began: float) -> bool:
        with self._lock:
            held = self._began.setdefault(agency_id, [])
            if sum(began - since > SLOW_SECONDS for since in held) >= self._most:
                return False
            held.append(began)
            return True
