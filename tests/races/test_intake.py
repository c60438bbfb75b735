"""Intake among the others: whatever it locks for a message it gives back before the next one."""

from scheduler import recheck
from scheduler.plan import plan
from shared.store import invoices, rechecks
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.races.sessions import Stage
from tests.races.upstream import message
from workers.intake.receive_changes import receive_change, replay_waiting
from workers.invoices.issue_invoices import issue_invoices

WAITING = "SELECT inbox_id FROM inbox WHERE state = 'waiting' ORDER BY 1"


def test_messages_that_waited_lock_one_subscription_at_a_time(stage: Stage) -> None:
    """They come in any order of subscriptions, so holding one while asking for the next would be a deadlock with a recheck."""
    seed_agency(stage.store, "ag")
    seed_subscriptions(stage.store, "ag", ["sub-a", "sub-b"])
    at = stage.clock.at
    for id_ in ("sub-b", "sub-a"):
        voided = message("invoice.voided", at, subscription_id=id_, period_starts_on="2026-07-01")
        assert receive_change(stage.store, voided).state == "waiting"
    stage.clock.at = stage.diary.moment("2026-07-01T00:00:00Z", None)
    while plan(stage.store):
        pass
    issue_invoices(stage.store, "ag", ["sub-a", "sub-b"])
    ids = [str(row[0]) for row in stage.ask(WAITING)]

    done = stage.stop(invoices, "close", "replay")
    replaying = stage.start("replay", lambda store: replay_waiting(store, "ag", ids))
    done.reached(replaying)
    with stage.store.transaction() as tx:
        rechecks.add_all(tx, [rechecks.NewRecheck("ag", "service", "seo", tx.as_of)])
    rechecking = stage.start("recheck", recheck.recheck)
    assert stage.waits(rechecking)
    done.go()
    stage.end(replaying, rechecking)
    assert stage.ask("SELECT subscription_id FROM invoices WHERE status = 'void' ORDER BY 1") == [
        ("sub-a",),
        ("sub-b",),
    ]
