"""Every state of an attempt and of a refund meets every answer: each pair settles, ends where the table says, and nothing due
is forgotten."""

from datetime import date, timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.billing import refund_payments
from shared.billing.receive_payments import receive
from shared.domain.charging import Charge
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
from shared.store.database import FixedClock, Store, Transaction
from shared.store.payments import Payment
from tests.forced import unguarded
from tests.journeys.diary import Diary
from workers.charges.claim import CHARGE, Call
from workers.charges.outcomes import answer_name
from workers.charges.refund_payments import RefundCall, settle_refund
from workers.charges.settle import Answer, settle

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


OPEN = ("due", "sending", "unknown", "pending", "action_required")
PAIRS = list(product(CHARGE_ANSWERS, ANSWERS))


@pytest.fixture
def ledger(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """An invoice of 1 June for each pair, whose first attempt waits to be sent, for the sandbox is out of order."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20", card="outage_until:2026-07-01")
    for state, answer in PAIRS:
        made.say("subscription.upserted", starts_on="2026-06-01", subscription_id=f"{state}.{answer}")
    made.go("2026-06-01")
    return made


def invoice_of(state: str, answer: str) -> str:
    return f"inv:{state}.{answer}:2026-06-01"


def put(tx: Transaction, charge: Charge) -> None:
    """The attempt as it would stand in the state that its invoice is named after."""
    state = charge.subscription_id.partition(".")[0]
    stands = charge._replace(
        state=state,
        key=f"inv1-{charge.invoice_id}",
        amount_minor=11900,
        provider="sandbox",
        credential="seen",
        sent_at=tx.as_of,
        first_sent_at=tx.as_of,
        doubtful_since=tx.as_of,
        request="{}",
        reference=f"before-{charge.invoice_id}" if state == "succeeded" else None,
        lease_until=None,
        wake_at=None if state == "succeeded" else tx.as_of + timedelta(days=1),
    )
    charges.write(tx, "ag", [stands])
    if state == "succeeded":
        paid = Payment(
            source="sandbox",
            reference=stands.reference or "",
            invoice_id=charge.invoice_id,
            amount_minor=11900,
            currency="EUR",
            received_at=tx.as_of,
        )
        receive(tx, facts.require_agency(tx, "ag"), [paid])


def call(charge: Charge, today: date) -> Call:
    request = ChargeRequest(
        agency_id="ag",
        invoice_id=charge.invoice_id,
        attempt=1,
        key=f"inv1-{charge.invoice_id}",
        amount_minor=11900,
        currency="EUR",
        payment_method_id="card",
        token="ok",  # noqa: S106
        customer=None,
        description="",
    )
    gateway: Any = SimpleNamespace()
    of = (charge.invoice_id, 1, charge.subscription_id)
    return Call(CHARGE, *of, charge.fence, "sandbox", gateway, request, today)


@pytest.mark.parametrize("wanted", [True, False], ids=["owed", "void meanwhile"])
def test_every_answer_to_an_attempt_in_every_state(ledger: Diary, wanted: bool) -> None:
    store, ids = ledger.store, [invoice_of(*pair) for pair in PAIRS]
    with store.transaction() as tx, unguarded(tx):
        planned = charges.latest_of(tx, "ag", ids)
        for charge in planned.values():
            put(tx, charge)
        if not wanted:
            tx.run("UPDATE invoices SET status = 'void' WHERE status = 'open'")
            tx.run("UPDATE charges SET state = 'not_sent', wake_at = NULL WHERE state IN ('due', 'action_required')")
    wrong = []
    for state, answer in PAIRS:
        now = "not_sent" if not wanted and state in ("due", "action_required") else state
        settle(
            store, "ag", Answer(call(planned[invoice_of(state, answer)], ledger.clock.at.date()), found(answer, state))
        )
        expected = charge_after(now, answer, wanted=wanted)
        with store.transaction() as tx:
            first = charges.of_attempt(tx, "ag", invoice_of(state, answer), 1)
            kept = tx.scalar(
                "SELECT count(*) FROM events WHERE type = 'charge.answered_late' AND subject = :subject",
                subject=f"subscription/{state}.{answer}",
            )
        if first is None or first.state != (expected or now) or kept != (expected is None):
            wrong.append((state, answer, expected, first, kept))
    assert wrong == []
    forgotten = "SELECT invoice_id, attempt, state FROM charges WHERE wake_at IS NULL AND state = ANY(:open)"
    with store.transaction() as tx:
        assert list(tx.rows(forgotten, open=list(OPEN))) == []


def found(answer: str, state: str) -> Found:
    """The example of an answer, with an id of its own where there is one."""
    example = FOUND[answer]
    return type(example)(f"{answer}-{state}") if isinstance(example, Succeeded | Pending) else example


@pytest.fixture
def refunding(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """A paid invoice, of which a refund is asked for and not yet sent, for each pair."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20")
    for state, answer in product(REFUND_ANSWERS, ANSWERS):
        made.say("subscription.upserted", starts_on="2026-06-01", subscription_id=f"{state}.{answer}")
    made.go("2026-06-01")
    with store.transaction() as tx:
        ids = [invoice_of(*pair) for pair in product(REFUND_ANSWERS, ANSWERS)]
        for invoice in invoices.load(tx, "ag", ids).values():
            refund_payments.request(tx, facts.require_agency(tx, "ag"), invoice, 1000, None)
    return made


def test_every_answer_to_a_refund_in_every_state(refunding: Diary) -> None:
    store, wrong = refunding.store, []
    gateway: Any = SimpleNamespace()
    for state, answer in product(REFUND_ANSWERS, ANSWERS):
        with store.transaction() as tx, unguarded(tx):
            (due,) = refunds.of_invoices(tx, "ag", [invoice_of(state, answer)])
            wake_at = None if state in ("succeeded", "failed") else tx.as_of
            stands = due._replace(state=state, sent_at=tx.as_of, doubtful_since=tx.as_of, wake_at=wake_at)
            refunds.write(tx, "ag", [stands])
        request = RefundRequest(
            agency_id="ag",
            invoice_id=due.invoice_id,
            refund_seq=due.refund_seq,
            key=due.key,
            amount_minor=1000,
            currency="EUR",
            payment_reference=due.payment_reference,
        )
        called = RefundCall(refund=due, gateway=gateway, request=request, sent=None, again=False, remembered=True)
        settle_refund(store, "ag", called, found(answer, f"back-{state}"))
        with store.transaction() as tx:
            (after,) = refunds.of_invoices(tx, "ag", [due.invoice_id])
            kept = tx.scalar(
                "SELECT count(*) FROM events WHERE type = 'refund.answered_late' AND subject = :subject",
                subject=f"subscription/{due.subscription_id}",
            )
        expected = REFUND_ANSWERS[state][answer]
        wakes = (after.wake_at is not None) == (after.state not in ("succeeded", "failed"))
        if after.state != (expected or state) or kept != (expected is None) or not wakes:
            wrong.append((state, answer, expected, after, kept))
    assert wrong == []
