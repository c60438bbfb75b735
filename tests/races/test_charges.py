"""Charges against everything else that may happen to an invoice while money is on its way."""

from datetime import timedelta

import pytest

from scheduler import recheck
from scheduler.plan import plan
from shared.gateways.port import ActionRequired, ChargeRequest, NotSent, Outcome
from shared.gateways.sandbox import SandboxGateway
from shared.store.database import FixedClock, Store
from shared.store.sandbox_ledger import SandboxLedger
from tests.races.sessions import Stage
from tests.races.upstream import message
from workers.charges import charge_invoices
from workers.charges.charge_invoices import Runtime, always
from workers.intake.receive_changes import receive_change
from workers.invoices.issue_invoices import issue_invoices

INVOICE = "inv:sub:2026-06-01"
ATTEMPTS = "SELECT attempt, state, payment_method_id FROM charges ORDER BY attempt"
STATUS = "SELECT status FROM invoices"
LATE = "SELECT count(*) FROM events WHERE type = 'charge.answered_late'"
MONEY = "SELECT source, amount_minor FROM payments ORDER BY 1"


def _runtime(store: Store) -> Runtime:
    return Runtime(store=store, gateways=always({"sandbox": SandboxGateway(SandboxLedger(store))}), concurrency=1)


def _charge(store: Store) -> None:
    charge_invoices.charge_invoices(_runtime(store), "ag", [INVOICE])


def _say(stage: Stage, name: str, **data: object) -> bytes:
    return message(name, stage.clock.at, **({"invoice_id": INVOICE} if name.startswith("invoice") else {}), **data)


def _issued(stage: Stage, card: str | None) -> None:
    """An invoice whose first attempt is due now; nothing was sent yet."""
    stage.diary.open(card=card, agency={"timezone": "UTC"})
    stage.diary.say("subscription.upserted")
    stage.diary.go("2026-05-31")
    stage.clock.at = stage.diary.moment("2026-06-01T00:00:00Z", None)
    while recheck.recheck(stage.store) + plan(stage.store):
        pass
    issue_invoices(stage.store, "ag", ["sub"])
    assert stage.ask("SELECT attempt, state FROM charges") == [(1, "due")]


def test_a_new_card_against_a_planned_attempt(stage: Stage) -> None:
    """The attempt is being claimed on the old card: it runs to its end there, and the new card is tried right after it."""
    _issued(stage, "decline:insufficient_funds")
    _charge(stage.store)
    stage.diary.go("2026-06-02T08:00:00Z")
    stage.clock.at = stage.diary.moment("2026-06-02T12:00:00Z", None)

    claimed = stage.stop(charge_invoices, "claim", "pool")
    pool = stage.start("pool", _charge)
    claimed.reached(pool)
    stage.clock.at += timedelta(seconds=1)
    stage.diary.hear(_say(stage, "payment_method.upserted", payment_method_id="new", revision=1, token="ok"))  # noqa: S106 - a sandbox script
    rechecking = stage.start("recheck", recheck.recheck)
    assert stage.waits(rechecking)
    claimed.go()
    stage.end(pool, rechecking)

    stage.diary.world.settle()
    assert stage.ask(ATTEMPTS) == [(1, "declined", "card"), (2, "declined", "card"), (3, "succeeded", "new")]
    assert stage.ask(LATE) == [(0,)]


def test_a_new_card_whose_message_began_before_the_attempt_was_sent(stage: Stage) -> None:
    """Its transaction began before the claim's and ended after it, so the claim could not see it: it is tried at once."""
    _issued(stage, "decline:insufficient_funds")
    earlier = FixedClock(stage.clock.at)
    stage.clock.at += timedelta(seconds=1)

    claimed = stage.stop(charge_invoices, "settle", "pool", before=True)
    pool = stage.start("pool", _charge)
    claimed.reached(pool)
    new = _say(stage, "payment_method.upserted", payment_method_id="new", revision=1, token="ok")  # noqa: S106 - a sandbox script
    arrived = stage.start("intake", lambda store: receive_change(store, new), clock=earlier)
    stage.end(arrived)
    assert recheck.recheck(stage.store) == 1
    claimed.go()
    stage.end(pool)

    stage.diary.world.settle()
    assert stage.ask(ATTEMPTS) == [(1, "declined", "card"), (2, "succeeded", "new")]


@pytest.mark.parametrize(
    ("card", "invoice", "void", "paid"),
    [
        ("decline:insufficient_funds", "void", ("applied", None), []),
        ("ok", "paid", ("rejected", "the invoice is paid; refund it instead"), [("sandbox", 11900)]),
    ],
)
def test_a_void_against_a_charge_being_claimed(
    race: Stage, card: str, invoice: str, void: tuple[str, str | None], paid: list[tuple[str, int]]
) -> None:
    """The void waits for the claim and sees money on its way; settled, it is applied or told to refund instead."""
    _issued(race, card)
    claimed = race.stop(charge_invoices, "claim", "pool")
    called = race.stop(charge_invoices, "settle", "pool", before=True)
    pool = race.start("pool", _charge)
    claimed.reached(pool)
    voiding = race.start("void", lambda store: receive_change(store, _say(race, "invoice.voided")))
    assert race.waits(voiding)  # without the lock line it waits for the attempt's row alone
    claimed.go()
    called.reached(pool)
    race.end(voiding)
    waited = race.ask("SELECT state, waits_for FROM inbox WHERE type LIKE '%voided%'")
    called.go()
    race.end(pool)

    race.diary.world.settle()
    told = race.ask("SELECT state, reason FROM inbox WHERE type LIKE '%voided%'")
    outcome = (waited, race.ask(STATUS), told, race.ask(MONEY))
    race.verdict(outcome, ([("waiting", f"settlement/{INVOICE}")], [(invoice,)], [void], paid))


def test_a_payment_recorded_while_a_charge_is_in_flight(stage: Stage) -> None:
    """It is recorded at once and pays the invoice; what the charge brings as well is surplus, told to the agency."""
    _issued(stage, "ok")
    called = stage.stop(charge_invoices, "settle", "pool", before=True)
    pool = stage.start("pool", _charge)
    called.reached(pool)
    assert receive_change(stage.store, _say(stage, "invoice.paid", reference="bank-7")).state == "applied"
    assert stage.ask(STATUS) == [("paid",)]
    called.go()
    stage.end(pool)

    stage.diary.world.settle()
    assert stage.ask(STATUS) == [("paid",)]
    assert stage.ask(MONEY) == [("sandbox", 11900), ("upstream:/race", 11900)]
    assert stage.ask("SELECT data ->> 'amount_minor' FROM events WHERE type = 'payment.surplus'") == [("11900",)]
    assert stage.ask("SELECT audience FROM notices WHERE occasion = 'surplus_payment'") == [("agency",)]
    stage.diary.check()


class _Answers:
    """A gateway that gives one answer, whatever it is asked."""

    def __init__(self, answer: Outcome) -> None:
        self.answer = answer

    def charge(self, _request: ChargeRequest, _today: object) -> Outcome:
        return self.answer

    lookup = charge


def _answer(stage: Stage, outcome: Outcome, meanwhile: bytes) -> str:
    """Charge with this answer, `meanwhile` received between the claim and the settlement. Returns what became of it."""
    states = []

    def between(moment: str) -> None:
        if moment == "claimed":
            states.append(receive_change(stage.store, meanwhile).state)

    runtime = Runtime(
        store=stage.store, gateways=always({"sandbox": _Answers(outcome)}), concurrency=1, between=between
    )
    charge_invoices.charge_invoices(runtime, "ag", [INVOICE])
    return states[0]


def test_an_action_required_for_an_invoice_paid_meanwhile(stage: Stage) -> None:
    """Nothing is left to act on: no invoice that is paid fails, and nobody is asked for anything."""
    _issued(stage, "ok")
    paid = _say(stage, "invoice.paid", reference="bank-7")
    assert _answer(stage, ActionRequired("authentication_required"), paid) == "applied"
    stage.diary.go("2026-06-20")
    assert stage.ask("SELECT status, failing_since FROM invoices ORDER BY issued_at") == [("paid", None)]
    assert stage.ask("SELECT occasion FROM notices ORDER BY 1") == [("invoice_paid",)]
    assert stage.ask("SELECT state FROM charges") == [("declined",)]
    stage.diary.check()


def test_a_void_that_waited_for_an_attempt_which_was_never_sent(stage: Stage) -> None:
    """`not_sent` ends the wait too, also when upstream was told already that its message waits."""
    _issued(stage, "ok")
    assert _answer(stage, NotSent("connection refused"), _say(stage, "invoice.voided")) == "waiting"
    stage.diary.world.settle()
    assert stage.ask(STATUS) == [("void",)]
    assert stage.ask("SELECT state FROM charges") == [("not_sent",)]
    stage.diary.check()


def test_a_doubled_message_looks_an_unknown_attempt_up_once(stage: Stage) -> None:
    """While one worker asks the provider, another with the same message leaves the attempt alone: one fence, one answer."""
    _issued(stage, "unknown_then_ok")
    _charge(stage.store)
    assert stage.ask("SELECT state, fence FROM charges") == [("unknown", 1)]
    stage.clock.at += timedelta(minutes=1)
    called = stage.stop(charge_invoices, "settle", "first", before=True)
    first = stage.start("first", _charge)
    called.reached(first)
    _charge(stage.store)
    called.go()
    stage.end(first)
    assert stage.ask("SELECT state, fence FROM charges") == [("succeeded", 2)]
    assert stage.ask(LATE) == [(0,)]
