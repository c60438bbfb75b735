"""The depth of each queue is scraped, and whoever looks at RabbitMQ's pages can do nothing else there."""

import re
import time
from pathlib import Path

import pika
import pytest
import requests
import yaml
from pika.exceptions import ChannelClosedByBroker

from ops.cluster.local import MONITORING, add_monitoring
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.names import queue_of
from shared.broker.topology import declare

CONFIG = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"
PAGE = Path(__file__).parents[2] / "docs" / "operating" / "metrics.md"
SECONDS = 15  # RabbitMQ counts every five


def scraped(rabbitmq: PrivateRabbitmq, vhost: str) -> dict[str, float]:
    """What Prometheus gets of one queue by the job that we ship, by the metric's name."""
    jobs = yaml.safe_load(CONFIG.read_text())["scrape_configs"]
    job = next(each for each in jobs if each["job_name"] == "rabbitmq-queues")
    asked = "&".join(f"family={each}" for each in job["params"]["family"])
    url = f"http://127.0.0.1:{rabbitmq.metrics_port}{job['metrics_path']}?vhost={vhost}&{asked}"
    text = requests.get(url, timeout=10).text
    lines = re.findall(r"^(\w+)\{(.*?)\} (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, labels, value in lines if f'queue="{queue_of("orders")}"' in labels}


def test_ready_and_unacknowledged_messages_and_consumers_of_each_queue_are_scraped(
    rabbitmq: PrivateRabbitmq, broker_url: str
) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    declare(connection, "orders")
    channel = connection.channel()
    for _ in range(3):
        channel.basic_publish("", queue_of("orders"), b"x")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue_of("orders"), lambda *_: None)
    wanted = {
        "rabbitmq_detailed_queue_messages_ready": 2,
        "rabbitmq_detailed_queue_messages_unacked": 1,
        "rabbitmq_detailed_queue_consumers": 1,
    }
    until = time.monotonic() + SECONDS
    found: dict[str, float] = {}
    while not wanted.items() <= found.items() and time.monotonic() < until:
        connection.process_data_events(0.2)
        found = scraped(rabbitmq, broker_url.rpartition("/")[2])
    connection.close()

    assert {name: found.get(name) for name in wanted} == wanted
    assert set(re.findall(r"^\| `(rabbitmq_\w+)`", PAGE.read_text(), re.MULTILINE)) == set(wanted)


def test_the_monitoring_user_sees_queues_and_can_do_nothing_else(rabbitmq: PrivateRabbitmq, broker_url: str) -> None:
    vhost = broker_url.rpartition("/")[2]
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    declare(connection, "orders")
    connection.close()
    add_monitoring(rabbitmq, vhost)

    def ask(method: str, path: str, body: object = None) -> requests.Response:
        url = f"{rabbitmq.management}/{path}"
        return requests.request(method, url, json=body, auth=(MONITORING, MONITORING), timeout=10)

    assert [each["name"] for each in ask("GET", f"queues/{vhost}").json()] == [queue_of("orders")]
    queue = f"queues/{vhost}/{queue_of('orders')}"
    get = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    assert ask("POST", f"{queue}/get", get).status_code == 401
    assert ask("DELETE", f"{queue}/contents").status_code == 401
    assert ask("DELETE", queue).status_code == 401
    assert ask("PUT", f"vhosts/{vhost}-2").status_code == 401
    assert (
        ask("PUT", f"permissions/{vhost}/{MONITORING}", {"configure": "", "write": ".*", "read": ".*"}).status_code
        == 401
    )
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url_of(vhost, MONITORING, MONITORING)))
    for attempt in (
        lambda channel: channel.basic_get(queue_of("orders")),
        lambda channel: channel.queue_declare("mine"),
        lambda channel: channel.queue_purge(queue_of("orders")),
    ):
        with pytest.raises(ChannelClosedByBroker, match="403"):
            attempt(connection.channel())
    connection.close()
