"""A wrong year on the database's clock: nothing is planned, dispatched or charged by it, and afterwards everything is as
usual."""

from datetime import datetime, timedelta

from scheduler.tick import Scheduler
from shared.gateways.sandbox import SandboxGateway
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.clock_watch import ClockStoppedError, ClockWatch
from shared.store.database import FixedClock, Store
from shared.store.sandbox_ledger import SandboxLedger
from tests.journeys.diary import Diary
from workers.charges.charge_invoices import Runtime, always, charge_invoices

YEAR = timedelta(days=365)
INVOICE = "inv:sub:2026-06-01"


class WorkQueue:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.published: list[Due] = []

    def publish(self, messages: list[Due]) -> None:
        self.published += messages

    def load(self, _pool: Pool) -> Load:
        return Load(0, 0)


class Counting:
    """Time that passes, apart from any clock."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock, self._began = clock, clock.at
        self.wrong = timedelta(0)

    def __call__(self) -> timedelta:
        return self._clock.at - self.wrong - self._began

    def jump(self, by: timedelta) -> None:
        self._clock.at += by
        self.wrong += by

    def machine(self) -> datetime:
        return self._clock.at


def stopped(act: object) -> bool:
    try:
        act()  # type: ignore[operator]
    except ClockStoppedError:
        return True
    return False


def test_a_wrong_year_plans_dispatches_and_charges_nothing(diary: Diary, store: Store, clock: FixedClock) -> None:
    """Of a monthly subscription a wrong year would make a dozen invoices and charges. Of a dozen processes each asks itself."""
    diary.open(card="decline:insufficient_funds", agency={"timezone": "UTC"})
    diary.say("subscription.upserted")
    diary.go("2026-06-01T00:00:00Z")
    assert diary.ask("SELECT count(*), max(attempt) FROM charges") == [(2, 2)]
    counting = Counting(clock)
    watched = [Store(store.engine, clock, ClockWatch(name, counting.machine, counted=counting)) for name in ("s", "c")]
    work_queue = WorkQueue()
    scheduler = Scheduler(watched[0], work_queue, lambda: 0)
    runtime = Runtime(
        store=watched[1], gateways=always({"sandbox": SandboxGateway(SandboxLedger(watched[1]))}), concurrency=1
    )
    charge_invoices(runtime, "ag", [INVOICE])
    while scheduler.tick().done:
        pass
    work_queue.published.clear()
    before = [diary.ask(sql) for sql in _EVERYTHING]

    counting.jump(YEAR)

    assert stopped(scheduler.tick)
    assert stopped(lambda: charge_invoices(runtime, "ag", [INVOICE]))
    assert stopped(lambda: charge_invoices(runtime, "ag", [INVOICE], again=True))
    assert work_queue.published == []
    assert [diary.ask(sql) for sql in _EVERYTHING] == before

    counting.jump(-YEAR)
    clock.at += timedelta(days=1, hours=12)
    scheduler.tick()
    charge_invoices(runtime, "ag", [INVOICE])
    assert [due.ids for due in work_queue.published if due.pool == "charges"] == [[INVOICE]]
    assert diary.ask("SELECT count(*) FILTER (WHERE state = 'declined'), count(*) FROM charges") == [(2, 3)]


_EVERYTHING = (
    "SELECT count(*), max(wake_at), max(state) FROM cycles",
    "SELECT next_at, next_index FROM schedules ORDER BY 1",
    "SELECT attempt, state, wake_at, dispatches, tries FROM charges ORDER BY attempt",
    "SELECT name, at FROM heartbeats",
    "SELECT count(*) FROM events",
)
