"""A pool, or the mail server behind one, is away for long: nothing is blocked, no try is counted, and all catch up."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from ops.servers.rabbitmq import free_ports
from ops.simulate.world import World
from scheduler.dispatch import REFILL_BELOW, dispatch, dispatch_pool
from scheduler.plan import plan
from shared.documents.delivery import sender_of
from shared.domain.retry_times import LEASE
from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from tests.races.seeded import seed_agency, seed_subscriptions
from tests.scheduler.test_dispatch import RecordingQueue
from workers.notices.send_notices import Runtime, send_notices
from workers.orders.create_orders import create_orders

COUNT = 20
NOTICES = "SELECT state, tries, reason FROM notices ORDER BY created_at, key"


class Queue(RecordingQueue):
    """A queue that nobody takes from: what was published waits in it."""

    def publish(self, messages: Sequence[Any]) -> None:
        super().publish(messages)
        self.under_way += len(messages)


def ask(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.transaction() as tx:
        return [tuple(row) for row in tx.rows(sql)]


@pytest.fixture
def world(store: Store, clock: FixedClock, tmp_path: Path) -> World:
    """Twenty subscriptions whose first order and invoice are planned and due."""
    seed_agency(store, "ag")
    seed_subscriptions(store, "ag", [f"s{number:02}" for number in range(COUNT)])
    clock.at = clock.at.replace(month=6, day=1, hour=0)
    while plan(store):
        pass
    return World(store, tmp_path / "mails")


def test_a_pool_that_was_down_for_a_day_blocks_nothing_and_counts_no_tries(
    world: World, store: Store, clock: FixedClock
) -> None:
    """The other pools go on, its queue does not fill up, and when it is back every message in it is processed."""
    queue = Queue()
    monday = clock.at
    while clock.at < monday + timedelta(days=1):
        dispatch_pool(store, queue, "orders")
        dispatch(store, world._broker, ["invoices", "charges", "notices", "intake"])
        world._broker.drain()
        clock.at += 5 * LEASE

    assert ask(store, "SELECT status, count(*) FROM invoices GROUP BY 1") == [("paid", COUNT)]
    assert ask(store, "SELECT DISTINCT stream, state, tries FROM cycles ORDER BY 1") == [
        ("invoice", "done", 0),
        ("order", "due", 0),
    ]
    assert len(queue.published) <= REFILL_BELOW + 1

    for message in queue.published:
        create_orders(store, message.agency_id, message.ids, again=message.again)
    assert ask(store, "SELECT DISTINCT stream, state, tries FROM cycles ORDER BY 1") == [
        ("invoice", "done", 0),
        ("order", "done", 0),
    ]
    world.settle()
    assert ask(store, "SELECT count(*) FROM orders") == [(COUNT,)]
    assert violations(store) == []


class Box:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        (line,) = [each for each in envelope.content.decode().splitlines() if each.startswith("Message-ID:")]
        self.ids[line] += 1
        return "250 OK"


def test_while_the_mail_server_is_away_one_mail_of_a_batch_is_tried(
    world: World, store: Store, clock: FixedClock
) -> None:
    """Fifty waits for one dead server would outlast the lease. However long it is away, no notice is given up."""
    port = free_ports(1)[0]
    outcomes: list[str] = []
    runtime = Runtime(store=store, sender=sender_of(f"smtp+plain://127.0.0.1:{port}"), on_outcome=outcomes.append)
    work_queue = RecordingQueue()
    dispatch(store, world._broker, ["invoices", "orders"])
    world._broker.drain()
    dispatch(store, world._broker, ["charges"])
    world._broker.drain()
    keys = [row[0] for row in ask(store, "SELECT key FROM notices ORDER BY created_at, key")]
    assert len(keys) == COUNT

    send_notices(runtime, "ag", keys)

    assert outcomes == ["away"]
    assert Counter((state, tries) for state, tries, _ in ask(store, NOTICES)) == {("due", 0): COUNT}
    assert all("127.0.0.1" in reason or "refused" in reason.lower() for _, _, reason in ask(store, NOTICES))
    for _ in range(25):  # longer than any mail is tried for its recipient's sake
        clock.at += timedelta(hours=6)
        dispatch_pool(store, work_queue, "notices")
        while work_queue.published:
            message = work_queue.published.pop()
            send_notices(runtime, message.agency_id, message.ids)
    assert {state for state, _, _ in ask(store, NOTICES)} == {"due"}

    box = Box()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        clock.at += timedelta(hours=6)
        dispatch_pool(store, work_queue, "notices")
        for message in work_queue.published:
            send_notices(runtime, message.agency_id, message.ids)
    finally:
        server.stop()
    assert {state for state, _, _ in ask(store, NOTICES)} == {"sent"}
    assert set(box.ids.values()) == {1}
    assert len(box.ids) == COUNT
