"""The watch over the database's clock: business time comes from it, so a jump of it would plan and charge what is not due.

See docs/decisions/0028-the-clock-is-watched.md.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, Row, text

from shared.domain.clock import Jump, Reading, drift, has_come_back, shown

BOUND: Final = timedelta(minutes=2)
# A clock that is put right slowly may stray by 0.05 %, and may do so for ever: progress is measured over an hour at most.
ANCHORED: Final = timedelta(hours=1)
FIX: Final = (
    "set the clocks of the database's machine and of this one right; if the database's is right as it is, confirm it:"
    " duecycle clock accept"
)
log = structlog.get_logger()

# One row: the newest time at which a scheduler worked, and a jump `j` that has not ended, if there is one.
MARK = "(SELECT at FROM heartbeats WHERE name = 'scheduler')"
ONE_WITH_OPEN_JUMP = """(SELECT) AS one
LEFT JOIN LATERAL (SELECT * FROM clock_jumps WHERE ended_at IS NULL ORDER BY jump_id LIMIT 1) AS j ON true"""
_LOOK = text(f"""
SELECT transaction_timestamp(), {MARK},
       (SELECT coalesce(max(jump_id), 0) FROM clock_jumps WHERE accepted_by IS NOT NULL), j.expected_at, j.seen_at
FROM {ONE_WITH_OPEN_JUMP}""")  # noqa: S608
_KEEP = text("""
INSERT INTO clock_jumps (expected_at, seen_at, found_by)
SELECT :expected_at, :seen_at, :found_by WHERE NOT EXISTS (SELECT FROM clock_jumps WHERE ended_at IS NULL)
""")
_END = text("""
UPDATE clock_jumps SET ended_at = :at WHERE jump_id IN
    (SELECT jump_id FROM clock_jumps WHERE ended_at IS NULL FOR UPDATE SKIP LOCKED)
""")


class ClockStoppedError(OSError):
    """The database's clock can't be trusted: nothing is decided by it. The words say why, and what to do.

    `jump` is for everybody to know of, until that is committed.
    """

    def __init__(self, words: str, jump: Jump | None) -> None:
        super().__init__(words)
        self.jump = jump


class _Known(NamedTuple):
    """What the database holds: the newest time that a scheduler trusted, the latest word of an operator, an open jump."""

    mark: datetime | None
    accepted: int
    jump: Jump | None


def counted() -> timedelta:
    """A span that only ever grows; where the system counts it, with what the machine has slept through."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return timedelta(seconds=time.monotonic() if clock is None else time.clock_gettime(clock))


class ClockWatch:
    """Asked at the beginning of every transaction of a process, with the very moment it would be judged at.

    `machine` reads this machine's own clock, which counts at the process's first reading alone. `on_change` hears when the
    clock ceases to be trusted (True) and when it is again (False).
    """

    def __init__(
        self,
        name: str,
        machine: Callable[[], datetime],
        bound: timedelta = BOUND,
        *,
        counted: Callable[[], timedelta] = counted,
        on_change: Callable[[bool], object] = lambda _stopped: None,
    ) -> None:
        self.name, self._machine, self._bound, self._counted, self._on_change = name, machine, bound, counted, on_change
        self._lock = Lock()
        self._anchor: Reading | None = None
        self._accepted: int | None = None
        self._stopped: str | None = None
        self._unkept: Jump | None = None

    def look(self, connection: Connection, simulated: Callable[[], datetime] | None = None) -> datetime:
        """The moment of the transaction that begins here. Raises ClockStoppedError if it can't be trusted."""
        earliest = self._counted()
        row = connection.execute(_LOOK).one()
        latest = self._counted()
        at = row[0].astimezone(UTC) if simulated is None else simulated()
        known = _known(row)
        with self._lock:
            wrong = self._judge(Reading(at, earliest, latest), known)
            self._tell(wrong, at)
            if wrong is not None:
                raise ClockStoppedError(wrong, self._unkept)
        if known.jump is not None:
            connection.execute(_END, {"at": at})
        return at

    def keep(self, connection: Connection, jump: Jump) -> None:
        """Let every process know of a jump that this one has measured, also those that are yet to begin.

        Once that is committed the caller says so with `kept`; until then each stopped transaction tries it again.
        """
        connection.execute(_KEEP, {"expected_at": jump.expected_at, "seen_at": jump.seen_at, "found_by": self.name})

    def kept(self, jump: Jump) -> None:
        """What every process was to know of is committed. A jump that was measured since then is another one."""
        with self._lock:
            if self._unkept is jump:
                self._unkept = None

    def _judge(self, now: Reading, known: _Known) -> str | None:
        """Why the clock can't be trusted, None if it can."""
        if self._accepted is not None and known.accepted > self._accepted:
            self._anchor, self._accepted, self._unkept = now, known.accepted, None
            return None
        self._accepted = known.accepted
        wrong = self._against_the_machine(now.at, known) if self._anchor is None else self._against_counting(now)
        if wrong is None and known.mark is not None and now.at < known.mark - self._bound:
            wrong = f"the database's clock says {shown(now.at)}, but a scheduler has worked at {shown(known.mark)}"
        if wrong is None and (self._anchor is None or now.latest - self._anchor.latest > ANCHORED):
            self._anchor = now
        return None if wrong is None else f"{wrong}; {FIX}"

    def _against_counting(self, now: Reading) -> str | None:
        if self._anchor is None:
            return None
        by = drift(self._anchor, now)
        if abs(by) <= self._bound:
            self._unkept = None
            return None
        expected = now.at - by
        if self._stopped is None:
            self._unkept = Jump(expected, now.at)
        return f"the database's clock says {shown(now.at)}, but by our own counting it is {shown(expected)}"

    def _against_the_machine(self, at: datetime, known: _Known) -> str | None:
        """At the first reading there is nothing to count from."""
        own = self._machine()
        if abs(at - own) > self._bound:
            return f"the database's clock says {shown(at)}, but this machine's says {shown(own)}"
        if known.jump is not None and not has_come_back(known.jump, at, self._bound):
            seen, expected = map(shown, (known.jump.seen_at, known.jump.expected_at))
            return (
                f"the database's clock was seen to say {seen} at {expected}, and nobody knows whether it is right again"
            )
        return None

    def _tell(self, wrong: str | None, at: datetime) -> None:
        if wrong is not None and self._stopped is None:
            log.error("clock.stopped", reason=wrong)
        elif wrong is None and self._stopped is not None:
            log.warning("clock.trusted", at=shown(at), after=self._stopped)
        if (wrong is None) != (self._stopped is None):
            self._on_change(wrong is not None)
        self._stopped = wrong


def _known(row: Row[*tuple[Any, ...]]) -> _Known:
    _now, mark, accepted, expected_at, seen_at = row
    jump = None if expected_at is None or seen_at is None else Jump(expected_at, seen_at)
    return _Known(mark, accepted, jump)
