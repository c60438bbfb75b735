"""Changes of facts against the pools and the scheduler, between the dispatch of a row and the moment it is written."""

from datetime import timedelta

from scheduler import recheck
from scheduler.plan import plan
from shared.store import events, inbox, schedules
from tests.races.sessions import Stage
from tests.races.upstream import message
from workers.intake.receive_changes import receive_change
from workers.invoices import issue_invoices

INVOICE_CYCLES = "SELECT starts_on, state, reason FROM cycles WHERE stream = 'invoice' ORDER BY starts_on"
PERIODS = "SELECT cycle_index, starts_on, ends_on FROM cycles WHERE stream = 'invoice' ORDER BY starts_on"


def _planned(stage: Stage, at: str) -> None:
    stage.clock.at = stage.diary.moment(at, None)
    while recheck.recheck(stage.store) + plan(stage.store):
        pass


def test_a_cancellation_between_the_dispatch_and_the_write(race: Stage) -> None:
    """The row was dispatched, then the cancellation came in: the pool waits for it, and issues nothing."""
    race.diary.open(agency={"timezone": "UTC"})
    race.diary.say("subscription.upserted")
    _planned(race, "2026-06-01T00:00:00Z")

    cancelled = message(
        "subscription.upserted", "2026-05-31T22:00:00Z", revision=2, status="cancelled", cancel_on="2026-06-01"
    )
    written = race.stop(events, "write", "intake")
    intake = race.start("intake", lambda store: receive_change(store, cancelled))
    written.reached(intake)
    pool = race.start("pool", lambda store: issue_invoices.issue_invoices(store, "ag", ["sub"]))
    assert race.waits(pool) == race.locked
    written.go()
    race.end(intake, pool)

    outcome = (race.ask(INVOICE_CYCLES), race.ask("SELECT count(*) FROM invoices"))
    race.verdict(outcome, ([("2026-06-01", "cancelled", "subscription_cancelled")], [(0,)]))


def test_a_price_that_comes_between_reading_and_writing(race: Stage) -> None:
    """The pool has seen no price and is about to block the cycle: the recheck waits for that, and then lets it go at once."""
    race.diary.open(agency={"timezone": "UTC"}, service={"price_minor": None})
    race.diary.say("subscription.upserted")
    _planned(race, "2026-06-01T00:00:00Z")

    read = race.stop(issue_invoices, "_read", "pool")
    pool = race.start("pool", lambda store: issue_invoices.issue_invoices(store, "ag", ["sub"]))
    read.reached(pool)
    race.diary.hear(message("service.upserted", race.clock.at, revision=2, price_minor=5000))
    rechecking = race.start("recheck", recheck.recheck)
    assert race.waits(rechecking) == race.locked
    read.go()
    race.end(pool, rechecking)

    race.diary.world.settle()
    race.verdict(race.ask("SELECT total_minor FROM invoices"), [(5950,)])


def test_intake_that_waits_for_a_client_just_arriving(race: Stage) -> None:
    """The subscription does not see the client of a transaction still open; applied after it, it need not wait at all."""
    race.diary.say("agency.upserted", "2026-05-20", timezone="UTC")
    race.diary.say("service.upserted")

    seen = race.stop(inbox, "waiting_for", "first")
    at = race.clock.at
    first = race.start("first", lambda store: receive_change(store, message("client.upserted", at, revision=1)))
    seen.reached(first)
    subscription = message("subscription.upserted", at, revision=1)
    second = race.start("second", lambda store: receive_change(store, subscription))
    assert race.waits(second) == race.locked
    seen.go()
    race.end(first, second)

    race.verdict(race.ask("SELECT type, state, waits_for FROM inbox WHERE state <> 'applied'"), [])


def test_an_anchor_that_changes_while_plan_runs(race: Stage) -> None:
    """Monthly becomes weekly while the next month is being planned: periods follow one another and never overlap."""
    race.diary.open(agency={"timezone": "UTC"})
    race.diary.say("subscription.upserted")
    race.diary.go("2026-06-30")
    race.clock.at = race.diary.moment("2026-07-01T08:00:00Z", None)

    read = race.stop(schedules, "with_limits", "plan")
    planning = race.start("plan", plan)
    read.reached(planning)
    weekly = {"unit": "week", "every": 1}
    race.diary.hear(message("service.upserted", "2026-06-30T12:00:00Z", revision=2, billing_cycle=weekly))
    rechecking = race.start("recheck", recheck.recheck)
    assert race.waits(rechecking) == race.locked
    read.go()
    race.end(planning, rechecking)

    race.diary.go("2026-08-08")
    right = [
        (0, "2026-06-01", "2026-07-01"),
        (1, "2026-07-01", "2026-08-01"),
        (2, "2026-08-01", "2026-08-08"),
        (3, "2026-08-08", "2026-08-15"),
    ]
    race.verdict(race.ask(PERIODS), right)


def test_two_schedulers_plan_one_schedule(race: Stage) -> None:
    """The second passes over what the first is planning: no cycle is offered to the ledger twice."""
    race.diary.open(agency={"timezone": "UTC"})
    race.diary.say("subscription.upserted")
    race.clock.at = race.diary.moment("2026-09-01T00:00:00Z", None) + timedelta(minutes=5)

    read = race.stop(schedules, "with_limits", "one")
    one = race.start("one", plan)
    read.reached(one)
    two = race.start("two", plan)
    race.end(two)
    read.go()
    race.end(one)
    race.verdict((one.result, two.result), (2, 0))
