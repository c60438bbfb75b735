"""A batch in one transaction comes to exactly the rows that its messages come to one after another."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ops.simulate.world import World
from shared.store.database import FixedClock, Store, make_engine
from tests.databases import Database
from tests.journeys.portal import DEFAULTS, IDS
from tests.races.upstream import message
from tests.table_contents import changed, contents
from workers.intake.receive_batch import receive_batch
from workers.intake.receive_changes import Received, receive_change

SEEDS = range(6)
ROUNDS = 3
# Running numbers: batches leave gaps in other places.
NUMBERS = ("event_id", "inbox_id", "recheck_id")
KINDS = {
    "agency.upserted": 3,
    "client.upserted": 8,
    "service.upserted": 9,
    "payment_method.upserted": 8,
    "payment_method.removed": 5,
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
                data |= {"billing_cycle": {"unit": pick(["month", "week"]), "every": pick([1, 2])}}
            case "payment_method.upserted":
                data |= {"token": pick(["ok", "decline:card_declined"])}
            case "subscription.upserted":
                data |= {
                    "client_id": f"cli-{self.random.randrange(4)}",
                    "service_id": f"ser-{self.random.randrange(3)}",
                    "quantity": pick([1, 2, 3]),
                    "status": pick(["active", "active", "active", "cancelled"]),
                    "order_id": pick([None, "order-1", "order-2"]),
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
def copied(store: Store, database: Database) -> Iterator[Store]:
    """A second database with the same rows, at the same moment."""
    with database.copied() as url:
        copy = Store(make_engine(url), store.clock)
        yield copy
        copy.engine.dispose()


def received_both_ways(store: Store, database: Database, raws: Sequence[bytes]) -> list[Received]:
    """What became of a batch, which came to the same rows as its messages one after another."""
    with copied(store, database) as other, capture_logs() as logs:
        together = receive_batch(store, raws)
        assert "changes.taken_apart" not in {each["event"] for each in logs}
        assert together == [receive_change(other, raw) for raw in raws]
        assert changed(contents(other, NUMBERS), contents(store, NUMBERS)) == {}
    return together


def test_a_late_revision_counts_among_those_of_its_own_batch(store: Store, database: Database) -> None:
    """Between the second and the fourth comes the third, and the fourth then counts from no earlier than the third."""
    at = "2026-05-2%dT10:00:00Z"
    services = [message("service.upserted", at % day, revision=revision) for revision, day in ((2, 1), (4, 3), (3, 5))]
    subscribed = [
        message("subscription.upserted", at % day, revision=revision) for revision, day in ((2, 1), (4, 3), (3, 5))
    ]
    begun = [message("agency.upserted", at % 0, revision=1), message("client.upserted", at % 0, revision=1)]

    received = received_both_ways(store, database, [*begun, *services, *subscribed])

    assert [each.state for each in received][2:] == ["applied", "applied", "stale"] * 2
    with store.transaction() as tx:
        rows = tx.rows("SELECT revision, extract(day FROM effective_at) FROM service_revisions ORDER BY 1")
    assert [tuple(row) for row in rows] == [(2, 21), (3, 25), (4, 25)]


def test_an_order_id_belongs_to_the_first_of_a_batch(store: Store, database: Database) -> None:
    """Two new subscriptions claim it: the second is refused, whatever may still be unwritten of the first."""
    at = "2026-05-20T10:00:00Z"
    begun = [message(f"{fact}.upserted", at, revision=1) for fact in ("agency", "client", "service")]
    claims = [
        message("subscription.upserted", at, revision=1, subscription_id=id_, order_id="order-1") for id_ in "abb"
    ]

    received = received_both_ways(store, database, begun + claims)

    assert [(each.state, each.field) for each in received[-3:]] == [
        ("applied", ""),
        ("rejected", "data.order_id"),
        ("rejected", "data.order_id"),
    ]


def test_a_card_that_changes_within_a_batch_is_new_by_the_message_before(store: Store, database: Database) -> None:
    """Another card and the same once more, then the first one back: each is compared with the card just before it."""
    at = "2026-05-2%dT10:00:00Z"
    begun = [message(f"{fact}.upserted", at % 0, revision=1) for fact in ("agency", "client", "payment_method")]
    received_both_ways(store, database, begun)
    for revisions, instructed_on in ((((2, "new"), (3, "new")), 22), (((4, "other"), (5, "new"), (6, "new")), 25)):
        cards = [message("payment_method.upserted", at % day, revision=day, token=token) for day, token in revisions]
        received_both_ways(store, database, cards)
        with store.transaction() as tx:
            assert tx.scalar("SELECT extract(day FROM instructed_at) FROM payment_methods") == instructed_on


@pytest.mark.parametrize("seed", SEEDS)
def test_any_batch_comes_to_the_same_as_one_by_one(
    seed: int, store: Store, clock: FixedClock, database: Database, tmp_path: Path
) -> None:
    """Verdicts and every row of every table, batch after batch, while the cluster works in between."""
    upstream = Upstream(seed, clock.at)
    world = World(store, tmp_path, seed)
    states = set()
    for _ in range(ROUNDS):
        upstream.at = clock.at
        raws = upstream.says(upstream.random.randrange(20, 120))
        states |= {each.state for each in received_both_ways(store, database, raws)}
        clock.at += timedelta(days=upstream.random.randrange(1, 5))
        world.settle()
    assert {"applied", "waiting", "stale", "rejected"} <= states
