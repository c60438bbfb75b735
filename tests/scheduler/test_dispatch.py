"""Dispatch alone controls the flow: how much is under way, for whom, and that a lost message costs nothing but a lease."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from scheduler.dispatch import BATCHES, IN_FLIGHT_MAX, batches, dispatch, dispatch_pool
from shared.domain.retry_times import LEASE
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.database import FixedClock, Store
from shared.store.due_rows import DueRow
from tests.scheduler.rows import due_cycles


class RecordingQueue:
    """A work queue that remembers what was published, with so many messages under way already."""

    def __init__(self, under_way: int = 0, held: int = 0) -> None:
        self.under_way, self.held = under_way, held
        self.published: list[Due] = []

    def publish(self, messages: Sequence[Due]) -> None:
        self.published += messages

    def load(self, pool: Pool) -> Load:
        return Load(self.under_way, self.held)

    def dispatched_for(self, agency_id: str) -> int:
        return sum(message.agency_id == agency_id for message in self.published)


def test_what_is_due_is_dispatched_once_and_again_only_after_the_lease(store: Store, clock: FixedClock) -> None:
    """A message that is lost is dispatched again when its lease ends, and says that it was dispatched before."""
    due_cycles(store, "a", 3)
    work_queue = RecordingQueue()

    assert dispatch_pool(store, work_queue, "invoices") == 1
    assert dispatch_pool(store, work_queue, "invoices") == 0
    clock.at += LEASE
    assert dispatch_pool(store, work_queue, "invoices") == 1

    assert [message.again for message in work_queue.published] == [False, True]
    assert work_queue.published[0].ids == ["s000001", "s000002", "s000003"]


def test_rows_of_another_stream_are_not_dispatched_to_this_pool(store: Store) -> None:
    """Orders are dispatched to the orders pool alone."""
    due_cycles(store, "a", 2, stream="order")
    work_queue = RecordingQueue()

    assert dispatch_pool(store, work_queue, "invoices") == 0
    assert dispatch_pool(store, work_queue, "orders") == 1


def test_a_full_pool_gets_nothing_more(store: Store) -> None:
    """At most 64 messages of a pool are under way; rows that find no room keep waking."""
    due_cycles(store, "a", 5)
    work_queue = RecordingQueue(under_way=IN_FLIGHT_MAX)

    assert dispatch_pool(store, work_queue, "invoices") == 0
    with store.transaction() as tx:
        assert tx.scalar("SELECT count(*) FROM cycles WHERE wake_at <= :at AND dispatches = 0", at=tx.as_of) == 5


def test_a_giant_agency_leaves_room_for_a_small_one(store: Store, monkeypatch) -> None:
    """While others wait, one agency gets a quarter of the pool, though all its rows are older."""
    monkeypatch.setitem(BATCHES, "invoices", 2)
    due_cycles(store, "giant", 400)
    due_cycles(store, "small", 6)
    with store.transaction() as tx:
        tx.run("UPDATE cycles SET wake_at = wake_at - interval '1 second' WHERE agency_id = 'giant'")
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices")

    assert work_queue.dispatched_for("small") == 3
    assert work_queue.published[16 + 2].agency_id == "small"  # served right after the giant's quarter of 16 messages
    assert len(work_queue.published) == IN_FLIGHT_MAX  # nobody else waits: the rest of the room is the giant's again


def test_frozen_agencies_are_left_alone(store: Store) -> None:
    """An agency that is excluded keeps its rows as they are."""
    due_cycles(store, "a", 1)
    due_cycles(store, "b", 1)
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices", excluded=["a"])

    assert [message.agency_id for message in work_queue.published] == ["b"]


def test_a_row_that_was_tried_three_times_is_dispatched_alone(store: Store) -> None:
    """A row that may be killing its worker shares its message with nobody."""
    due_cycles(store, "a", 2)
    due_cycles(store, "suspect", 2, tries=3)
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices")

    assert sorted(len(message.ids) for message in work_queue.published) == [1, 1, 2]
    assert all(message.again for message in work_queue.published if message.agency_id == "suspect")


def test_batches_hold_one_agency_and_keep_fresh_rows_apart_from_those_dispatched_before() -> None:
    """A message names one agency; only a message with rows dispatched before makes its worker count tries."""
    rows = [DueRow("a", "1", 1, 0), DueRow("b", "2", 1, 0), DueRow("a", "3", 2, 0), DueRow("a", "1", 1, 0)]

    assert batches("orders", rows) == [
        Due("orders", "a", ["1"], again=False),
        Due("orders", "b", ["2"], again=False),
        Due("orders", "a", ["3"], again=True),
    ]


def test_a_lease_is_longer_than_a_worker_may_take() -> None:
    """Dispatching again before a worker could be done would only double its work."""
    assert timedelta(minutes=2) == LEASE


def test_the_broken_queue_of_one_pool_keeps_no_other_from_being_dispatched(store: Store) -> None:
    """The failure is told all the same; a second one is the broker's, and ends the look."""
    due_cycles(store, "a", 1)
    due_cycles(store, "b", 1, stream="order")

    class Broken(RecordingQueue):
        def load(self, pool: Pool) -> Load:
            if pool == "invoices":
                raise OSError("no answer about the queue")
            return super().load(pool)

    work_queue = Broken()
    with pytest.raises(OSError, match="no answer"):
        dispatch(store, work_queue)

    assert [message.pool for message in work_queue.published] == ["orders"]
