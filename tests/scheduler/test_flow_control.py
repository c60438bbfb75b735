"""Flow control counts messages, keeps agencies apart, respects pauses, and paces gateway accounts."""

from datetime import timedelta

import pytest

from scheduler.dispatch import BATCHES, IN_FLIGHT_MAX, REFILL_BELOW, dispatch_pool
from shared.store import accounts, pauses
from shared.store.database import FixedClock, Store
from tests.scheduler.rows import due_cycles
from tests.scheduler.test_dispatch import RecordingQueue


def _due(store: Store) -> int:
    with store.transaction() as tx:
        return tx.scalar("SELECT count(*) FROM cycles WHERE wake_at <= :at", at=tx.as_of)


def test_a_thousand_agencies_with_a_row_each_make_no_thousand_messages(store: Store) -> None:
    """The limit is one of messages; rows that find no room are not even touched."""
    for number in range(100):
        due_cycles(store, f"agency-{number:03}", 1)
    work_queue = RecordingQueue()

    assert dispatch_pool(store, work_queue, "invoices") == IN_FLIGHT_MAX
    assert len(work_queue.published) == IN_FLIGHT_MAX
    assert _due(store) == 100 - IN_FLIGHT_MAX


def test_what_workers_hold_counts_and_many_workers_still_get_work(store: Store) -> None:
    """At most 64 unacknowledged; but a few may always wait, or a large pool would starve."""
    for number in range(100):
        due_cycles(store, f"agency-{number:03}", 1)

    assert dispatch_pool(store, RecordingQueue(held=40), "invoices") == IN_FLIGHT_MAX - 40
    assert dispatch_pool(store, RecordingQueue(held=500), "invoices") == REFILL_BELOW


def test_a_giant_whose_rows_are_all_older_does_not_delay_a_small_agency(store: Store, monkeypatch) -> None:
    """The giant has many times more older rows than one look reads: the small one is in the first pass all the same."""
    monkeypatch.setitem(BATCHES, "invoices", 10)
    due_cycles(store, "giant", 3000)
    due_cycles(store, "small", 5)
    with store.transaction() as tx:
        tx.run("UPDATE cycles SET wake_at = wake_at - interval '1 day' WHERE agency_id = 'giant'")
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices")

    place = [message.agency_id for message in work_queue.published].index("small")
    assert place == IN_FLIGHT_MAX // 4  # right after the giant's quarter


@pytest.mark.slow
def test_a_hundred_thousand_due_cycles_of_one_agency_leave_the_door_open(store: Store) -> None:
    """With real batch sizes: a quarter of the pool, then the small agency."""
    due_cycles(store, "giant", 100_000)
    due_cycles(store, "small", 3)
    with store.transaction() as tx:
        tx.run("UPDATE cycles SET wake_at = wake_at - interval '1 day' WHERE agency_id = 'giant'")
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices")

    assert [message.agency_id for message in work_queue.published][:17] == ["giant"] * 16 + ["small"]


@pytest.mark.parametrize("agency", ["a", pauses.EVERYBODY])
def test_a_paused_pool_gets_nothing_and_its_rows_stay_due(store: Store, agency: str) -> None:
    due_cycles(store, "a", 2)
    due_cycles(store, "b", 2)
    with store.transaction() as tx:
        assert pauses.add(tx, "invoices", agency, "audit")
        assert not pauses.add(tx, "invoices", agency, "audit")
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "invoices")
    assert {message.agency_id for message in work_queue.published} == ({"b"} if agency else set())
    with store.transaction() as tx:
        assert pauses.remove(tx, "invoices", agency)
        assert not pauses.remove(tx, "invoices", agency)
    dispatch_pool(store, work_queue, "invoices")

    assert {(message.agency_id, message.again) for message in work_queue.published} == {("a", False), ("b", False)}


def due_charges(store: Store, agency_id: str, count: int, rate: int | None) -> None:
    """An agency on the sandbox with so many attempts due, and the rate of its account."""
    due_cycles(store, agency_id, count)
    with store.transaction() as tx:
        tx.run(
            """
            INSERT INTO invoices (agency_id, invoice_id, subscription_id, client_id, status, collection, origin, issued_on,
                                  issued_at, due_on, currency, subtotal_minor, tax_minor, total_minor, taxes, snapshot)
            SELECT agency_id, 'inv-' || subscription_id, subscription_id, 'c', 'open', 'automatic', 'automatic',
                   '2026-06-01', :as_of, '2026-06-15', 'EUR', 100, 0, 100, '[]', '{}' FROM subscriptions
            WHERE agency_id = :agency_id
            """,
            agency_id=agency_id,
            as_of=tx.as_of,
        )
        tx.run(
            """
            INSERT INTO charges (agency_id, invoice_id, attempt, subscription_id, client_id, state, currency, planned_at,
                                 wake_at)
            SELECT agency_id, invoice_id, 1, subscription_id, 'c', 'due', 'EUR', :as_of, :as_of FROM invoices
            WHERE agency_id = :agency_id
            """,
            agency_id=agency_id,
            as_of=tx.as_of,
        )
        tx.run(
            """
            INSERT INTO gateway_accounts (agency_id, provider, rate_per_second) VALUES (:agency_id, 'sandbox', :rate)
            ON CONFLICT (agency_id, provider) DO UPDATE SET rate_per_second = excluded.rate_per_second
            """,
            agency_id=agency_id,
            rate=rate,
        )


def dispatched_ids(work_queue: RecordingQueue) -> int:
    return sum(len(message.ids) for message in work_queue.published)


def test_attempts_of_a_paced_account_go_out_at_its_rate(store: Store, clock: FixedClock) -> None:
    """A batch at once, then as many a second as the account takes, however often dispatch looks."""
    due_charges(store, "a", 100, rate=5)
    work_queue = RecordingQueue()

    for _ in range(3):
        dispatch_pool(store, work_queue, "charges")
    assert dispatched_ids(work_queue) == 20
    clock.at += timedelta(seconds=1)
    dispatch_pool(store, work_queue, "charges")
    assert dispatched_ids(work_queue) == 25
    clock.at += timedelta(seconds=2)
    dispatch_pool(store, work_queue, "charges")

    assert dispatched_ids(work_queue) == 35


def test_a_giant_on_a_slow_account_does_not_hide_the_charges_of_others(store: Store, clock: FixedClock) -> None:
    """It has more older attempts than one look reads, and its account takes five a second: the small agency goes on."""
    due_charges(store, "giant", 1500, rate=5)
    clock.at += timedelta(seconds=1)
    due_charges(store, "small", 3, rate=None)
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "charges")

    assert (dispatched_ids(work_queue), work_queue.dispatched_for("small")) == (20 + 3, 1)


def test_an_account_without_a_rate_is_not_held_back(store: Store) -> None:
    due_charges(store, "a", 100, rate=None)
    work_queue = RecordingQueue()
    dispatch_pool(store, work_queue, "charges")
    assert dispatched_ids(work_queue) == 100


def test_a_paused_account_sleeps_without_being_dispatched_and_others_go_on(store: Store, clock: FixedClock) -> None:
    due_charges(store, "paused", 3, rate=None)
    due_charges(store, "fresh", 3, rate=None)
    with store.transaction() as tx:
        account = accounts.load(tx, "paused", "sandbox")
        assert account is not None
        accounts.write(tx, account._replace(failures=5, pauses=1, paused_until=tx.as_of + timedelta(minutes=4)))
    work_queue = RecordingQueue()

    dispatch_pool(store, work_queue, "charges")
    assert {message.agency_id for message in work_queue.published} == {"fresh"}
    clock.at += timedelta(minutes=4)
    dispatch_pool(store, work_queue, "charges")

    assert [(m.agency_id, m.again) for m in work_queue.published if m.agency_id == "paused"] == [("paused", False)]
