"""Move the clock from event to event, and let everything that is due happen at each."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ops.simulate.upstream import Line, Upstream
from ops.simulate.world import World
from shared.domain.calendar import due_at
from shared.store import due_rows, facts
from shared.store.database import FixedClock, Store
from workers.intake.receive_changes import Received


class Outage(NamedTuple):
    """A half-open span of instants in which nothing runs; messages wait in the queue."""

    since: datetime
    until: datetime


class Seen(NamedTuple):
    """A line and what became of it when it arrived."""

    line: Line
    received: Received


class Ran(NamedTuple):
    """What a run saw: its first and last moment, how many messages, and those that did not count at once."""

    since: datetime
    until: datetime
    moments: int
    lines: int
    after_end: int
    repeated: int
    left: list[Seen]


def run(
    store: Store,
    clock: FixedClock,
    world: World,
    *,
    upstream: Upstream,
    until_on: date,
    outage: Outage | None,
    progress: Callable[[datetime, int], None],
) -> Ran:
    """Read messages, each at its own time, and run up to and including `until_on`, each agency's whole local day."""
    return _Run(
        store=store, clock=clock, world=world, upstream=upstream, until_on=until_on, outage=outage, progress=progress
    ).go()


class _Run:
    def __init__(
        self,
        store: Store,
        clock: FixedClock,
        world: World,
        *,
        upstream: Upstream,
        until_on: date,
        outage: Outage | None,
        progress: Callable[[datetime, int], None],
    ) -> None:
        self._store, self._clock, self._world, self._upstream = store, clock, world, upstream
        self._until_on, self._outage, self._progress = until_on, outage, progress
        self._end = datetime.combine(until_on, datetime.min.time(), UTC) + timedelta(days=1)
        self._ends: Mapping[str, datetime] = {}
        self._moments = self._lines = self._after_end = self._repeated = 0
        self._left: list[Seen] = []

    def go(self) -> Ran:
        since = min(self._upstream.start or self._end, self._end)
        self._clock.at = self._awake(since)
        while True:
            if self._deliver():
                self._ends = self._agency_ends()
            self._world.settle(self._frozen())
            self._moments += 1
            self._progress(self._clock.at, self._lines)
            following = self._following()
            if following is None:
                break
            self._clock.at = self._awake(max(following, self._clock.at))
        for _ in iter(self._upstream.skip, None):
            self._after_end += 1
        last = max(self._ends.values(), default=self._end)
        return Ran(
            since=since,
            until=last,
            moments=self._moments,
            lines=self._lines,
            after_end=self._after_end,
            repeated=self._repeated,
            left=self._left,
        )

    def _awake(self, at: datetime) -> datetime:
        """The moment itself, or the end of the outage it lies in."""
        outage = self._outage
        return outage.until if outage is not None and outage.since <= at < outage.until else at

    def _deliver(self) -> int:
        """All messages of this moment are applied before the clock moves on. Returns how many were."""
        before = self._lines
        for line in self._upstream.take(self._clock.at):
            if line.time is not None and line.time >= self._ends.get(line.agency_id, self._end):
                self._after_end += 1
                continue
            self._lines += 1
            received = self._world.receive(line.raw)
            self._repeated += received.state == "repeated"
            if received.state in ("rejected", "waiting"):
                self._left.append(Seen(line, received))
            if line.agency_id not in self._ends:
                self._ends = self._agency_ends()
        return self._lines - before

    def _agency_ends(self) -> Mapping[str, datetime]:
        """When the last local day is over in each agency's zone."""
        with self._store.transaction() as tx:
            zones = facts.timezones(tx)
        return {agency_id: due_at(self._until_on + timedelta(days=1), zone) for agency_id, zone in zones.items()}

    def _frozen(self) -> list[str]:
        """Agencies whose last day is over."""
        return sorted(agency_id for agency_id, end in self._ends.items() if end <= self._clock.at)

    def _following(self) -> datetime | None:
        """The next moment at which something happens, None when nothing more does before the end."""
        with self._store.transaction() as tx:
            waking_at = due_rows.next_instant(tx, self._frozen())
        last = max([*self._ends.values(), self._end])
        moments = [at for at in (waking_at, self._upstream.at()) if at is not None and at < last]
        return min(moments, default=None)
