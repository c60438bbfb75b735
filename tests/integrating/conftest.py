"""A broker with the users that we ship."""

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.servers.rabbitmq import PrivateRabbitmq
from shared.broker.topology import arguments
from tests.integrating.programs import ROOT


@pytest.fixture
def urls(rabbitmq: PrivateRabbitmq) -> Iterator[dict[str, str]]:
    """The address of each user that `make env` makes, with the permissions, exchanges and queues that come with them."""
    spec = importlib.util.spec_from_file_location("made_secrets", ROOT / "deploy" / "rabbitmq" / "users.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    passwords = {role: f"secret-of-{role}" for role in made.PERMISSIONS}
    defined: dict[str, Any] = made.definitions(passwords)
    version = tuple(map(int, rabbitmq.manage("GET", "overview")["rabbitmq_version"].split(".")[:2]))
    for queue in defined["queues"]:
        queue["arguments"] = arguments(queue["name"], version)
    rabbitmq.manage("POST", "definitions", defined)
    yield {role: rabbitmq.url_of(made.VHOST, role, password) for role, password in passwords.items()}
    rabbitmq.remove_vhost(made.VHOST)
    for role in passwords:
        rabbitmq.manage("DELETE", f"users/{role}")


@pytest.fixture
def deleted(rabbitmq: PrivateRabbitmq, urls: dict[str, str]) -> Callable[[str], None]:
    """Delete a queue, as whoever looks after the broker may."""

    def delete(queue: str) -> None:
        rabbitmq.manage("DELETE", f"queues/{urls['consumer'].rsplit('/', 1)[1]}/{queue}")

    return delete
