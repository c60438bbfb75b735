"""Readiness asks the broker on the connection that a process works on: probes cost no connection, and see its state."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from ops.cluster.waiting import until
from ops.servers.rabbitmq import PrivateRabbitmq
from scheduler.process import unanswered
from shared.broker import pool_consumer as pools
from shared.broker import publisher as publishers
from shared.broker.publisher import Publisher
from shared.broker.startup_check import check_broker
from shared.telemetry import http
from tests.broker.proxy import Proxy
from tests.broker.test_pool import Pool

Ask = Callable[[], str | None]


@pytest.fixture
def proxy(rabbitmq: PrivateRabbitmq) -> Iterator[Proxy]:
    with Proxy(rabbitmq.port) as made:
        yield made


@pytest.fixture(params=["scheduler", "pool"])
def ask(request: pytest.FixtureRequest, proxy: Proxy, rabbitmq: PrivateRabbitmq, broker_url: str) -> Iterator[Ask]:
    """What the probe of a process asks, its connection going through `proxy`."""
    check_broker([broker_url], "scheduler", "test")
    url = broker_url.replace(f":{rabbitmq.port}/", f":{proxy.port}/")
    if request.param == "pool":
        pool = Pool(url)
        yield pool.broker.unanswered
        proxy.let()
        assert pool.running.stop(timedelta(seconds=20))
        pool.broker.close()
    else:
        publisher = Publisher([url], "test", "scheduler")
        publisher.start()
        yield lambda: unanswered(publisher)
        proxy.let()
        publisher.close()


def test_sixty_probes_open_no_connection(ask: Ask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FRESH_SECONDS", -1.0)
    until(lambda: ask() is None)
    before = proxy.connections
    ready = http.Readiness({"broker": ask})

    assert [ready.wrong() for _ in range(60)] == [{}] * 60

    assert proxy.connections == before
    ready.close()


def test_a_silent_broker_and_a_lost_connection_are_seen(
    ask: Ask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the connection that comes next is asked."""
    monkeypatch.setattr(pools, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(publishers, "ANSWER_SECONDS", 0.3)
    until(lambda: ask() is None)
    proxy.hold()
    assert "within 0.3 s" in (ask() or "")
    proxy.refuse()
    proxy.let()
    until(lambda: ask() is None)
