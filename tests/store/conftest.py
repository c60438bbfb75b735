"""A healthy ledger: some weeks of real billing, brought about once, of which every test gets a copy of its own."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from ops.servers.postgres import PostgresServer
from shared.store.database import FixedClock, Store, Transaction, make_engine
from tests.databases import Databases
from tests.journeys.diary import Diary

HEALTHY = f"duecycle_healthy_{os.getpid()}"
NOW = datetime(2026, 7, 11, tzinfo=UTC)


def live(diary: Diary) -> None:
    """Two agencies until 10 July 2026; every state that a row can stay in is there.

    `sub` pays by card, and parts of its July went back. `poor` has a card without money: its orders are held. `hand` was
    ordered by hand, its first invoice has the number H-1 and is paid by transfer, the second is open. `audit` has no price:
    blocked, its orders wait. `calm` is paused. `mild` has a void invoice. `other`, of the second agency, is held by an
    overdue invoice outside its series.
    """
    diary.open("2026-05-20")
    diary.say("client.upserted", client_id="poor")
    diary.say("payment_method.upserted", client_id="poor", token="decline:insufficient_funds")  # noqa: S106 - it scripts the sandbox
    diary.say("service.upserted", service_id="audit", price_minor=None)
    diary.say("agency.upserted", agency_id="b", hold_on="overdue", payment_terms_days=1)
    for name in ("client", "service", "payment_method"):
        diary.say(f"{name}.upserted", agency_id="b")
    diary.say("subscription.upserted", "2026-05-25", subscription_id="sub")
    diary.say("subscription.upserted", subscription_id="poor", client_id="poor")
    diary.say("subscription.upserted", subscription_id="audit", service_id="audit")
    diary.say("subscription.upserted", subscription_id="calm", status="paused")
    diary.say("subscription.upserted", subscription_id="mild", collection="manual")
    diary.say("subscription.upserted", subscription_id="other", agency_id="b")
    diary.say("subscription.upserted", "2026-06-01", subscription_id="hand", checkout="manual")
    by_hand = {"subscription_id": "hand", "invoice_id": "hand-1", "number": "H-1", "issued_on": "2026-06-03"}
    diary.say("invoice.issued", "2026-06-03", **by_hand)
    diary.say("invoice.issued", agency_id="b", subscription_id="other", invoice_id="extra", issued_on="2026-06-03")
    diary.say("invoice.paid", "2026-06-05", invoice_id="hand-1", reference="transfer-1")
    diary.say("invoice.voided", "2026-06-06", subscription_id="mild", period_starts_on="2026-06-01")
    diary.say("refund.requested", "2026-07-03", invoice_id="inv:sub:2026-07-01", amount_minor=1000, reason="late start")
    diary.say(
        "invoice.refunded", "2026-07-04", invoice_id="inv:sub:2026-07-01", amount_minor=500, reference="transfer-2"
    )
    diary.go("2026-07-10")


@pytest.fixture(scope="session")
def healthy(postgres: PostgresServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the database in which all that happened."""
    clock = FixedClock(datetime(2026, 5, 20, tzinfo=UTC))
    engine = make_engine(postgres.create_database(HEALTHY, template))
    live(Diary(Store(engine, clock), clock, tmp_path_factory.mktemp("healthy")))
    engine.dispose()
    yield HEALTHY
    postgres.drop_database(HEALTHY)


@pytest.fixture(scope="session")
def ledgers(postgres: PostgresServer, healthy: str) -> Iterator[Databases]:
    """Copies of the healthy ledger, each used by many tests in turn."""
    with Databases(postgres, healthy, f"{healthy}_copy") as made:
        yield made


@pytest.fixture
def ledger(ledgers: Databases) -> Iterator[Store]:
    """A store on a copy of the healthy ledger, at 2026-07-11T00:00Z."""
    with ledgers.one() as copy:
        yield Store(copy.engine, FixedClock(NOW))


@pytest.fixture(scope="session")
def trials(postgres: PostgresServer, healthy: str) -> Iterator[Engine]:
    """An engine on a copy of the healthy ledger, for transactions that are all rolled back."""
    name = f"{healthy}_trials"
    engine = make_engine(postgres.create_database(name, healthy))
    yield engine
    engine.dispose()
    postgres.drop_database(name)


@pytest.fixture
def trial(trials: Engine) -> Iterator[Transaction]:
    """A transaction on the healthy ledger in which anything may be tried: nothing of it is kept."""
    with trials.connect() as connection, connection.begin() as transaction:
        yield Transaction(connection, NOW)
        transaction.rollback()
