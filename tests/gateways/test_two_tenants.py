"""Two agencies with the same ids, the same cards and one provider account, in the same storm: each pays for itself alone."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ops.bench import seed
from scheduler.plan import plan
from shared.billing import reconciliation
from shared.billing.reconciliation import ProviderLists
from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import OnlineGateway, ProviderEvent
from shared.gateways.stripe import StripeGateway
from shared.store.database import FixedClock, Store, Transaction
from shared.store.invariants import violations
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.gateways.reckoning import Town
from tests.gateways.storm import INVOICES, RUNS, TOKENS, Run
from workers.invoices.issue_invoices import issue_invoices
from workers.webhooks import receive_event

pytestmark = pytest.mark.slow

PAIRS = max(1, RUNS // 2)
# Parents first.
FACTS = (
    *("agencies", "clients", "services", "service_revisions", "payment_methods"),
    *("subscriptions", "subscription_revisions", "schedules"),
)


def add_twins(tx: Transaction) -> None:
    """To every agency another one that has everything the same but its own id."""
    for table in FACTS:
        tx.run(
            f"""
            INSERT INTO {table}
            SELECT (jsonb_populate_record(t, jsonb_build_object('agency_id', t.agency_id || '/twin'))).* FROM {table} AS t
            """  # noqa: S608
        )


@pytest.fixture(params=["stripe", "paypal"])
def town(request: pytest.FixtureRequest, store: Store, clock: FixedClock, database_url: str) -> Iterator[Town]:
    clock.at = datetime.now(UTC)
    seed.seed(database_url, PAIRS * INVOICES, agencies=PAIRS)
    tokens = random.Random(request.param)  # noqa: S311
    with store.transaction() as tx:
        tx.run("UPDATE agencies SET gateway = :provider", provider=request.param)
        for row in tx.rows("SELECT agency_id, client_id FROM clients ORDER BY 1, 2"):
            tx.run(
                """
                UPDATE payment_methods SET provider = :provider, customer = client_id, token = :token
                WHERE agency_id = :agency_id AND client_id = :client_id
                """,
                provider=request.param,
                token=tokens.choice(TOKENS[request.param]),
                agency_id=row[0],
                client_id=row[1],
            )
        add_twins(tx)
    while plan(store):
        pass
    with store.transaction() as tx:
        found = tx.rows("SELECT agency_id, array_agg(DISTINCT subscription_id) FROM cycles GROUP BY 1 ORDER BY 1")
    for agency_id, ids in found:
        issue_invoices(store, agency_id, sorted(ids))
    with StripeLike() if request.param == "stripe" else PayPalLike() as provider:
        provider.slow_seconds = 0.15
        provider.now = lambda: clock.at.timestamp()
        if isinstance(provider, StripeLike):
            made: OnlineGateway = StripeGateway(
                provider.secret, base=provider.url, timeout=(1.0, 0.1), deployment="test"
            )
        else:
            made = PayPalGateway("client", "secret", base=provider.url, timeout=(1.0, 0.1))
        yield Town(request.param, provider, made, store, clock)


def owners(town: Town) -> dict[str, tuple[str, str]]:
    """(agency, invoice) by key."""
    with town.store.transaction() as tx:
        rows = tx.rows("SELECT key, agency_id, invoice_id FROM charges WHERE key IS NOT NULL UNION ALL"
                       " SELECT key, agency_id, invoice_id FROM pay_links")  # fmt: skip
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: (row[1], row[2]) for row in rows}


def misdeliver(town: Town, told: str) -> None:
    """The provider sends every event of the account to this agency too."""
    for key in owners(town):
        with town.store.transaction() as tx:
            event = ProviderEvent(id="e", type="x", about="payment", key=key, settled=True)
            receive_event.apply(tx, town.name, told, event)


def test_agencies_that_share_ids_and_an_account_never_pay_for_each_other(town: Town) -> None:
    provider, clock = town.provider, town.clock
    for number in range(1, PAIRS + 1):
        provider.ledger.clear()
        provider.returned.clear()
        pair = [Run(town, f"agency-{number:03}"), Run(town, f"agency-{number:03}/twin")]
        assert pair[0].ids == pair[1].ids
        for run in pair:
            run.storm()
            misdeliver(town, run.agency_id)
        for run in pair:
            run.calm()
        owner = owners(town)
        charged = Counter(owner[each.key] for each in provider.ledger)
        story = f"{town.name} {pair[0].agency_id}: {charged}"
        for run in pair:
            assert all(charged[run.agency_id, id_] <= 1 + run.lost[id_] for id_ in run.ids), story
            assert run.paid() == run.covered(owner), story
            assert run.in_words(), story
        assert pair[0].refunds() + pair[1].refunds() == pair[0].returned(), story
        clock.at = pair[0].began
    assert violations(town.store) == []
    assert_the_lists_agree(town)


def assert_the_lists_agree(town: Town) -> None:
    """Of each agency, shared or not: what the provider lists of the other is none of its money."""
    began = town.clock.at - timedelta(days=1)
    listed = list(town.gateway.payments_since(began)), list(town.gateway.refunds_since(began))
    with town.store.transaction() as tx:
        agencies = [row[0] for row in tx.rows("SELECT agency_id FROM agencies ORDER BY 1")]
        for agency_id in agencies:
            for shared in (True, False):
                found = reconciliation.compare(
                    tx,
                    ProviderLists(
                        agency_id=agency_id,
                        provider=town.name,
                        since=began,
                        payments=listed[0],
                        refunds=listed[1],
                        shared=shared,
                    ),
                )
                assert [each for each in found if each.what not in ("missing_there", "refund_missing_there")] == []
