"""What exists on the broker, who may make it, and what the start-up check says when something is not as it should be."""

import importlib.util
from pathlib import Path

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker
from structlog.testing import capture_logs

from ops.cluster.waiting import until
from ops.servers.rabbitmq import PrivateRabbitmq, free_ports
from shared.broker import topology
from shared.broker.errors import BrokerError, TopologyError
from shared.broker.names import CHANGES_EXCHANGE, CHANGES_QUEUE, EVENTS_EXCHANGE, EVENTS_QUEUE, UNROUTED_QUEUE, queue_of
from shared.broker.queue_reader import messages
from shared.broker.startup_check import check_broker, queue_loads
from shared.broker.topology import arguments, parts_of
from shared.messages.work import POOLS
from tests.broker.words import reachable

USERS = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "users.py"
ROLES = ("scheduler", *POOLS, "upstream")


def wrong(url: str, role: topology.Role = "scheduler") -> str:
    """What the check says."""
    with pytest.raises(BrokerError) as caught:
        check_broker([url], role, "test")
    return str(caught.value)


def queues(rabbitmq: PrivateRabbitmq, url: str) -> dict[str, dict[str, object]]:
    """The arguments of every queue of a virtual host."""
    found = rabbitmq.manage("GET", f"queues/{url.rsplit('/', 1)[1]}?disable_stats=true&enable_queue_totals=true")
    return {each["name"]: each["arguments"] for each in found}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_makes_what_it_uses_and_making_it_again_is_harmless(broker_url: str, role: topology.Role) -> None:
    """Whoever starts first makes it."""
    check_broker([broker_url], role, "test")
    check_broker([broker_url], role, "test")


def test_queues_are_quorum_queues_without_dead_letters(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """And beside them there are none for delays or dead letters."""
    for role in ROLES:
        check_broker([broker_url], role, "test")

    found = queues(rabbitmq, broker_url)

    assert set(found) == {*(queue_of(pool) for pool in POOLS), *topology.KEPT}
    assert {each["x-queue-type"] for each in found.values()} == {"quorum"}
    assert not any("dead-letter" in name for each in found.values() for name in each)


def test_upstreams_queue_never_drops_a_message_for_being_delivered_often() -> None:
    """RabbitMQ 4.0 drops after 20 deliveries unless told otherwise; 3.10 has no limit and refuses to be told."""
    for queue in topology.KEPT:
        assert arguments(queue, (4, 0))["x-delivery-limit"] == -1
        assert "x-delivery-limit" not in arguments(queue, (3, 10))
    assert "x-delivery-limit" not in arguments(queue_of("orders"), (4, 1))


def test_what_upstream_publishes_reaches_intakes_queue(broker_url: str) -> None:
    """Whatever its type."""
    check_broker([broker_url], "intake", "test")
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(CHANGES_EXCHANGE, "duecycle.client.upserted.v1", b"{}", mandatory=True)

    assert queue_loads([broker_url], "test")["changes"] == (1, 0)


def test_a_queue_with_other_properties_is_told_with_what_to_do(broker_url: str) -> None:
    """Its arguments can't change while it exists."""
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().queue_declare(queue_of("orders"), durable=True)

    with pytest.raises(TopologyError, match=r"duecycle\.orders\.v1 exists with other properties.*delete_queue"):
        check_broker([broker_url], "orders", "test")


def test_a_queue_from_before_the_brokers_upgrade_is_used_with_a_warning(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the delivery limit differs: intake goes on, and says which policy lifts the limit."""
    limited = {"x-queue-type": "quorum", "x-delivery-limit": 5}
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().queue_declare(CHANGES_QUEUE, durable=True, arguments=limited)

    with capture_logs() as told:
        check_broker([broker_url], "intake", "test")

    assert [line["event"] for line in told] == ["queue.limited"]
    assert "set_policy" in told[0]["fix"]


def test_a_wrong_password_is_told_without_the_password(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """Secrets never stand in a message."""
    said = wrong(rabbitmq.url_of(broker_url.rsplit("/", 1)[1], password="not-this-one"))  # noqa: S106 - it is wrong

    assert "refused the user or the password" in said
    assert "not-this-one" not in said


def test_a_missing_virtual_host_is_told(rabbitmq: PrivateRabbitmq) -> None:
    assert "virtual host" in wrong(rabbitmq.url_of("nowhere"))


def test_a_port_where_nobody_listens_is_told() -> None:
    url = f"amqp://a:b@127.0.0.1:{free_ports(1)[0]}/x"
    assert "nobody listens" in wrong(url)
    assert "nobody listens" in (reachable([url], "test") or "")


def test_a_host_that_does_not_exist_is_told() -> None:
    assert "there is no such host" in wrong("amqp://a:b@no-such-host.invalid/x")


def test_the_next_node_is_taken_when_the_first_is_away(broker_url: str) -> None:
    """One address for each node of a cluster."""
    away = f"amqp://a:b@127.0.0.1:{free_ports(1)[0]}/x"
    check_broker([away, broker_url], "scheduler", "test")


def user(rabbitmq: PrivateRabbitmq, url: str, name: str, **patterns: str) -> str:
    """The address of a user with these permissions."""
    vhost = url.rsplit("/", 1)[1]
    rabbitmq.manage("PUT", f"users/{name}", {"password": name, "tags": ""})
    rabbitmq.permit(vhost, name, **{"configure": "^$", "write": "^$", "read": "^$", **patterns})
    return rabbitmq.url_of(vhost, name, name)


def test_a_missing_permission_is_told_with_the_object(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """Which queue it is about, and where the permissions of its role stand."""
    said = wrong(user(rabbitmq, broker_url, "nobody"), "orders")
    assert "duecycle.orders.v1 is missing, and this user may not make it" in said

    check_broker([broker_url], "scheduler", "test")
    said = wrong(user(rabbitmq, broker_url, "silent", configure=".*", write="v1$", read="(events|work)$"), "scheduler")
    assert "may not publish" in said
    assert "duecycle.work" in said


def test_who_may_not_make_a_queue_uses_the_one_that_is_there(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """A pool's user needs to read its queue, and nothing else."""
    check_broker([broker_url], "scheduler", "test")
    reader = user(rabbitmq, broker_url, "reader", read=f"^{queue_of('orders')}$")

    check_broker([reader], "orders", "test")


def test_the_permissions_that_we_ship_are_enough_for_every_role(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """Each makes its part on an empty broker, the alternate exchange and the bindings too; the consumer reads the events."""
    urls = {
        role: user(rabbitmq, broker_url, f"as-{role}", configure=configure, write=write, read=read)
        for role, (configure, write, read) in permissions().items()
    }

    for role in ("intake", "scheduler", "orders", "upstream"):
        check_broker([urls[role]], role, "test")
    with pika.BlockingConnection(pika.URLParameters(urls["scheduler"])) as connection:
        connection.channel().basic_publish(EVENTS_EXCHANGE, "duecycle.order.created.v1", b"{}")

    until(lambda: list(messages([urls["consumer"]], "test", EVENTS_QUEUE)) == [b"{}"])
    with pytest.raises(BrokerError, match=r"can't be read: ACCESS_REFUSED"):
        list(messages([urls["consumer"]], "test", CHANGES_QUEUE))


def test_a_reader_of_events_has_queues_of_its_own_and_changes_none_of_ours(
    rabbitmq: PrivateRabbitmq, broker_url: str
) -> None:
    """It makes one, binds it to the events it wants, reads and deletes it; queues and exchanges of others are refused."""
    for role in ("intake", "scheduler"):
        check_broker([broker_url], role, "test")
    configure, write, read = permissions()["consumer"]
    url = user(rabbitmq, broker_url, "as-consumer", configure=configure, write=write, read=read)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("consumer.ledger", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind("consumer.ledger", EVENTS_EXCHANGE, "duecycle.invoice.*.v1")
        with pika.BlockingConnection(pika.URLParameters(broker_url)) as scheduler:
            for kind in ("invoice.paid", "order.created"):
                scheduler.channel().basic_publish(EVENTS_EXCHANGE, f"duecycle.{kind}.v1", kind.encode())
        until(lambda: list(messages([url], "test", "consumer.ledger")) == [b"invoice.paid"])
        channel.queue_delete("consumer.ledger")
        for forbidden in (
            lambda one: one.queue_declare("duecycle.spy.v1"),
            lambda one: one.queue_delete(EVENTS_QUEUE),
            lambda one: one.queue_purge(CHANGES_QUEUE),
            lambda one: one.exchange_delete(EVENTS_EXCHANGE),
            lambda one: (one.queue_declare("consumer.spy"), one.queue_bind("consumer.spy", CHANGES_EXCHANGE, "#")),
        ):
            with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
                forbidden(connection.channel())


def test_only_upstream_can_put_changes_into_its_queue(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """Neither by the exchange nor past it. An operator sends to a queue by its name, for old events; a scheduler can't."""
    shipped = permissions()
    for role in ("intake", "scheduler"):
        check_broker([broker_url], role, "test")
    for role in ("scheduler", "ops", *POOLS, "consumer"):
        configure, write, read = shipped[role]
        url = user(rabbitmq, broker_url, f"as-{role}", configure=configure, write=write, read=read)
        for exchange in (CHANGES_EXCHANGE, "", "duecycle.work"):
            allowed = (exchange == "" and role == "ops") or (exchange == "duecycle.work" and role == "scheduler")
            assert published(url, exchange, CHANGES_QUEUE) == ("sent" if allowed else "refused"), (role, exchange)
    # What the scheduler publishes reaches the pools alone.
    assert queue_loads([broker_url], "test")["changes"] == (1, 0)


def published(url: str, exchange: str, key: str) -> str:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish(exchange, key, b"{}")
        except ChannelClosedByBroker as refused:
            return "refused" if refused.reply_code == topology.ACCESS_REFUSED else str(refused)
    return "sent"


def permissions() -> dict[str, tuple[str, str, str]]:
    """What the users that we ship may do."""
    spec = importlib.util.spec_from_file_location("made_secrets", USERS)
    assert spec is not None
    assert spec.loader is not None
    users = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(users)
    found: dict[str, tuple[str, str, str]] = users.PERMISSIONS
    return found


def test_no_role_declares_what_another_one_owns() -> None:
    """The configure permission of a pool is its own queue, and intake's beside it what upstream sends to."""
    for pool in POOLS:
        own = {queue_of(pool)} | ({CHANGES_QUEUE, UNROUTED_QUEUE} if pool == "intake" else set())
        assert set(parts_of(pool).queues) == own


def test_an_alarm_of_the_broker_is_told(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    """Publishers are blocked while the disk is full: said in words, and over once there is room."""
    rabbitmq.control("set_disk_free_limit", "1000000GB")
    try:
        said = wrong(broker_url)
    finally:
        rabbitmq.control("set_disk_free_limit", "50MB")

    assert "alarm" in said
    check_broker([broker_url], "scheduler", "test")
