"""The broker and the database go away and come back: no process has to be restarted, and there is one of everything."""

import os
import signal
import time
from pathlib import Path

import pytest

from ops.cluster.load import Load
from ops.cluster.waiting import until
from ops.servers.postgres import EmbeddedPostgres
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.store import migrate, roles
from tests.faults.conftest import Make

pytestmark = pytest.mark.slow

AWAY_SECONDS = (0, 5)


END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name LIKE 'duecycle %' AND pid <> pg_backend_pid()"""
ONE = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'duecycle %' LIMIT 1"


def ask(load: Load, sql: str) -> int:
    """The first answer."""
    with load.store.transaction() as tx:
        return tx.scalar(sql)


def pids(load: Load) -> dict[str, int]:
    return {member.kind: member.process.pid for member in load.members}


@pytest.mark.parametrize("away", AWAY_SECONDS)
def test_a_broker_killed_under_load_loses_nothing(
    make_load: Make, database_url: str, open_folder: Path, away: float
) -> None:
    """SIGKILL, and up again on the same data, at once or after a while."""
    with PrivateRabbitmq(open_folder / "node") as node:
        load = make_load(database_url, node.url)
        load.begin(200)
        before = pids(load)
        load.reach(50)
        node.kill()
        time.sleep(away)
        node.start()
        paid = load.done()[0]
        until(lambda: load.done()[0] > paid or load.done()[0] == load.subscriptions)

        load.finish()

        assert pids(load) == before


def test_a_database_that_crashes_and_throws_out_its_sessions_loses_nothing(
    make_load: Make, broker_url: str, open_folder: Path
) -> None:
    """All sessions ended, three times; then a crash of the server with recovery, twice."""
    with EmbeddedPostgres(open_folder / "postgres", durable=True) as server:
        migrate.upgrade(server.url())
        roles.apply(server.url())
        load = make_load(server.url(), broker_url)
        load.begin(200)
        before = pids(load)
        for paid in (20, 50, 80):
            load.reach(paid)
            ask(load, END_ALL)
        for paid in (110, 150):
            load.reach(paid)
            os.kill(ask(load, ONE), signal.SIGKILL)  # the server then ends all sessions and recovers

        load.finish()

        assert pids(load) == before
