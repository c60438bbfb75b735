"""Real processes in wrong surroundings: each says what is wrong and what to do, waits, and works once it is mended."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.cluster.members import Member, words_of
from ops.cluster.waiting import until
from ops.servers.postgres import PostgresServer
from ops.servers.rabbitmq import PrivateRabbitmq, free_ports
from shared.store import migrate

Start = Callable[..., Member]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process with these addresses; it is killed when the test ends."""
    members: list[Member] = []

    def make(kind: str, database_url: str, broker_url: str) -> Member:
        environ = {"PATH": "/usr/bin:/bin", "DUECYCLE_DATABASE_URL": database_url, "DUECYCLE_BROKER_URL": broker_url}
        environ["DUECYCLE_MAIL_URL"] = f"file://{tmp_path}"
        members.append(Member(kind, len(members), environ, tmp_path, words_of(kind)))
        return members[-1]

    yield make
    for member in members:
        member.process.kill()
        member.ended()


def said(member: Member, event: str) -> list[str]:
    """The reasons of a process's log lines of one event."""
    lines = [json.loads(line) for line in member.log.read_text().splitlines() if line.startswith("{")]
    return [line.get("reason", "") for line in lines if line["event"] == event]


def probe(member: Member, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{member.port}/{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def ends(member: Member) -> int:
    member.process.send_signal(signal.SIGTERM)
    return member.ended()


@pytest.mark.parametrize("kind", ["scheduler", "invoices", "intake"])
def test_an_old_schema_is_told_with_the_command_that_mends_it(
    kind: str, start: Start, postgres: PostgresServer, broker_url: str
) -> None:
    url = postgres.create_database(f"duecycle_old_{kind}")
    member = start(kind, url, broker_url)

    (reason, *_) = until(lambda: said(member, "database.awaited"))
    assert "duecycle migrate" in reason
    assert probe(member, "healthz")[0] == 200
    status, page = probe(member, "readyz")
    assert status == 503
    assert "duecycle migrate" in page

    migrate.upgrade(url)
    until(lambda: probe(member, "readyz")[0] == 200)
    assert ends(member) == 0
    postgres.drop_database(f"duecycle_old_{kind}")


def test_a_database_that_is_not_there_is_waited_for_and_can_be_left(start: Start, broker_url: str) -> None:
    port = free_ports(1)[0]
    member = start("scheduler", f"postgresql://u:secret@127.0.0.1:{port}/duecycle", broker_url)

    (reason, *_) = until(lambda: said(member, "database.awaited"))

    assert str(port) in reason
    assert "secret" not in member.log.read_text()
    assert ends(member) == 0


@pytest.mark.parametrize("kind", ["scheduler", "charges", "intake"])
def test_a_wrong_password_of_the_broker_is_told_and_waited_for(
    kind: str, start: Start, database_url: str, broker_url: str, rabbitmq: PrivateRabbitmq
) -> None:
    """An operator may mend it on the broker: the process begins to work automatically."""
    vhost = broker_url.rpartition("/")[2]
    rabbitmq.manage("PUT", f"users/{kind}", {"password": "old", "tags": ""})
    rabbitmq.permit(vhost, kind)
    member = start(kind, database_url, rabbitmq.url_of(vhost, kind, "new-secret"))

    (reason, *_) = until(lambda: said(member, "broker.awaited"))
    assert "password" in reason
    assert "new-secret" not in member.log.read_text()

    rabbitmq.manage("PUT", f"users/{kind}", {"password": "new-secret", "tags": ""})
    until(lambda: probe(member, "readyz")[0] == 200)
    assert ends(member) == 0
    rabbitmq.manage("DELETE", f"users/{kind}")


def test_a_missing_permission_is_told_with_what_is_needed(
    start: Start, database_url: str, broker_url: str, rabbitmq: PrivateRabbitmq
) -> None:
    vhost = broker_url.rpartition("/")[2]
    rabbitmq.manage("PUT", "users/orders", {"password": "p", "tags": ""})
    rabbitmq.permit(vhost, "orders", configure="^$", write="^$", read="^$")
    member = start("orders", database_url, rabbitmq.url_of(vhost, "orders", "p"))

    (reason, *_) = until(lambda: said(member, "broker.awaited"))
    assert "permission" in reason
    assert "orders" in reason

    rabbitmq.permit(vhost, "orders")
    until(lambda: probe(member, "readyz")[0] == 200)
    assert ends(member) == 0
    rabbitmq.manage("DELETE", "users/orders")
