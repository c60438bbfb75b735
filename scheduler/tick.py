"""One tick: rechecks, plan, dispatch. Two schedulers may tick at once without harm."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event
from typing import NamedTuple

import structlog

from scheduler.dispatch import WorkQueue, dispatch
from scheduler.plan import SCHEDULES_PER_PASS, plan_pass
from scheduler.recheck import recheck
from shared.domain.retry_times import LEASE
from shared.store import due_rows, heartbeats
from shared.store.database import Store
from shared.store.errors import is_data_error, limit_of

HEARTBEAT = "scheduler"
GAP = timedelta(minutes=1)
PASSES_MAX = 5  # of each stage in one tick: while a long backlog is planned, the pools have work already
log = structlog.get_logger()


class Ticked(NamedTuple):
    """What a tick did; `more`: a stage was cut short, so the next tick is due at once."""

    done: int
    more: bool


class Scheduler(NamedTuple):
    """What a tick works with.

    `intake_waiting`: how many upstream messages wait in intake's queue; raises OSError when the broker can't be asked.
    `stop`: a tick ends early when it is set.
    """

    store: Store
    work_queue: WorkQueue
    intake_waiting: Callable[[], int]
    lease: timedelta = LEASE
    stop: Event | None = None

    def tick(self, excluded: Sequence[str] = ()) -> Ticked:
        """Do what is due now; `done` is 0 if nothing was.

        After a gap in the heartbeat of all schedulers, cycles are planned only once intake has caught up: what changed
        during the gap counts from when it became true, and it is still waiting in intake's queue. Raises OSError when the
        broker is away: then everything but publishing was done.
        """
        may_plan, due = self._check(excluded)
        rechecked = planned = Ticked(0, more=False)
        broken: Exception | None = None
        if due_rows.RECHECK in due:
            rechecked = self._passes(lambda _: recheck(self.store, excluded=excluded))
        if due_rows.PLAN in due and may_plan:
            try:
                planned = self._passes(_Planning(self.store, excluded))
            except Exception as error:
                if not (is_data_error(error) or limit_of(error)):
                    raise
                broken = error  # what is due already is dispatched all the same
        done = rechecked.done + planned.done
        # What was just planned or released is due too.
        pools = due_rows.POOLS if done else due
        done += dispatch(self.store, self.work_queue, pools, excluded=excluded, lease=self.lease)
        if broken is not None:
            raise broken
        return Ticked(done, rechecked.more or planned.more)

    def _check(self, excluded: Sequence[str]) -> tuple[bool, set[str]]:
        """Whether cycles may be planned, and what is due. The broker is asked while no transaction is open."""
        with self.store.transaction() as tx:
            due = due_rows.due_work(tx, excluded)
            before = heartbeats.last(tx, HEARTBEAT)
            gap = before is not None and tx.as_of - before > GAP
            if not gap:
                heartbeats.beat(tx, HEARTBEAT)
                return True, due
        if self.intake_waiting() > 0:
            log.info("plan.postponed", last_beat=str(before), reason="intake has not caught up")
            return False, due
        with self.store.transaction() as tx:
            heartbeats.beat(tx, HEARTBEAT)
        return True, due

    def _passes(self, stage: Callable[[int], int]) -> Ticked:
        """Run a stage until it has nothing left, within its share of the tick."""
        done = 0
        for number in range(PASSES_MAX):
            passed = stage(number)
            done += passed
            if not passed or (self.stop is not None and self.stop.is_set()):
                return Ticked(done, more=False)
        return Ticked(done, more=True)


class _Planning:
    """Passes over the due schedules, oldest first; in each tick one of them leaves out whoever filled the pass before, so that
    an agency with a long backlog delays nobody else's cycles."""

    def __init__(self, store: Store, excluded: Sequence[str]) -> None:
        self._store, self._excluded = store, list(excluded)
        self._full: list[str] = []

    def __call__(self, number: int) -> int:
        if number == 1 and self._full:
            others = self._pass([*self._excluded, *self._full]).total()
            if others:
                return others
        moved = self._pass(self._excluded)
        self._full = [agency_id for agency_id, count in moved.items() if count * 2 >= SCHEDULES_PER_PASS]
        return moved.total()

    def _pass(self, excluded: Sequence[str]) -> Counter[str]:
        return plan_pass(self._store, batch=SCHEDULES_PER_PASS, excluded=excluded)
