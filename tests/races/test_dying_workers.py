"""A worker of the charges pool dies between its steps: the money moves once, and the ledger comes to know of it."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from scheduler.plan import plan
from shared.domain.retry_times import LEASE
from shared.gateways.sandbox import SandboxGateway
from shared.store.database import Store, make_engine
from shared.store.locks import lock_subscriptions
from shared.store.sandbox_ledger import SandboxLedger
from tests.races.sessions import Stage
from workers.charges import charge_invoices
from workers.charges.charge_invoices import Runtime, always
from workers.invoices.issue_invoices import issue_invoices

INVOICE = "inv:sub:2026-06-01"
CHARGES = "SELECT attempt, state, fence FROM charges ORDER BY attempt"
LEDGER = "SELECT outcome, amount_minor FROM sandbox_ledger"
LATE = "SELECT data ->> 'attempt', data -> 'answer' ->> 'outcome' FROM events WHERE type = 'charge.answered_late'"


class Killed(BaseException):
    """The process is gone."""


def _issued(stage: Stage, card: str) -> None:
    stage.diary.open(card=card, agency={"timezone": "UTC"})
    stage.diary.say("subscription.upserted")
    stage.clock.at = stage.diary.moment("2026-06-01T00:00:00Z", None)
    while plan(stage.store):
        pass
    issue_invoices(stage.store, "ag", ["sub"])


def _charge(stage: Stage, dies_at: str | None = None) -> None:
    def between(moment: str) -> None:
        if moment == dies_at:
            raise Killed(moment)

    gateways = {"sandbox": SandboxGateway(SandboxLedger(stage.store))}
    runtime = Runtime(store=stage.store, gateways=always(gateways), concurrency=1, between=between)
    charge_invoices.charge_invoices(runtime, "ag", [INVOICE])


@pytest.mark.parametrize(
    ("dies_at", "left", "booked", "fence"),
    [
        # Never sent: the lookup says so, and the same parameters go out under the same key.
        ("claimed", [(1, "sending", 1)], [], 3),
        # Sent, its answer lost with the worker: the lookup finds it.
        ("answered", [(1, "sending", 1)], [("succeeded", 11900)], 2),
        # Settled already: there is nothing to find out.
        ("settled", [(1, "succeeded", 1)], [("succeeded", 11900)], 1),
    ],
)
def test_a_worker_that_dies_between_claim_call_and_settlement(
    stage: Stage, dies_at: str, left: list[tuple[int, str, int]], booked: list[tuple[str, int]], fence: int
) -> None:
    """After the lease the attempt is looked up before anything else: one attempt, one charge, one payment."""
    _issued(stage, "ok")
    with pytest.raises(Killed):
        _charge(stage, dies_at)
    assert (stage.ask(CHARGES), stage.ask(LEDGER)) == (left, booked)

    _charge(stage)  # within the lease nobody touches it
    assert (stage.ask(CHARGES), stage.ask(LEDGER)) == (left, booked)

    stage.clock.at += LEASE
    _charge(stage)
    _charge(stage)
    assert stage.ask(LEDGER) == [("succeeded", 11900)]
    assert stage.ask(CHARGES) == [(1, "succeeded", fence)]
    assert stage.ask("SELECT status FROM invoices") == [("paid",)]
    assert stage.ask("SELECT amount_minor FROM payments") == [(11900,)]
    stage.diary.check()


def test_it_is_dispatched_again_automatically(stage: Stage) -> None:
    """The row of a dead worker wakes with its lease; nobody has to notice that it died."""
    _issued(stage, "ok")
    with pytest.raises(Killed):
        _charge(stage, "answered")
    stage.diary.go("2026-06-01T00:05:00Z")
    assert stage.ask(CHARGES) == [(1, "succeeded", 2)]
    assert stage.ask(LEDGER) == [("succeeded", 11900)]


def test_a_late_answer_with_an_old_fence_is_kept_and_changes_nothing(stage: Stage) -> None:
    """A worker comes back with its answer after the lease: another one has settled the attempt, so it is evidence only."""
    _issued(stage, "decline:insufficient_funds")
    called = stage.stop(charge_invoices, "settle", "slow", before=True)
    slow = stage.start("slow", lambda _store: _charge(stage))
    called.reached(slow)
    stage.clock.at += LEASE + timedelta(seconds=1)
    _charge(stage)
    settled = "SELECT attempt, state, fence, code, planned_at, wake_at, settled_at FROM charges ORDER BY attempt"
    invoice = "SELECT status, failing_since, ladder, ladder_started_at FROM invoices"
    notices = "SELECT key FROM notices ORDER BY key"
    before = [stage.ask(sql) for sql in (settled, invoice, notices)]
    assert before[0][0][:4] == (1, "declined", 2, "insufficient_funds")

    called.go()
    stage.end(slow)
    assert stage.ask(LATE) == [("1", "declined")]
    assert [stage.ask(sql) for sql in (settled, invoice, notices)] == before
    stage.diary.check()


def test_an_answer_that_comes_while_another_worker_asks(stage: Stage) -> None:
    """The lease is over and the attempt is being looked up under a new fence: the old worker's answer settles nothing."""
    _issued(stage, "ok")
    called = stage.stop(charge_invoices, "settle", "slow", before=True)
    asked = stage.stop(charge_invoices, "settle", "asking", before=True)
    slow = stage.start("slow", lambda _store: _charge(stage))
    called.reached(slow)
    stage.clock.at += LEASE
    asking = stage.start("asking", lambda _store: _charge(stage))
    asked.reached(asking)
    assert stage.ask(CHARGES) == [(1, "sending", 2)]
    called.go()
    stage.end(slow)
    assert (stage.ask(CHARGES), stage.ask(LATE)) == ([(1, "sending", 2)], [("1", "succeeded")])
    asked.go()
    stage.end(asking)
    assert stage.ask(CHARGES) == [(1, "succeeded", 2)]
    assert stage.ask(LEDGER) == [("succeeded", 11900)]
    assert stage.ask("SELECT amount_minor FROM payments") == [(11900,)]
    stage.diary.check()


def test_no_call_goes_out_after_half_the_lease(stage: Stage) -> None:
    """A slow gateway: what could not be sent by then was certainly not sent, and goes out under the same key later."""
    _issued(stage, "ok")
    seconds = iter([0.0, LEASE.total_seconds() / 2 + 1])
    gateways = {"sandbox": SandboxGateway(SandboxLedger(stage.store))}
    runtime = Runtime(store=stage.store, gateways=always(gateways), concurrency=1, monotonic=lambda: next(seconds))
    charge_invoices.charge_invoices(runtime, "ag", [INVOICE])
    assert (stage.ask(CHARGES), stage.ask(LEDGER)) == ([(1, "due", 1)], [])
    stage.diary.go("2026-06-01T00:05:00Z")
    assert (stage.ask(CHARGES), stage.ask(LEDGER)) == ([(1, "succeeded", 2)], [("succeeded", 11900)])
    assert stage.ask("SELECT occasion FROM notices") == [("invoice_paid",)]


def test_an_attempt_whose_worker_gave_up_waiting_is_not_parked(stage: Stage, database_url: str) -> None:
    """However often a claim gives up waiting for the lock, no try is held against the attempt."""
    _issued(stage, "ok")
    with stage.store.transaction() as tx:
        tx.run("UPDATE charges SET dispatches = 2")
    hasty = Store(make_engine(database_url, statement_timeout_ms=100), stage.clock)
    runtime = Runtime(store=hasty, gateways=always({"sandbox": SandboxGateway(SandboxLedger(hasty))}), concurrency=1)
    with stage.store.transaction() as holding:
        lock_subscriptions(holding, [("ag", "sub")], wait=True)
        for _ in range(8):
            with pytest.raises(OperationalError, match="lock timeout"):
                charge_invoices.charge_invoices(runtime, "ag", [INVOICE], again=True)
    hasty.engine.dispose()
    _charge(stage)
    assert stage.ask(CHARGES) == [(1, "succeeded", 1)]
