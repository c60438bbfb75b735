"""One look at everything: rechecks, plan, dispatch, relay. Two schedulers may tick at once without harm."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog

from scheduler.dispatch import Bell, dispatch
from scheduler.plan import plan
from scheduler.recheck import recheck
from scheduler.relay import Exchange, relay
from shared.store import heartbeats, waking
from shared.store.transaction import Store

HEARTBEAT = "scheduler"
GAP = timedelta(minutes=1)
PASSES_MAX = 50  # of each stage in one tick, so that a long backlog in one does not starve the others
log = structlog.get_logger()


class Scheduler(NamedTuple):
    """What a tick works with. `intake_waiting`: how many upstream messages wait in intake's queue."""

    store: Store
    bell: Bell
    exchange: Exchange
    intake_waiting: Callable[[], int]

    def tick(self, frozen: Sequence[str] = ()) -> int:
        """Do what is due now. Returns how much was done: 0 means that nothing was.

        After a gap in the heartbeat of all schedulers, cycles are planned only once intake has caught up: what changed
        during the gap counts from when it became true, and it is still waiting in intake's queue.
        """
        may_plan, due = self._look(frozen)
        done = 0
        if waking.RECHECK in due:
            done += _passes(lambda: recheck(self.store, frozen=frozen))
        if waking.PLAN in due and may_plan:
            done += _passes(lambda: plan(self.store, frozen=frozen))
        # What was just planned or woken is due too.
        done += dispatch(self.store, self.bell, waking.POOLS if done else due, frozen=frozen)
        return done + _passes(lambda: relay(self.store, self.exchange))

    def _look(self, frozen: Sequence[str]) -> tuple[bool, set[str]]:
        """Whether cycles may be planned, and what is due, seen in one transaction."""
        with self.store.transaction() as tx:
            due = waking.due_work(tx, frozen)
            before = heartbeats.last(tx, HEARTBEAT)
            behind = before is not None and tx.as_of - before > GAP and self.intake_waiting() > 0
            if not behind:
                heartbeats.beat(tx, HEARTBEAT)
        if behind:
            log.info("plan.postponed", last_beat=str(before), reason="intake has not caught up")
        return not behind, due


def _passes(stage: Callable[[], int]) -> int:
    """Run a stage until it has nothing left, within its share of the tick."""
    done = 0
    for _ in range(PASSES_MAX):
        passed = stage()
        if not passed:
            break
        done += passed
    return done
