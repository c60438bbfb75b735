"""An answer that can't be recorded is set aside with what it said; its neighbours are recorded, and a person can settle it."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from scheduler.figures import samples_of
from shared.billing import manual_resolution, refund_payments
from shared.gateways.port import ChargeRequest, Found, Outcome, RefundRequest, Sent, Succeeded
from shared.store import charges, facts, figures, invoices
from shared.store.database import FixedClock, Store, Transaction
from shared.store.locks import lock_subscriptions
from tests.journeys.diary import Diary
from workers.charges import settle as settling
from workers.charges.charge_invoices import Runtime, always, charge_invoices

SUBS = [f"s{number}" for number in range(10)]
IDS = [f"inv:{sub}:2026-06-01" for sub in SUBS]
BAD = IDS[4]


class Till:
    """A provider that takes everything; the money of one invoice has an id that no database can hold."""

    def charge(self, request: ChargeRequest, _today: date) -> Outcome:
        return Succeeded("pi\x004" if request.invoice_id == BAD else f"pi_{request.invoice_id}")

    def lookup(self, request: ChargeRequest, today: date, _sent: Sent) -> Found:
        return self.charge(request, today)

    def refund(self, request: RefundRequest) -> Outcome:
        return Succeeded("re\x00" if request.invoice_id == IDS[0] else f"re_{request.invoice_id}")

    def find_refund(self, request: RefundRequest, _sent: Sent) -> Found:
        return self.refund(request)


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """Ten invoices whose attempts are due."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20", card="outage_until:2026-07-01")
    for sub in SUBS:
        made.say("subscription.upserted", starts_on="2026-06-01", subscription_id=sub)
    made.go("2026-06-01")
    made.clock.at += timedelta(hours=12)
    return made


def runtime(diary: Diary, concurrency: int = 1) -> Runtime:
    return Runtime(store=diary.store, gateways=always({"sandbox": Till()}), concurrency=concurrency)


def rows(diary: Diary, sql: str, **params: object) -> list[tuple[object, ...]]:
    with diary.store.transaction() as tx:
        return [tuple(row) for row in tx.rows(sql, **params)]


def stuck(diary: Diary, reason: str) -> float:
    with diary.store.transaction() as tx:
        found = {each.labels: each.value for each in samples_of(figures.snapshot(tx)) if each.metric.endswith("_stuck")}
    return found[(reason,)]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_one_answer_that_can_not_be_recorded_costs_no_other(diary: Diary, concurrency: int) -> None:
    charge_invoices(runtime(diary, concurrency), "ag", IDS)

    states = dict(rows(diary, "SELECT invoice_id, state FROM charges"))
    assert states == {**dict.fromkeys(IDS, "succeeded"), BAD: "unknown"}
    assert len(rows(diary, "SELECT 1 FROM payments")) == 9
    ((code, wake_at),) = rows(diary, "SELECT code, wake_at FROM charges WHERE invoice_id = :id", id=BAD)
    assert str(code).startswith("unrecorded: succeeded pi\\04 ")
    assert wake_at == diary.clock.at + timedelta(hours=6)
    ((data,),) = rows(diary, "SELECT data FROM events WHERE type = 'charge.unrecorded'")
    answer = data["answer"]  # type: ignore[index]
    assert (data["invoice_id"], answer["outcome"], answer["reference"]) == (BAD, "succeeded", "pi\\04")  # type: ignore[index]
    assert stuck(diary, "unrecorded") == 1


def test_it_is_looked_at_again_rarely_and_said_once(diary: Diary) -> None:
    charge_invoices(runtime(diary), "ag", IDS)
    for _ in range(4):
        diary.clock.at += timedelta(hours=6)
        charge_invoices(runtime(diary), "ag", IDS)
    assert len(rows(diary, "SELECT 1 FROM events WHERE type = 'charge.unrecorded'")) == 1
    assert stuck(diary, "unrecorded") == 1


def test_a_person_settles_it(diary: Diary) -> None:
    charge_invoices(runtime(diary), "ag", IDS)
    with diary.store.transaction() as tx:
        lock_subscriptions(tx, [("ag", SUBS[4])], wait=True)
        invoice = invoices.load(tx, "ag", [BAD])[BAD]
        manual_resolution.resolve(tx, facts.require_agency(tx, "ag"), invoice, "pi_4", by="me")
    assert rows(diary, "SELECT status FROM invoices WHERE invoice_id = :id", id=BAD) == [("paid",)]
    assert stuck(diary, "unrecorded") == 0
    diary.check()


def test_an_error_of_the_moment_costs_no_other_and_is_asked_about_after_the_lease(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing = settling.charges.write, [BAD]

    def write(tx: Transaction, agency_id: str, written: list[charges.Charge]) -> None:
        if written and written[0].invoice_id in failing:
            raise OperationalError("", {}, Exception("the connection is gone"))
        real(tx, agency_id, written)

    with monkeypatch.context() as patched:
        claimed = runtime(diary)._replace(
            between=lambda moment: patched.setattr(settling.charges, "write", write) if moment == "claimed" else None
        )
        with pytest.raises(OperationalError):
            charge_invoices(claimed, "ag", IDS)
    states = dict(rows(diary, "SELECT invoice_id, state FROM charges"))
    assert states == {**dict.fromkeys(IDS, "succeeded"), BAD: "sending"}


def test_a_refund_whose_answer_can_not_be_recorded_costs_no_other(diary: Diary) -> None:
    charge_invoices(runtime(diary), "ag", IDS)
    with diary.store.transaction() as tx:
        lock_subscriptions(tx, [("ag", sub) for sub in SUBS[:3]], wait=True)
        for id_ in IDS[:3]:
            refund_payments.request(tx, facts.require_agency(tx, "ag"), invoices.load(tx, "ag", [id_])[id_], 1000, None)

    charge_invoices(runtime(diary), "ag", IDS[:3])

    assert dict(rows(diary, "SELECT invoice_id, state FROM refunds")) == {
        IDS[0]: "unknown",
        IDS[1]: "succeeded",
        IDS[2]: "succeeded",
    }
    ((data,),) = rows(diary, "SELECT data FROM events WHERE type = 'refund.unrecorded'")
    answer = data["answer"]  # type: ignore[index]
    assert (answer["outcome"], answer["reference"]) == ("succeeded", "re\\0")
    assert stuck(diary, "unrecorded") == 2
