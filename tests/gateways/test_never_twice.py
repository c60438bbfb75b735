"""The promise: whatever a provider answers and whenever a worker dies, no invoice is paid twice, and every invoice ends as the
provider's own ledger says."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from ops.bench import seed
from scheduler.plan import plan
from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import Gateway
from shared.gateways.stripe import StripeGateway
from shared.store.invariants import violations
from shared.store.transaction import FixedClock, Store
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.server import WEATHER
from tests.gateways.providers.stripe_like import StripeLike
from workers.charges.charge_invoices import Runtime, always, charge_invoices
from workers.invoices.issue_invoices import issue_invoices

pytestmark = pytest.mark.slow

RUNS = 40  # agencies, each a run of its own
INVOICES = 3  # of each
STEPS = 14
END_STEPS = 90
TOKENS = {
    "stripe": ["pm_ok", "pm_ok", "pm_ok", "pm_processing", "pm_decline_insufficient_funds", "pm_action", "pm_detour"],
    "paypal": ["ok", "ok", "later", "later", "pending", "INSTRUMENT_DECLINED", "capture_DECLINED"],
}
REMEMBERED = {"stripe": timedelta(hours=24), "paypal": timedelta(hours=6)}
MOMENTS = ("claimed", "answered", "settled")


class Killed(BaseException):
    """A worker's end, between two acts."""


class Town(NamedTuple):
    """A provider, its gateway, and a database full of invoices to be charged by it."""

    name: str
    provider: StripeLike | PayPalLike
    gateway: Gateway
    store: Store
    clock: FixedClock


@pytest.fixture(params=["stripe", "paypal"])
def town(request: pytest.FixtureRequest, store: Store, clock: FixedClock, database_url: str) -> Iterator[Town]:
    clock.at = datetime.now(UTC)
    seed.seed(database_url, RUNS * INVOICES, agencies=RUNS)
    numbers = random.Random(request.param)  # noqa: S311
    while plan(store):
        pass
    with store.transaction() as tx:
        tx.run("UPDATE payment_methods SET provider = :provider, customer = client_id", provider=request.param)
        for agency_id, client_id in list(tx.rows("SELECT agency_id, client_id FROM clients ORDER BY 1, 2")):
            of = {"agency": agency_id, "client": client_id, "token": numbers.choice(TOKENS[request.param])}
            tx.run("UPDATE payment_methods SET token = :token WHERE agency_id = :agency AND client_id = :client", **of)
        cycles: dict[str, list[str]] = {}
        for agency_id, subscription_id in tx.rows("SELECT agency_id, subscription_id FROM cycles ORDER BY 1, 2"):
            cycles.setdefault(agency_id, []).append(subscription_id)
    for agency_id, ids in cycles.items():
        issue_invoices(store, agency_id, ids)
    with StripeLike() if request.param == "stripe" else PayPalLike() as provider:
        provider.slow_seconds = 0.3
        if isinstance(provider, StripeLike):
            provider.now = lambda: clock.at.timestamp()
            made: Gateway = StripeGateway(provider.secret, base=provider.url, timeout=(1.0, 0.2))
        else:
            made = PayPalGateway("client", "secret", base=provider.url, timeout=(1.0, 0.2))
        yield Town(request.param, provider, made, store, clock)


class Run:
    """One agency's invoices, charged by workers that die and lag, under weather that changes."""

    def __init__(self, town: Town, agency_id: str) -> None:
        self.town, self.agency_id = town, agency_id
        self.random = random.Random(f"{town.name} {agency_id}")  # noqa: S311
        self.began = town.clock.at
        with town.store.transaction() as tx:
            rows = tx.rows("SELECT invoice_id FROM invoices WHERE agency_id = :a ORDER BY 1", a=agency_id)
        self.ids = [row[0] for row in rows]
        self.late = 0

    def storm(self) -> None:
        """Every kind of trouble at every step."""
        for _ in range(STEPS):
            self.town.provider.weather.extend(self.random.choices(WEATHER, k=3))
            if self.random.random() < 0.3:
                self.settle()
            self.work(self.between)
            self.pass_time()
        self.town.provider.weather.clear()

    def calm(self) -> None:
        """No more trouble: everything comes to its end."""
        for _ in range(END_STEPS):
            if not self.unsettled():
                break
            self.settle()
            self.work(lambda _moment: None)
            self.town.clock.at += timedelta(hours=7)
            self.town.provider.prune()

    def settle(self) -> None:
        self.town.provider.settle()

    def work(self, between: Any) -> None:
        runtime = Runtime(self.town.store, always({self.town.name: self.town.gateway}), concurrency=1, between=between)
        try:
            charge_invoices(runtime, self.agency_id, self.ids, again=self.random.random() < 0.2)
        except Killed:
            return

    def between(self, moment: str) -> None:
        """A worker dies here; or it sleeps so long that another does its work, and then it goes on."""
        chance = self.random.random()
        if chance < 0.12:
            raise Killed(moment)
        if chance < 0.2 and moment == "answered" and self.late < 2:
            self.late += 1
            self.town.clock.at += timedelta(minutes=3)
            self.work(lambda _moment: None)

    def pass_time(self) -> None:
        step = self.random.choice([1, 3, 10, 60, 400, 1500])
        self.town.clock.at += timedelta(minutes=step)
        if timedelta(minutes=step) > REMEMBERED[self.town.name]:
            self.town.provider.prune()

    def unsettled(self) -> int:
        with self.town.store.transaction() as tx:
            return tx.scalar(
                "SELECT count(*) FROM charges WHERE agency_id = :a AND state IN ('due', 'sending', 'unknown', 'pending')",
                a=self.agency_id,
            )

    def paid(self) -> dict[str, bool]:
        with self.town.store.transaction() as tx:
            rows = tx.rows("SELECT invoice_id, status FROM invoices WHERE agency_id = :a", a=self.agency_id)
        return {row[0]: row[1] == "paid" for row in rows}


def test_no_invoice_is_ever_paid_twice_and_each_ends_as_the_ledger_says(town: Town) -> None:
    """Hundreds of invoices: every answer, every death between two acts, keys forgotten, answers that come too late."""
    provider, clock = town.provider, town.clock
    weather: Counter[str] = Counter()
    for number in range(1, RUNS + 1):
        provider.ledger.clear()
        run = Run(town, f"agency-{number:03}")
        assert len(run.ids) == INVOICES
        run.storm()
        run.calm()
        charged = Counter(each.invoice_id for each in provider.ledger)
        story = f"{town.name} {run.agency_id}: {charged}"
        assert max(charged.values(), default=0) <= 1, story
        assert run.paid() == {id_: charged[id_] == 1 for id_ in run.ids}, story
        weather.update(str(response.status) for _, response in provider.seen)
        provider.seen.clear()
        clock.at = run.began
    assert violations(town.store) == []
    assert {"0", "200", "302", "401", "409", "429", "500"} <= set(weather)
