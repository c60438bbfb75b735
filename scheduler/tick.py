"""One look at everything: rechecks, plan, dispatch. Two schedulers may tick at once without harm."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event
from typing import NamedTuple

import structlog

from scheduler.dispatch import LEASE, Bell, dispatch
from scheduler.plan import plan
from scheduler.recheck import recheck
from shared.store import heartbeats, waking
from shared.store.transaction import Store

HEARTBEAT = "scheduler"
GAP = timedelta(minutes=1)
PASSES_MAX = 50  # of each stage in one tick, so that a long backlog in one does not starve the others
log = structlog.get_logger()


class Scheduler(NamedTuple):
    """What a tick works with.

    `intake_waiting`: how many upstream messages wait in intake's queue; raises OSError when the broker can't be asked.
    `stop`: a tick ends early when it is set.
    """

    store: Store
    bell: Bell
    intake_waiting: Callable[[], int]
    lease: timedelta = LEASE
    stop: Event | None = None

    def tick(self, frozen: Sequence[str] = ()) -> int:
        """Do what is due now. Returns how much was done: 0 means that nothing was.

        After a gap in the heartbeat of all schedulers, cycles are planned only once intake has caught up: what changed
        during the gap counts from when it became true, and it is still waiting in intake's queue. Raises OSError when the
        broker is away: then everything but the ringing was done.
        """
        may_plan, due = self._look(frozen)
        done = 0
        if waking.RECHECK in due:
            done += self._passes(lambda: recheck(self.store, frozen=frozen))
        if waking.PLAN in due and may_plan:
            done += self._passes(lambda: plan(self.store, frozen=frozen))
        # What was just planned or woken is due too.
        pools = waking.POOLS if done else due
        return done + dispatch(self.store, self.bell, pools, frozen=frozen, lease=self.lease)

    def _look(self, frozen: Sequence[str]) -> tuple[bool, set[str]]:
        """Whether cycles may be planned, and what is due. The broker is asked while no transaction is open."""
        with self.store.transaction() as tx:
            due = waking.due_work(tx, frozen)
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

    def _passes(self, stage: Callable[[], int]) -> int:
        """Run a stage until it has nothing left, within its share of the tick."""
        done = 0
        for _ in range(PASSES_MAX):
            passed = stage()
            if not passed or (self.stop is not None and self.stop.is_set()):
                break
            done += passed
        return done
