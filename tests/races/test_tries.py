"""A row that kills its worker is found, alone; a pool that was only down has killed nobody."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.dispatch import dispatch_pool
from scheduler.plan import plan
from shared.messages import Due
from shared.messages.work import Load, Pool
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.races.sessions import Stage
from workers.invoices import issue_invoices

STATES = "SELECT state, reason, count(*) FROM cycles WHERE stream = 'invoice' GROUP BY 1, 2 ORDER BY 1"
LEASE = timedelta(minutes=2)


class Killed(BaseException):
    """The process is gone: no handler of the product runs."""


class WorkQueue:
    """Messages as they were published; what is taken out is no longer under way."""

    def __init__(self) -> None:
        self.messages: list[Due] = []

    def publish(self, messages: Sequence[Due]) -> None:
        self.messages += messages

    def load(self, _pool: Pool) -> Load:
        return Load(0, 0)

    def take(self) -> list[Due]:
        taken, self.messages = self.messages, []
        return taken


class Workers:
    """Workers of the invoices pool, one of which dies whenever it decides about a certain subscription."""

    def __init__(self, stage: Stage, killer: str) -> None:
        self.stage, self.work_queue, self.deaths = stage, WorkQueue(), 0
        real = issue_invoices._decide

        def decide(tx: Any, known: Any, due: Any) -> Any:
            if killer in known.subscriptions:
                raise Killed
            return real(tx, known, due)

        stage.monkeypatch.setattr(issue_invoices, "_decide", decide)

    def publish(self) -> None:
        dispatch_pool(self.stage.store, self.work_queue, "invoices", lease=LEASE)

    def work(self) -> None:
        for message in self.work_queue.take():
            try:
                issue_invoices.issue_invoices(self.stage.store, message.agency_id, message.ids, again=message.again)
            except Killed:
                self.deaths += 1


def _due(stage: Stage, count: int) -> None:
    seed_agency(stage.store, "ag")
    seed_subscriptions(stage.store, "ag", [f"sub-{number:03}" for number in range(count)])
    while plan(stage.store):
        pass


def _lease_over(stage: Stage) -> None:
    stage.clock.at += LEASE


def test_a_row_that_kills_five_workers_is_blocked_and_its_neighbours_are_done(stage: Stage) -> None:
    """Dispatched alone from the third counted try on, so its neighbours are done by then; blocked after the fifth death."""
    _due(stage, 30)
    workers = Workers(stage, "sub-007")
    for _ in range(6):
        workers.publish()
        workers.work()
        _lease_over(stage)
    assert workers.deaths == 5
    assert stage.ask(STATES) == [("blocked", "kills_its_worker", 1), ("done", None, 29)]
    assert stage.ask("SELECT subscription_id FROM cycles WHERE state = 'blocked'") == [("sub-007",)]


def test_a_blocked_killer_is_tried_again_alone_and_ever_later(stage: Stage) -> None:
    """Nothing dispatched beside it suffers, and a day costs a few workers, not one with every lease."""
    _due(stage, 30)
    workers = Workers(stage, "sub-007")
    for _ in range(6):
        workers.publish()
        workers.work()
        _lease_over(stage)
    assert workers.deaths == 5
    for _ in range(24 * 30):
        workers.publish()
        workers.work()
        _lease_over(stage)
    assert stage.ask(STATES) == [("blocked", "kills_its_worker", 1), ("done", None, 29)]
    assert 5 < workers.deaths < 5 + 15


def test_the_next_cycle_of_a_blocked_killer_harms_nobody(stage: Stage) -> None:
    """It is dispatched with a whole batch, and the worker leaves that subscription out: the others are done by the first
    message."""
    _due(stage, 30)
    workers = Workers(stage, "sub-007")
    for _ in range(6):
        workers.publish()
        workers.work()
        _lease_over(stage)
    stage.clock.at = datetime(2026, 7, 1, tzinfo=UTC)
    while plan(stage.store):
        pass
    workers.work_queue.publish([Due("invoices", "ag", [f"sub-{number:03}" for number in range(30)])])
    workers.work()
    assert workers.deaths == 5
    july = STATES.replace("WHERE", "WHERE starts_on = '2026-07-01' AND")
    assert stage.ask(july) == [("done", None, 29), ("due", None, 1)]


def test_a_killer_that_was_cured_is_done(stage: Stage) -> None:
    """Once the cause is gone the next try does it, as with any blocked row."""
    _due(stage, 1)
    with pytest.MonkeyPatch.context() as patched:
        stage.monkeypatch, kept = patched, stage.monkeypatch
        workers = Workers(stage, "sub-000")
        for _ in range(6):
            workers.publish()
            workers.work()
            _lease_over(stage)
        stage.monkeypatch = kept
    assert stage.ask(STATES) == [("blocked", "kills_its_worker", 1)]
    for _ in range(5):
        workers.publish()
        workers.work()
        _lease_over(stage)
    assert stage.ask(STATES) == [("done", None, 1)]


def test_a_pool_that_was_down_for_a_day_blocks_nothing(stage: Stage) -> None:
    """Dispatched 720 times and never worked: nobody counted a try, and all of it is done when the pool is back."""
    _due(stage, 5)
    workers = Workers(stage, "nobody")
    for _ in range(720):
        workers.publish()
        workers.work_queue.take()
        _lease_over(stage)
    assert stage.ask("SELECT min(dispatches), max(tries) FROM cycles WHERE stream = 'invoice'") == [(720, 0)]
    workers.publish()
    workers.work()
    assert stage.ask(STATES) == [("done", None, 5)]


def test_a_day_of_messages_processed_at_once_blocks_nothing(stage: Stage) -> None:
    """The same with every message kept by the broker: the first does the work, the others find none."""
    _due(stage, 5)
    workers = Workers(stage, "nobody")
    for _ in range(64):
        workers.publish()
        _lease_over(stage)
    workers.work()
    assert stage.ask(STATES) == [("done", None, 5)]
