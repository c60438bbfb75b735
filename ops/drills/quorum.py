"""A RabbitMQ cluster of three nodes loses the leader of its queues under load, and then the next: nothing may be missing."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from ops.cluster.load import Load
from ops.cluster.waiting import until
from ops.drills.report import Report, longest_silence, now
from ops.servers.postgres import EmbeddedPostgres
from ops.servers.rabbitmq import PrivateRabbitmq, free_ports
from shared.broker.names import CHANGES_EXCHANGE, CHANGES_QUEUE, queue_of
from shared.broker.publisher import Outgoing, Publisher
from shared.store import migrate

NODES = ("drill1", "drill2", "drill3")
SUBSCRIPTIONS = 1500
BROKEN_AT = (200, 700)  # paid invoices
CHANGES = 5000
SETTLED_AFTER = 5.0  # a quorum queue that is younger than a second does not survive a SIGKILL (RabbitMQ 3.10)
Nodes = Mapping[str, PrivateRabbitmq]


def quorum(folder: Path, report: Report) -> None:
    """Run the drill in `folder`. Raises AssertionError if anything is missing or doubled."""
    with EmbeddedPostgres(folder / "postgres") as postgres, _cluster(folder) as nodes:
        report(f"{len(nodes)} nodes of RabbitMQ {_version(nodes)} form one cluster")
        migrate.upgrade(postgres.url())
        load = Load(postgres.url(), ",".join(node.url for node in nodes.values()), folder)
        try:
            _drill(load, nodes, report)
        finally:
            load.close()


def _drill(load: Load, nodes: Nodes, report: Report) -> None:
    load.begin(SUBSCRIPTIONS, kinds=("scheduler", "intake", "orders", "charges", "notices"))
    time.sleep(SETTLED_AFTER)
    before = {member.kind: member.process.pid for member in load.members}
    load.members.scale("invoices", 1)
    before["invoices"] = load.members.of("invoices")[0].process.pid
    publishing = _Upstream([node.url for node in nodes.values()])
    for paid, queue in zip(BROKEN_AT, (queue_of("invoices"), CHANGES_QUEUE), strict=True):
        load.reach(paid)
        _lose_leader(load, nodes, queue, report)
    load.finish()
    report(f"all {SUBSCRIPTIONS} are billed once and paid once")
    confirmed = publishing.end()
    until(lambda: _in_inbox(load) == confirmed)
    report(f"all {confirmed} changes that were confirmed to upstream meanwhile are in the inbox, each once")
    after = {member.kind: member.process.pid for member in load.members}
    if after != before:
        raise AssertionError("a process was started again; all should have survived")
    report("no process was restarted")


def _lose_leader(load: Load, nodes: Nodes, queue: str, report: Report) -> None:
    """Kill the node that leads a queue, see that work goes on without it, and let it come back."""
    leader = _leader(nodes, queue)
    broken = now(load.store)
    nodes[leader].kill()
    paid = load.done()[0]
    report(f"{leader}, which led {queue}, was killed at {paid} paid invoices")
    until(lambda: load.done()[0] > paid)
    nodes[leader].start()
    until(lambda: len(_online(nodes, queue)) == len(nodes))
    report(f"work went on, and {leader} is back: {queue} has {len(nodes)} members online again")
    report(f"the longest time without a finished cycle was {longest_silence(load.store, broken):.1f} s")


@contextmanager
def _cluster(folder: Path) -> Iterator[Nodes]:
    """Three nodes that find each other by a list in their configuration; they are started together."""
    peers = {f"cluster_formation.classic_config.nodes.{at}": f"{name}@localhost" for at, name in enumerate(NODES, 1)}
    settings = {
        "cluster_formation.peer_discovery_backend": "classic_config",
        "cluster_partition_handling": "pause_minority",
        **peers,
    }
    epmd = free_ports(1)[0]
    nodes = {name: PrivateRabbitmq(folder / name, settings=settings, name=name, epmd_port=epmd) for name in NODES}
    with ExitStack() as ending:
        for node in nodes.values():
            ending.callback(node.stop)
        starting = [threading.Thread(target=node.start) for node in nodes.values()]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        until(lambda: len(next(iter(nodes.values())).manage("GET", "nodes")) == len(NODES))
        yield nodes


def _ask(nodes: Nodes, path: str) -> object:
    """The answer of any node that is up."""
    for node in nodes.values():
        if node.pid is not None:
            return node.manage("GET", path)
    raise AssertionError("no node is up")


def _version(nodes: Nodes) -> str:
    told = _ask(nodes, "overview")
    return str(told["rabbitmq_version"]) if isinstance(told, dict) else "?"


def _leader(nodes: Nodes, queue: str) -> str:
    told = _ask(nodes, f"queues/%2F/{queue}")
    if not isinstance(told, dict) or len(told["members"]) != len(nodes):
        raise AssertionError(f"{queue} does not have a member on each node: {told}")
    return str(told["leader"]).partition("@")[0]


def _online(nodes: Nodes, queue: str) -> Sequence[str]:
    told = _ask(nodes, f"queues/%2F/{queue}")
    return told["online"] if isinstance(told, dict) else ()


def _in_inbox(load: Load) -> int:
    with load.store.transaction() as tx:
        return int(tx.scalar("SELECT count(*) FROM inbox WHERE source = '/drill'"))


class _Upstream:
    """Publishes changes with confirms, all the while; what was not confirmed it publishes again, as upstream has to."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls, self._confirmed = urls, 0
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self._thread.start()

    def _publish(self) -> None:
        publisher = Publisher(self._urls, "drill upstream", "upstream")
        publisher.start()
        try:
            for first in range(0, CHANGES, 50):
                batch = [
                    Outgoing(exchange=CHANGES_EXCHANGE, routing_key="duecycle.drill.v1", body=_change(number))
                    for number in range(first, first + 50)
                ]
                until(partial(_taken, publisher, batch))
                self._confirmed += len(batch)
                time.sleep(0.1)
        finally:
            publisher.close()

    def end(self) -> int:
        """Wait until everything is confirmed. Returns how many changes were."""
        self._thread.join(300)
        return self._confirmed


def _taken(publisher: Publisher, batch: Sequence[Outgoing]) -> bool:
    try:
        publisher.publish_all(batch, timeout=10)
    except OSError:
        return False
    return True


def _change(number: int) -> bytes:
    """A client of an unknown agency: it is stored, and waits."""
    data = {"agency_id": "drill", "client_id": f"c{number}", "revision": 1, "name": "C", "email": "c@drill.example"}
    change = {"specversion": "1.0", "id": f"d{number}", "source": "/drill", "type": "duecycle.client.upserted.v1"}
    return json.dumps({**change, "time": "2026-06-01T00:00:00Z", "data": data}).encode()
