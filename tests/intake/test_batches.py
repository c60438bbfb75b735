"""A batch in one transaction comes to exactly the rows that its messages come to one after another."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.simulate.world import World
from shared.store.embedded import PostgresServer
from shared.store.transaction import FixedClock, Store, make_engine
from tests.journeys.portal import DEFAULTS, IDS
from tests.table_contents import changed, contents
from workers.intake.receive_batch import receive_batch
from workers.intake.receive_changes import receive_change

SEEDS = range(12)
ROUNDS = 5
# Running numbers: batches leave gaps in other places.
NUMBERS = ("event_id", "inbox_id", "recheck_id")
KINDS = {
    "agency.upserted": 3,
    "client.upserted": 8,
    "service.upserted": 6,
    "payment_method.upserted": 8,
    "payment_method.removed": 2,
    "subscription.upserted": 14,
    "subscription.resumed": 2,
    "invoice.issued": 3,
    "invoice.paid": 3,
    "invoice.voided": 2,
    "charge.requested": 2,
}


class Upstream:
    """A careless upstream: any order, old and equal revisions, repeats, references to what is not known yet, garbage."""

    def __init__(self, seed: int, at: datetime) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.at = at
        self._number = 0
        self._said: list[bytes] = []

    def says(self, count: int) -> list[bytes]:
        return [self._one() for _ in range(count)]

    def _one(self) -> bytes:
        chance = self.random.random()
        if self._said and chance < 0.06:
            return self.random.choice(self._said)
        if chance < 0.08:
            return b"garbage %d" % self.random.randrange(3)
        name = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        self._number += 1
        message = {
            "specversion": "1.0",
            "id": f"m{self._number}",
            "source": "/portal",
            "type": f"duecycle.{name}.v1",
            "time": (self.at - timedelta(hours=self.random.randrange(48))).isoformat(),
            "data": self._data(name),
        }
        raw = json.dumps(message).encode()
        self._said.append(raw)
        return raw

    def _data(self, name: str) -> dict[str, Any]:
        pick = self.random.choice
        data: dict[str, Any] = {**DEFAULTS.get(name, {}), "agency_id": pick("aab")}
        thing, _, verb = name.partition(".")
        for id_ in IDS.get(thing, ()):
            data[id_] = data["agency_id"] if id_ == "agency_id" else f"{id_[:3]}-{self.random.randrange(3)}"
        if verb in ("upserted", "removed"):
            data["revision"] = self.random.randrange(1, 5)
        match name:
            case "agency.upserted":
                data |= {"timezone": "UTC", "hold_on": pick(["failure", "overdue"])}
            case "service.upserted":
                data |= {"price_minor": pick([None, 5000, 9000]), "name": pick(["Care", "Hosting"])}
            case "payment_method.upserted":
                data |= {"token": pick(["ok", "decline:card_declined"])}
            case "subscription.upserted":
                data |= {
                    "client_id": f"cli-{self.random.randrange(4)}",
                    "service_id": f"ser-{self.random.randrange(3)}",
                    "quantity": self.random.randrange(1, 4),
                    "status": pick(["active", "active", "active", "cancelled"]),
                    "order_id": pick([None, None, "order-1", "order-2"]),
                    "starts_on": pick(["2026-06-01", "2026-06-01", "2026-06-03"]),
                    "checkout": pick(["self_checkout", "self_checkout", "manual"]),
                }
            case "invoice.issued":
                data |= {"invoice_id": f"by-hand-{self.random.randrange(4)}", "number": f"N{self.random.randrange(4)}"}
                data |= {"issued_on": "2026-06-02"}
            case "invoice.paid" | "invoice.voided" | "charge.requested":
                data |= pick(
                    [
                        {"invoice_id": f"by-hand-{self.random.randrange(4)}"},
                        {"number": f"N{self.random.randrange(4)}"},
                        {"subscription_id": f"sub-{self.random.randrange(3)}", "period_starts_on": "2026-06-01"},
                    ]
                )
        if thing in ("subscription", "invoice") and name != "subscription.upserted" and "subscription_id" in data:
            data["subscription_id"] = f"sub-{self.random.randrange(3)}"
        return data


@contextmanager
def copied(store: Store, postgres: PostgresServer) -> Iterator[Store]:
    """A second database with the same rows, at the same moment."""
    store.engine.dispose()
    url = postgres.create_database("duecycle_one_by_one", store.engine.url.database)
    copy = Store(make_engine(url), store.clock)
    try:
        yield copy
    finally:
        copy.engine.dispose()
        postgres.drop_database("duecycle_one_by_one")


@pytest.mark.parametrize("seed", SEEDS)
def test_any_batch_comes_to_the_same_as_one_by_one(
    seed: int, store: Store, clock: FixedClock, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Verdicts and every row of every table, batch after batch, while the cluster works in between."""
    upstream = Upstream(seed, clock.at)
    world = World(store, tmp_path, seed)
    states = set()
    for _ in range(ROUNDS):
        upstream.at = clock.at
        raws = upstream.says(upstream.random.randrange(2, 60))
        with copied(store, postgres) as other:
            together = receive_batch(store, raws)
            apart = [receive_change(other, raw) for raw in raws]

            assert together == apart
            assert changed(contents(other, NUMBERS), contents(store, NUMBERS)) == {}
        states |= {each.state for each in together}
        clock.at += timedelta(days=upstream.random.randrange(1, 9))
        world.settle()
    assert {"applied", "waiting", "stale", "rejected"} <= states
