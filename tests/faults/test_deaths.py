"""Processes die, messages are lost, doubled and shuffled: in the end there is exactly one of everything."""

import sys
from pathlib import Path

import pika
import pytest

from ops.cluster.load import Load
from ops.cluster.waiting import until
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.names import queue_of
from shared.messages.work import POOLS
from tests.broker.proxy import Proxy
from tests.faults.conftest import Make
from tests.faults.dying_worker import DEATHS

pytestmark = pytest.mark.slow

POINTS = {
    "orders": ["before_claim", "before_ack"],
    "invoices": ["inside_transaction", "before_ack"],
    "charges": ["before_claim", "claimed", "answered", "settled"],
    "notices": ["before_claim", "before_ack"],
}


@pytest.mark.parametrize("pools", [("orders", "invoices", "notices"), ("charges",)], ids="-".join)
def test_workers_that_die_at_every_point_leave_nothing_undone_and_do_nothing_twice(
    make_load: Make, database_url: str, broker_url: str, tmp_path: Path, pools: tuple[str, ...]
) -> None:
    """Killed before the claim, inside the transaction, after the commit, and between the three steps of a charge."""
    words = {}
    dying = {pool: POINTS[pool] for pool in pools}
    for pool, points in dying.items():
        (tmp_path / pool).mkdir()
        words[pool] = [sys.executable, "-m", "tests.faults.dying_worker", pool, str(tmp_path / pool), *points]
    load = make_load(database_url, broker_url, words=words)
    load.begin(200)

    load.finish()

    deaths = {(pool, p): len(list((tmp_path / pool).glob(f"{p}-*"))) for pool, points in dying.items() for p in points}
    assert deaths == {(pool, point): DEATHS for pool, points in dying.items() for point in points}


def test_every_message_doubled_and_shuffled_changes_nothing(
    make_load: Make, database_url: str, broker_url: str
) -> None:
    words = {"scheduler": [sys.executable, "-m", "tests.faults.doubling_scheduler"]}
    load = make_load(database_url, broker_url, words=words)
    load.begin(200)
    load.members.scale("invoices", 2)
    load.members.scale("charges", 2)

    load.finish()


def test_purged_and_deleted_queues_cost_a_lease(load: Load, broker_url: str) -> None:
    """Every queue is emptied, one is deleted, and all are emptied again, while work is under way."""
    load.begin(250)
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        for paid, lose in ((20, channel.queue_purge), (100, channel.queue_delete), (180, channel.queue_purge)):
            load.reach(paid)
            for pool in POOLS if lose == channel.queue_purge else ("charges",):
                lose(queue_of(pool))

    load.finish()


def test_a_publisher_that_is_cut_off_publishes_later(
    make_load: Make, database_url: str, broker_url: str, rabbitmq: PrivateRabbitmq
) -> None:
    """The scheduler's connections are cut again and again, and refused for a while; the pools' are not."""
    with Proxy(rabbitmq.port) as proxy:
        load = make_load(database_url, broker_url)
        through = broker_url.replace(str(rabbitmq.port), str(proxy.port))
        cut_off = make_load(database_url, through)
        cut_off.members.scale("scheduler", 1)
        load.begin(300, POOLS)
        for paid in (20, 60, 100):
            load.reach(paid)
            proxy.cut()
        proxy.refuse()
        load.reach(130)
        proxy.let()

        load.finish()


def test_a_rolling_restart_finishes_what_is_under_way(load: Load) -> None:
    """Every process is ended and started again, one after another; each exits with 0."""
    load.begin(300)
    load.reach(30)
    codes = []
    for kind in ("invoices", "orders", "charges", "notices", "intake", "scheduler"):
        codes += load.members.restart(kind)

    load.finish()

    assert codes == [0] * 6


def test_processes_killed_again_and_again_lose_nothing(load: Load) -> None:
    """SIGKILL to one of each kind in turn, as an impatient orchestrator would."""
    load.begin(250)
    for paid, kind in ((20, "charges"), (60, "scheduler"), (100, "notices"), (140, "invoices")):
        load.reach(paid)
        load.members.kill(load.members.of(kind)[0])
        until(lambda: load.done() and True)

    load.finish()
