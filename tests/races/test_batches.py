"""What goes wrong in a batch stays with the row that is wrong; what goes wrong with the moment stays with nobody."""

import pytest
from sqlalchemy.exc import OperationalError

from scheduler.plan import plan
from shared.store import tries
from shared.store.database import Store, Transaction, make_engine
from shared.store.locks import lock_subscriptions
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.races.sessions import Stage, Stop
from workers.invoices import issue_invoices

STATES = "SELECT state, reason, count(*) FROM cycles WHERE stream = 'invoice' GROUP BY 1, 2 ORDER BY 1"
SEQUENCES = "SELECT min(sequence), max(sequence), count(DISTINCT sequence) FROM invoices"


def _due(stage: Stage, count: int) -> list[str]:
    """Subscriptions whose first cycles are due now."""
    ids = [f"sub-{number:03}" for number in range(count)]
    seed_agency(stage.store, "ag")
    seed_subscriptions(stage.store, "ag", ids)
    while plan(stage.store):
        pass
    return ids


def test_one_bad_row_is_found_and_499_are_done(stage: Stage) -> None:
    """An amount that no BIGINT holds breaks its batch of 500: it alone is blocked, and no number is lost by the splitting."""
    ids = _due(stage, 500)
    with stage.store.transaction() as tx:
        lock_subscriptions(tx, [("ag", "sub-321")], wait=True)
        tx.run("UPDATE subscription_revisions SET quantity = 1e18 WHERE subscription_id = 'sub-321'")
    issue_invoices.issue_invoices(stage.store, "ag", ids)
    assert stage.ask(STATES) == [("blocked", "data_error", 1), ("done", None, 499)]
    assert stage.ask("SELECT subscription_id FROM cycles WHERE state = 'blocked'") == [("sub-321",)]
    assert stage.ask(SEQUENCES) == [(1, 499, 499)]
    assert stage.ask("SELECT audience, subscription_id FROM notices WHERE occasion = 'cycle_blocked'") == [
        ("agency", "sub-321")
    ]


def test_a_lost_connection_leaves_every_row_due(stage: Stage) -> None:
    """The server ends the session in the middle of a batch: nothing is split, nothing blocked, and the next dispatch does
    it."""
    ids = _due(stage, 20)
    read = stage.stop(issue_invoices, "_read", "pool")
    pool = stage.start("pool", lambda store: issue_invoices.issue_invoices(store, "ag", ids))
    read.reached(pool)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pool'"
    assert stage.ask(ended) == [(1,)]
    read.go()
    pool.join()
    assert isinstance(pool.error, OperationalError)
    assert stage.ask(STATES) == [("due", None, 20)]
    issue_invoices.issue_invoices(stage.store, "ag", ids, again=True)
    assert stage.ask(STATES) == [("done", None, 20)]


def test_lock_timeouts_are_no_tries(stage: Stage, database_url: str) -> None:
    """However often a batch gives up waiting for a lock, that is an orderly end: no row is called a killer."""
    ids = _due(stage, 3)
    _dispatch_often(stage, 2)
    hasty = Store(make_engine(database_url, statement_timeout_ms=100), stage.clock)
    with stage.store.transaction() as holding:
        lock_subscriptions(holding, [("ag", "sub-001")], wait=True)
        for _ in range(8):
            with pytest.raises(OperationalError, match="lock timeout"):
                issue_invoices.issue_invoices(hasty, "ag", ["sub-001"], again=True)
    hasty.engine.dispose()
    assert stage.ask(STATES) == [("due", None, 3)]
    issue_invoices.issue_invoices(stage.store, "ag", ids, again=True)
    assert stage.ask(STATES) == [("done", None, 3)]


def test_a_deadlock_leaves_every_row_due(stage: Stage) -> None:
    """Somebody locks in the wrong order: PostgreSQL ends the pool's transaction, and no row is the worse for it."""
    ids = _due(stage, 2)

    def backwards(store: Store) -> None:
        with store.transaction() as tx:
            tx.run("SET LOCAL deadlock_timeout = '10min'")  # so it is the pool that notices
            lock_subscriptions(tx, [("ag", "sub-001")], wait=True)
            held.stand()
            lock_subscriptions(tx, [("ag", "sub-000")], wait=True)

    held = Stop()
    other = stage.start("other", backwards)
    held.reached(other)
    with stage.store.transaction() as tx:
        lock_subscriptions(tx, [("ag", "sub-000")], wait=True)
        pool = stage.start("pool", lambda store: issue_invoices.issue_invoices(store, "ag", ids))
        assert stage.waits(pool)
    assert stage.waits(pool, behind="other")
    held.go()
    pool.join()
    stage.end(other)
    assert isinstance(pool.error, OperationalError)
    assert "deadlock" in str(pool.error) or "lock timeout" in str(pool.error)
    assert stage.ask(STATES) == [("due", None, 2)]


def test_counting_a_try_waits_for_nobody(stage: Stage) -> None:
    """Rows that another worker is writing are being worked on: they are passed over, so that no two wait for each other."""
    ids = _due(stage, 2)
    _dispatch_often(stage, 2)

    def count(store: Store) -> None:
        with store.transaction() as tx:
            tries.count(tx, "ag", ids, "invoice")
            tries.forget(tx, "ag", ids, "invoice")

    with stage.store.transaction() as tx:
        _touch(tx, "sub-001")
        counting = stage.start("counting", count)
        assert not stage.waits(counting)
    stage.end(counting)


def _touch(tx: Transaction, subscription_id: str) -> None:
    lock_subscriptions(tx, [("ag", subscription_id)], wait=True)
    tx.run("UPDATE cycles SET wake_at = wake_at, tries = 1 WHERE subscription_id = :id", id=subscription_id)


def _dispatch_often(stage: Stage, dispatches: int) -> None:
    with stage.store.transaction() as tx:
        tx.run("UPDATE cycles SET dispatches = :dispatches", dispatches=dispatches)
