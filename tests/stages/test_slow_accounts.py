"""A slow provider of one agency holds half of a charges process at most; whoever is fast is never limited."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from tests.journeys.diary import Diary
from workers.charges.bulkhead import SLOW_FOR_SECONDS, SLOW_SECONDS, Bulkhead
from workers.charges.charge_invoices import PUT_BACK_FOR, Runtime, always, charge_invoices

INVOICE = "inv:sub:2026-06-01"


class Watch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_an_agency_whose_calls_take_long_gets_half_of_the_threads() -> None:
    watch = Watch()
    bulkhead = Bulkhead(4, watch)
    with ExitStack() as held:
        assert [held.enter_context(bulkhead.enter("slow")) for _ in range(3)] == [True] * 3
        watch.seconds += SLOW_SECONDS + 1
        with bulkhead.enter("slow") as free:
            assert not free
        with bulkhead.enter("other") as free:
            assert free
    with bulkhead.enter("slow") as first, bulkhead.enter("slow") as second, bulkhead.enter("slow") as third:
        assert (first, second, third) == (True, True, False)  # it was slow just now
    watch.seconds += SLOW_FOR_SECONDS + 1
    with bulkhead.enter("slow") as first, bulkhead.enter("slow") as second, bulkhead.enter("slow") as third:
        assert (first, second, third) == (True, True, True)


def test_an_agency_that_is_fast_may_have_them_all() -> None:
    watch = Watch()
    bulkhead = Bulkhead(4, watch)
    with ExitStack() as held:
        for _ in range(4):
            watch.seconds += 1
            assert held.enter_context(bulkhead.enter("giant"))


def test_a_process_with_one_thread_is_never_in_its_own_way() -> None:
    watch = Watch()
    bulkhead = Bulkhead(1, watch)
    for _ in range(2):
        with bulkhead.enter("slow") as free:
            assert free
            watch.seconds += 60  # slow each time


@pytest.fixture
def dispatched(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """Two invoices: one whose attempt was dispatched and waits for its worker, one whose retry comes in days."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20", card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01T12:00:00Z")
    with store.transaction() as tx:
        tx.run(
            "UPDATE charges SET wake_at = :at, dispatches = 1 WHERE state = 'due'", at=clock.at + timedelta(minutes=2)
        )
    return diary


@pytest.mark.parametrize(("planned", "state"), [(timedelta(0), "dispatched"), (timedelta(days=3), "planned")])
def test_what_was_not_begun_is_put_back_and_what_is_planned_stays(
    store: Store, clock: FixedClock, dispatched: Diary, planned: timedelta, state: str
) -> None:
    """Nobody is asked for money meanwhile, no try is counted, and the next dispatch is a first one."""
    with store.transaction() as tx:
        tx.run("UPDATE charges SET planned_at = :at WHERE state = 'due'", at=clock.at + planned)
    watch = Watch()
    bulkhead = Bulkhead(2, watch)
    told: list[bool] = []
    runtime = Runtime(store=store, gateways=always({}), bulkhead=bulkhead, on_put_back=lambda: told.append(True))
    with bulkhead.enter("ag"):
        watch.seconds += SLOW_SECONDS + 1
        charge_invoices(runtime, "ag", [INVOICE], again=True)
    with store.transaction() as tx:
        dispatches, tries, wake_at = tx.rows("SELECT dispatches, tries, wake_at FROM charges WHERE state = 'due'")[0]
    expected = (0, PUT_BACK_FOR) if state == "dispatched" else (1, timedelta(minutes=2))
    assert ((dispatches, wake_at - clock.at), tries, told) == (expected, 0, [True])
    assert violations(store) == []
