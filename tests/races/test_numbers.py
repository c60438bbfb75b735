"""Numbers of one agency: taken under a lock of their own, last, so that the series has no gap and nothing twice."""

from collections.abc import Callable

import pytest

from scheduler.plan import plan
from shared.domain.keys import invoice_id
from shared.store import events, numbers
from shared.store.database import Store, Transaction
from tests.races.inserts import Inserts
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.races.sessions import Stage
from tests.races.upstream import message
from workers.intake.receive_changes import receive_change
from workers.invoices.issue_invoices import issue_invoices

NUMBERED = "SELECT subscription_id, number FROM invoices ORDER BY sequence"
SERIES = "SELECT next_sequence FROM number_series"


def _due(stage: Stage, count: int) -> None:
    seed_agency(stage.store, "ag")
    seed_subscriptions(stage.store, "ag", [f"sub-{number}" for number in range(1, count + 1)])
    while plan(stage.store):
        pass


def _issue(subscription_id: str) -> Callable[[Store], None]:
    return lambda store: issue_invoices(store, "ag", [subscription_id])


def _unlocked(tx: Transaction, agency_id: str, kind: str, count: int, issued_on: object) -> tuple[int, None]:
    """The same numbers without the series' lock: the highest one in sight and one more."""
    del kind, issued_on
    return tx.scalar("SELECT coalesce(max(sequence), 0) + 1 FROM invoices WHERE agency_id = :id", id=agency_id), None


def test_two_invoices_of_one_agency_at_once(series: Stage) -> None:
    """The second waits until the first has its number for good, then takes the next; nothing is refused."""
    _due(series, 2)
    if not series.locked:
        series.monkeypatch.setattr(numbers, "take", _unlocked)
    inserts = Inserts(series.monkeypatch)
    written = series.stop(events, "write", "first")
    first = series.start("first", _issue("sub-1"))
    written.reached(first)
    second = series.start("second", _issue("sub-2"))
    assert series.waits(second)  # without the series' lock: for the unique number
    written.go()
    series.end(first, second)
    outcome = (series.ask(NUMBERED), inserts.refused_rows())
    series.verdict(outcome, ([("sub-1", "NL-00001"), ("sub-2", "NL-00002")], {}))


def _from_a_sequence(side: Store) -> Callable[..., tuple[int, None]]:
    def take(_tx: Transaction, _agency_id: str, _kind: str, count: int, _issued_on: object) -> tuple[int, None]:
        with side.transaction() as own:
            return own.scalar("SELECT nextval('numbers')") * count, None

    return take


def test_a_rollback_between_two_invoices_leaves_no_gap(series: Stage) -> None:
    """The first had its number and is rolled back: the second, which waited, takes that very number."""
    _due(series, 2)
    if not series.locked:
        side = series.store_of("side")
        with side.transaction() as tx:
            tx.run("CREATE SEQUENCE numbers")
        series.monkeypatch.setattr(numbers, "take", _from_a_sequence(side))
    written = series.stop(events, "write", "first")
    written.failing = OSError("the first one's connection is gone")
    first = series.start("first", _issue("sub-1"))
    written.reached(first)
    second = series.start("second", _issue("sub-2"))
    assert series.waits(second) == series.locked
    written.go()
    first.join()
    series.end(second)
    assert isinstance(first.error, OSError)
    issue_invoices(series.store, "ag", ["sub-1"])
    series.verdict(series.ask(NUMBERED), [("sub-2", "NL-00001"), ("sub-1", "NL-00002")])


def test_a_number_given_by_upstream_that_our_series_reaches_at_that_moment(stage: Stage) -> None:
    """Our seventh is being issued when upstream gives NL-00007 to its own: it waits for ours, and is refused. One number, one
    document."""
    _due(stage, 8)
    issue_invoices(stage.store, "ag", [f"sub-{number}" for number in range(1, 7)])
    assert stage.ask(SERIES) == [(7,)]

    written = stage.stop(events, "write", "ours")
    ours = stage.start("ours", _issue("sub-7"))
    written.reached(ours)
    at = stage.clock.at
    said = {"subscription_id": "sub-1", "issued_on": "2026-06-01"}
    by_hand = message("invoice.issued", at, invoice_id="by-hand", number="NL-00007", **said)
    theirs = stage.start("theirs", lambda store: receive_change(store, by_hand))
    assert stage.waits(theirs)
    written.go()
    stage.end(ours)
    stage.end(theirs)
    assert (theirs.result.state, theirs.result.field) == ("rejected", "data.number")
    issue_invoices(stage.store, "ag", ["sub-8"])

    numbered = "SELECT number, external_number FROM invoices WHERE 'NL-00007' IN (number, external_number) ORDER BY 1"
    assert stage.ask(numbered) == [("NL-00007", None)]
    assert stage.ask("SELECT min(sequence), max(sequence), count(*) FROM invoices WHERE sequence > 0") == [(1, 8, 8)]


@pytest.mark.parametrize("reached", [6, 7])
def test_a_number_that_upstream_gave_before_our_series_reaches_it_names_upstreams_invoice_for_good(
    stage: Stage, reached: int
) -> None:
    """Our series steps over it, so it never names two."""
    _due(stage, 7)
    at, said = stage.clock.at, {"subscription_id": "sub-1", "issued_on": "2026-06-01"}
    issue_invoices(stage.store, "ag", ["sub-1"])
    receive_change(stage.store, message("invoice.issued", at, invoice_id="by-hand", number="NL-00007", **said))
    for number in range(2, reached + 1):
        issue_invoices(stage.store, "ag", [f"sub-{number}"])

    assert receive_change(stage.store, message("invoice.voided", at, number="NL-00007")).state == "applied"
    assert stage.ask("SELECT invoice_id, status FROM invoices WHERE status = 'void'") == [("by-hand", "void")]
    numbered = stage.ask("SELECT number FROM invoices WHERE invoice_id = :id", id=invoice_id("sub-7", at.date()))
    assert numbered == ([("NL-00008",)] if reached == 7 else [])
