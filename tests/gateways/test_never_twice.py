"""The promise: whatever a provider answers and whenever a worker dies, no invoice is paid twice and no refund given twice, and
every invoice and refund ends as the provider's own ledger says.

Every agency is a run of its own: attempts, clients who pay on their own, refunds, and webhooks that lie, under weather.
DUECYCLE_RUNS sets how many there are of each provider.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ops.bench import seed
from scheduler.plan import plan
from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import OnlineGateway
from shared.gateways.stripe import StripeGateway
from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.gateways.reckoning import Town
from tests.gateways.storm import INVOICES, RUNS, TOKENS, Run
from workers.invoices.issue_invoices import issue_invoices

pytestmark = pytest.mark.slow


@pytest.fixture(params=["stripe", "paypal"])
def town(request: pytest.FixtureRequest, store: Store, clock: FixedClock, database_url: str) -> Iterator[Town]:
    clock.at = datetime.now(UTC)
    seed.seed(database_url, RUNS * INVOICES, agencies=RUNS)
    numbers = random.Random(request.param)  # noqa: S311
    while plan(store):
        pass
    with store.transaction() as tx:
        tx.run("UPDATE agencies SET gateway = :provider", provider=request.param)
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
        provider.slow_seconds = 0.15
        provider.now = lambda: clock.at.timestamp()
        if isinstance(provider, StripeLike):
            made: OnlineGateway = StripeGateway(provider.secret, base=provider.url, timeout=(1.0, 0.1))
        else:
            made = PayPalGateway("client", "secret", base=provider.url, timeout=(1.0, 0.1))
        yield Town(request.param, provider, made, store, clock)


def test_no_invoice_is_ever_paid_twice_and_each_ends_as_the_ledger_says(town: Town) -> None:
    """Hundreds of runs: every answer, every death between two steps, keys forgotten, answers that come too late."""
    provider, clock = town.provider, town.clock
    weather: Counter[str] = Counter()
    for number in range(1, RUNS + 1):
        provider.ledger.clear()
        provider.returned.clear()
        run = Run(town, f"agency-{number:03}")
        assert len(run.ids) == INVOICES
        run.storm()
        run.calm()
        charged = Counter(each.invoice_id for each in provider.ledger)
        story = f"{town.name} {run.agency_id}: {charged}"
        assert all(charged[id_] <= 1 + run.lost[id_] for id_ in run.ids), story
        assert run.paid() == run.covered(), story
        assert run.in_words(), story
        assert run.refunds() == run.returned(), story
        weather.update(str(response.status) for _, response in provider.seen)
        provider.seen.clear()
        clock.at = run.began
    assert violations(town.store) == []
    assert {"0", "200", "302", "401", "409", "429", "500"} <= set(weather)
