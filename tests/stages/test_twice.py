"""Running any stage twice at one moment changes nothing the second time, whatever state the rows are in."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from scheduler.dispatch import dispatch
from scheduler.plan import plan
from scheduler.recheck import recheck
from scheduler.relay import Told, relay
from shared.documents.sending import EmlWriter
from shared.gateways.port import ChargeRequest, Found, NotYetKnowable, Outcome
from shared.gateways.sandbox import SandboxGateway
from shared.messages import Due
from shared.messages.work import Load, Pool
from shared.store.events import Unpublished
from shared.store.sandbox_ledger import SandboxLedger
from tests.journeys.diary import Diary
from tests.table_contents import Contents, changed, contents
from workers.charges.charge_invoices import Runtime, always, charge_invoices
from workers.intake.receive_changes import replay_waiting
from workers.invoices.issue_invoices import issue_invoices
from workers.notices import send_notices
from workers.orders.create_orders import create_orders

REPLACED = "decline:processing_error"
MIDNIGHT = "2026-06-19T22:00:00Z"  # 20 June in Berlin
LEFT_ALONE = {
    ("cycles", "held"),
    ("cycles", "blocked"),
    ("cycles", "waiting"),
    ("charges", "unknown"),
    ("charges", "pending"),
    ("charges", "action_required"),
    ("inbox", "waiting"),
}


class Exchange:
    def publish(self, batch: Sequence[Unpublished]) -> Told:
        return Told(batch)


class WorkQueue:
    def __init__(self) -> None:
        self.published: list[Due] = []

    def publish(self, messages: Sequence[Due]) -> None:
        self.published += messages

    def load(self, pool: Pool) -> Load:
        return Load(0, 0)


class Silent:
    """A provider that says nothing yet about anything."""

    def charge(self, request: ChargeRequest, today: date) -> Outcome:
        raise AssertionError("doubt is never answered by charging again")

    def lookup(self, request: ChargeRequest, today: date, _sent: object = None) -> Found:
        return NotYetKnowable()


def client(diary: Diary, id_: str, token: str | None, starts_on: str, **subscription: Any) -> None:
    diary.say("client.upserted", client_id=id_, email=f"{id_}@x.example")
    if token is not None:
        diary.say("payment_method.upserted", client_id=id_, token=token)
    diary.say("subscription.upserted", subscription_id=id_, client_id=id_, starts_on=starts_on, **subscription)


def fill(diary: Diary) -> None:
    """Rows in every state: settled ones, held, blocked, waiting, pending, lost and unconfirmed; and some of each due."""
    diary.open("2026-06-01", card=None)
    diary.say("service.upserted", service_id="no-price", price_minor=None)
    client(diary, "paid", "ok", "2026-06-01")
    client(diary, "held", "decline:lost_card", "2026-06-01")
    client(diary, "retried", "decline:insufficient_funds", "2026-06-18")
    client(diary, "blocked", "ok", "2026-06-01", service_id="no-price")
    client(diary, "pending", "pending:40", "2026-06-01")
    client(diary, "confirm", "action_required", "2026-06-10")
    client(diary, "by-hand", None, "2026-06-01", checkout="manual")
    client(diary, "lost", "unknown_then_ok", "2026-06-20")
    diary.settle()
    diary.say("invoice.paid", invoice_id="nobody-knows")
    diary.say("invoice.voided", subscription_id="pending", period_starts_on="2026-06-01")
    diary.go(MIDNIGHT)
    client(diary, "due", "ok", "2026-06-20")
    client(diary, "due-and-failing", "decline:processing_error", "2026-06-20")
    client(diary, "behind", "ok", "2026-03-20", bill_from="2026-03-20")
    diary.say("service.upserted", name="SEO care, renamed")
    diary.say("payment_method.upserted", client_id="held", token=REPLACED)
    diary.say("charge.requested", subscription_id="retried", period_starts_on="2026-06-18")


def ids(diary: Diary, sql: str) -> list[str]:
    with diary.store.transaction() as tx:
        return [str(row[0]) for row in tx.rows(sql)]


def stages(diary: Diary) -> dict[str, Callable[[], object]]:
    """Every stage on its own, over everything there is."""
    store = diary.store
    charging = Runtime(store=store, gateways=always({"sandbox": SandboxGateway(SandboxLedger(store))}), concurrency=1)
    sending = send_notices.Runtime(store=store, sender=EmlWriter(diary.mails))
    subscriptions = "SELECT subscription_id FROM subscriptions ORDER BY 1"
    return {
        "recheck": lambda: until_idle(lambda: recheck(store)),
        "plan": lambda: until_idle(lambda: plan(store)),
        "dispatch": lambda: dispatch(store, WorkQueue()),
        "invoices": lambda: issue_invoices(store, "ag", ids(diary, subscriptions)),
        "charges": lambda: charge_invoices(charging, "ag", ids(diary, "SELECT invoice_id FROM invoices ORDER BY 1")),
        "orders": lambda: create_orders(store, "ag", ids(diary, subscriptions)),
        "notices": lambda: send_notices.send_notices(sending, "ag", ids(diary, "SELECT key FROM notices ORDER BY 1")),
        "replay": lambda: replay_waiting(store, "ag", ids(diary, "SELECT inbox_id FROM inbox ORDER BY 1")),
        "relay": lambda: until_idle(lambda: relay(store, Exchange())),
    }


def until_idle(stage: Callable[[], int]) -> None:
    while stage():
        pass


def stuck(found: Contents) -> list[tuple[str, str, Any]]:
    """The rows that wait for something, whole."""
    return [
        (name, row["state"], row)
        for name, rows in found.items()
        for row in rows
        if (name, row.get("state")) in LEFT_ALONE
    ]


def test_a_stage_that_runs_twice_changes_nothing_the_second_time(diary: Diary) -> None:
    """Every stage after the other, each twice; its first run leaves what is held, blocked, waiting or in doubt alone."""
    fill(diary)
    assert {each[:2] for each in stuck(contents(diary.store))} == LEFT_ALONE
    for name, stage in stages(diary).items():
        before = contents(diary.store)
        stage()
        once = contents(diary.store)
        stage()
        assert changed(once, contents(diary.store)) == {}, name
        if name in ("invoices", "charges", "orders", "notices", "plan"):
            gone = [row for row in stuck(before) if row not in stuck(once)]
            assert gone == [], name


def test_when_all_is_done_running_everything_again_changes_nothing(diary: Diary) -> None:
    fill(diary)
    diary.settle()
    until_idle(lambda: relay(diary.store, Exchange()))
    done = contents(diary.store)
    for name, stage in stages(diary).items():
        stage()
        assert changed(done, contents(diary.store)) == {}, name


def test_a_stage_over_rows_dispatched_before_changes_nothing_the_second_time(diary: Diary) -> None:
    """The same with messages that say `again`: tries are counted and forgotten."""
    fill(diary)
    diary.settle()
    listed = ids(diary, "SELECT subscription_id FROM subscriptions ORDER BY 1")
    done = contents(diary.store)
    for _ in range(6):
        issue_invoices(diary.store, "ag", listed, again=True)
        create_orders(diary.store, "ag", listed, again=True)
    assert changed(done, contents(diary.store)) == {}


def test_an_attempt_in_doubt_is_asked_about_once_a_moment(diary: Diary) -> None:
    """When its time to look has come, the first run asks and moves it on; the second finds nothing to do."""
    fill(diary)
    diary.settle()
    diary.clock.at += timedelta(minutes=1)
    silent = Runtime(store=diary.store, gateways=always({"sandbox": Silent()}), concurrency=1)
    lost = ["inv:lost:2026-06-20"]
    charge_invoices(silent, "ag", lost)
    once = contents(diary.store)
    (row,) = (each for each in once["charges"] if each["invoice_id"] == lost[0])
    assert (row["state"], row["attempt"]) == ("unknown", 1)
    assert row["wake_at"] == diary.clock.at + timedelta(minutes=1)
    charge_invoices(silent, "ag", lost)
    assert changed(once, contents(diary.store)) == {}


def test_what_a_dead_worker_left_behind_stays_until_its_lease_is_over(diary: Diary) -> None:
    """Claimed and perhaps sent: nobody touches it for the lease; then it is looked up, not charged again."""
    fill(diary)
    until_idle(lambda: recheck(diary.store))
    until_idle(lambda: plan(diary.store))
    issue_invoices(diary.store, "ag", ["due"])

    def die(moment: str) -> None:
        raise KeyboardInterrupt(moment)

    gateway = SandboxGateway(SandboxLedger(diary.store))
    dying = Runtime(store=diary.store, gateways=always({"sandbox": gateway}), concurrency=1, between=die)
    due = ["inv:due:2026-06-20"]
    with pytest.raises(KeyboardInterrupt):
        charge_invoices(dying, "ag", due)
    left = contents(diary.store)
    charge_invoices(Runtime(store=diary.store, gateways=always({"sandbox": Silent()})), "ag", due)
    assert changed(left, contents(diary.store)) == {}
    diary.clock.at += timedelta(minutes=2)
    charge_invoices(Runtime(store=diary.store, gateways=always({"sandbox": gateway})), "ag", due)
    charge_invoices(Runtime(store=diary.store, gateways=always({"sandbox": gateway})), "ag", due)
    after = [row for row in contents(diary.store)["charges"] if row["invoice_id"] == due[0]]
    assert [(row["attempt"], row["state"]) for row in after] == [(1, "succeeded")]
