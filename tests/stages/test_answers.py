"""Every state of an attempt and of a refund meets every answer: each pair settles, ends where the table says, and nothing due
is forgotten."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.acts import refund
from shared.domain.states import ANSWERS, CHARGE_ANSWERS, REFUND_ANSWERS, charge_after
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Found,
    NotFound,
    NotSent,
    NotYetKnowable,
    Pending,
    RefundRequest,
    Succeeded,
    Unknown,
)
from shared.store import charges, facts, invoices, refunds
from shared.store.invariants import violations
from shared.store.transaction import FixedClock, Store
from tests.journeys.diary import Diary
from workers.charges.decide import CHARGE, Call
from workers.charges.outcomes import answer_name
from workers.charges.refund_payments import RefundCall, settle_refund
from workers.charges.settle import Answer, settle

INVOICE = "inv:sub:2026-06-01"
FOUND: dict[str, Found] = {
    "succeeded": Succeeded("money-1"),
    "pending": Pending("wait-1"),
    "declined": Declined("insufficient_funds"),
    "action_required": ActionRequired("authentication_required"),
    "unknown": Unknown("lost"),
    "not_sent": NotSent("refused connection", "unreachable"),
    "refused": NotSent("parameter_unknown", "parameter_unknown", "request", key_spent=True),
    "not_found": NotFound(),
    "not_yet_knowable": NotYetKnowable(),
}


def test_every_answer_has_an_example() -> None:
    assert {name: answer_name(found) for name, found in FOUND.items()} == {name: name for name in ANSWERS}


@pytest.fixture
def ledger(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """An invoice of 1 June whose first attempt waits to be sent, for the sandbox is out of order."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20", card="outage_until:2026-07-01")
    made.say("subscription.upserted", starts_on="2026-06-01")
    made.go("2026-06-01")
    return made


def put(diary: Diary, state: str, **changed: Any) -> None:
    """The attempt in any state, as it would stand there."""
    with diary.store.transaction() as tx:
        (charge,) = charges.latest_of(tx, "ag", [INVOICE]).values()
        open_ = state in ("due", "sending", "unknown", "pending", "action_required")
        as_it_stands = charge._replace(
            state=state,
            key="inv1-key",
            amount_minor=11900,
            provider="sandbox",
            credential="seen",
            sent_at=tx.as_of,
            first_sent_at=tx.as_of,
            doubtful_since=tx.as_of,
            request="{}",
            lease_until=None,
            wake_at=tx.as_of + timedelta(days=1) if open_ or state != "succeeded" else None,
            **changed,
        )
        charges.write(tx, "ag", [as_it_stands])


def call(diary: Diary) -> Call:
    request = ChargeRequest(
        agency_id="ag",
        invoice_id=INVOICE,
        attempt=1,
        key="inv1-key",
        amount_minor=11900,
        currency="EUR",
        payment_method_id="card",
        token="ok",  # noqa: S106
        customer=None,
        description="",
    )
    with diary.store.transaction() as tx:
        (charge,) = charges.latest_of(tx, "ag", [INVOICE]).values()
    gateway: Any = SimpleNamespace()
    return Call(CHARGE, INVOICE, 1, "sub", charge.fence, "sandbox", gateway, request, diary.clock.at.date())


def attempts(diary: Diary) -> list[tuple[int, str, bool]]:
    """(attempt, state, whether it wakes somebody) of the invoice."""
    return [
        (attempt, state, bool(wakes))
        for attempt, state, wakes in diary.ask(
            "SELECT attempt, state, wake_at IS NOT NULL FROM charges ORDER BY attempt"
        )
    ]


@pytest.mark.parametrize("wanted", [True, False], ids=["owed", "paid meanwhile"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("state", CHARGE_ANSWERS)
def test_every_answer_to_an_attempt_in_every_state(ledger: Diary, state: str, answer: str, wanted: bool) -> None:
    put(ledger, state)
    if not wanted:
        ledger.say("invoice.paid", invoice_id=INVOICE, reference="bank")
        if state in ("due", "action_required"):
            state = "not_sent"  # the payment ended it
    before = attempts(ledger)
    with ledger.store.transaction() as tx:
        evidence = tx.scalar("SELECT count(*) FROM events WHERE type = 'charge.answered_late'")

    settle(ledger.store, "ag", Answer(call(ledger), FOUND[answer]))

    expected = charge_after(state, answer, wanted=wanted)
    after = attempts(ledger)
    assert after[0][1] == (expected or state)
    with ledger.store.transaction() as tx:
        kept = tx.scalar("SELECT count(*) FROM events WHERE type = 'charge.answered_late'") - evidence
    assert kept == (expected is None)
    if expected is None:
        assert after == before
    for _, reached, wakes in after:
        assert wakes or reached not in ("due", "sending", "unknown", "pending", "action_required")
    broken = {each.invariant for each in violations(ledger.store)}
    assert broken <= {"every_success_is_a_payment"} if state == "succeeded" else not broken


@pytest.fixture
def refunding(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """A paid invoice, of which a refund is asked for and not yet sent."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20")
    made.say("subscription.upserted", starts_on="2026-06-01")
    made.go("2026-06-01")
    with store.transaction() as tx:
        invoice = invoices.load(tx, "ag", [INVOICE])[INVOICE]
        refund.request(tx, facts.require_agency(tx, "ag"), invoice, 1000, None)
    return made


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("state", REFUND_ANSWERS)
def test_every_answer_to_a_refund_in_every_state(refunding: Diary, state: str, answer: str) -> None:
    store = refunding.store
    with store.transaction() as tx:
        (due,) = refunds.of_invoices(tx, "ag", [INVOICE])
        stands = due._replace(state=state, sent_at=tx.as_of, doubtful_since=tx.as_of)
        refunds.write(tx, "ag", [stands._replace(wake_at=None if state in ("succeeded", "failed") else tx.as_of)])
    request = RefundRequest(
        agency_id="ag",
        invoice_id=INVOICE,
        turn=due.turn,
        key=due.key,
        amount_minor=1000,
        currency="EUR",
        payment_reference=due.payment_reference,
    )
    gateway: Any = SimpleNamespace()

    settle_refund(store, "ag", RefundCall(due, gateway, request, None, again=False, remembered=True), FOUND[answer])

    with store.transaction() as tx:
        (after,) = refunds.of_invoices(tx, "ag", [INVOICE])
        kept = tx.scalar("SELECT count(*) FROM events WHERE type = 'refund.answered_late'")
    expected = REFUND_ANSWERS[state][answer]
    assert after.state == (expected or state)
    assert kept == (expected is None)
    assert (after.wake_at is not None) == (after.state not in ("succeeded", "failed"))
