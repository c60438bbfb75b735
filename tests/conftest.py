"""What every test may ask for: a real PostgreSQL, a fresh migrated database, the store on it, a clock that stands."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from ops.servers.postgres import EmbeddedPostgres, PostgresServer

if TYPE_CHECKING:
    from ops.servers.rabbitmq import PrivateRabbitmq
    from shared.store.database import FixedClock, Store
    from tests.databases import Database, Databases
    from tests.event_shapes import Watch

TEMPLATE = f"duecycle_template_{os.getpid()}"
START = datetime(2026, 6, 1, tzinfo=UTC)
PURE = ("domain", "messages")
_numbers = count(1)

# No deadline: timings never decide a test. The gate always tries the same examples; explore looks for new ones.
settings.register_profile("gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast ones first: the pure tests, then those without a database, then those with one, then the slow ones."""
    items.sort(key=_pace)


def _pace(item: pytest.Item) -> int:
    if item.get_closest_marker("slow"):
        return 3
    if item.path.parent.name in PURE:
        return 0
    return 2 if {"postgres", "rabbitmq"} & set(getattr(item, "fixturenames", ())) else 1


@pytest.fixture(scope="session")
def event_watch() -> Iterator["Watch"]:
    """Looks at every event that this process writes."""
    from tests.event_shapes import Watch

    watch = Watch()
    with watch.watching():
        yield watch


@pytest.fixture(autouse=True)
def events_have_their_shape(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test is about: each event is as the published schema of its type says."""
    if request.path.parent.name in PURE:
        yield
        return
    watch: Watch = request.getfixturevalue("event_watch")
    watch.take()
    yield
    assert watch.take() == []


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole run, its data thrown away at the end.

    DUECYCLE_TEST_DATABASE_URL names a running server to use instead (its user must be allowed to create databases);
    DUECYCLE_PG_BIN, the programs of another PostgreSQL version to start.
    """
    running = os.environ.get("DUECYCLE_TEST_DATABASE_URL")
    if running:
        yield PostgresServer(running)
        return
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated, empty database; the tests' databases are copies of it."""
    from shared.store import deployment, migrate, roles
    from shared.store.database import Store, make_engine

    url = postgres.create_database(TEMPLATE)
    migrate.upgrade(url)
    if isinstance(postgres, EmbeddedPostgres):
        roles.apply(url)
    made = make_engine(url)
    with Store(made).transaction() as tx:
        deployment.fix(tx, "test")
    made.dispose()
    yield TEMPLATE
    postgres.drop_database(TEMPLATE)


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer, template: str) -> Iterator["Databases"]:
    """Copies of the template, each used by many tests in turn."""
    from tests.databases import Databases

    with Databases(postgres, template, f"duecycle_test_{os.getpid()}") as made:
        yield made


@pytest.fixture
def database(databases: "Databases") -> Iterator["Database"]:
    """A migrated database with no rows, of this test's own."""
    with databases.one() as made:
        yield made


@pytest.fixture
def database_url(database: "Database") -> str:
    """Its address."""
    return database.url


@pytest.fixture
def engine(database: "Database") -> Engine:
    """An engine on the test's database, made as the product makes it."""
    return database.engine


@pytest.fixture
def clock() -> "FixedClock":
    """The clock behind `store`: stands at 2026-06-01T00:00Z until the test moves its `at`."""
    from shared.store.database import FixedClock

    return FixedClock(START)


@pytest.fixture
def store(engine: Engine, clock: "FixedClock") -> "Store":
    """The store on the test's database, with the test's `clock`. What a process does runs under its role."""
    from tests.roles import RoleStore

    return RoleStore(engine, clock)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator["PrivateRabbitmq"]:
    """One real RabbitMQ node for the whole run, on ports of its own, its data thrown away at the end.

    DUECYCLE_RABBITMQ_BIN names the programs of another version to start.
    """
    from ops.servers.rabbitmq import PrivateRabbitmq

    with open_to_servers() as folder, PrivateRabbitmq(folder / "node") as node:
        yield node


@contextmanager
def open_to_servers() -> Iterator[Path]:
    """A folder that the servers' own accounts can reach; pytest's own are closed to everybody else."""
    with tempfile.TemporaryDirectory(prefix="duecycle-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder for a server of the test's own."""
    with open_to_servers() as folder:
        yield folder


@pytest.fixture
def broker_url(rabbitmq: "PrivateRabbitmq") -> Iterator[str]:
    """The address of a virtual host of this test's own, as a user who may do everything in it."""
    name = f"test-{next(_numbers)}"
    rabbitmq.add_vhost(name)
    yield rabbitmq.url_of(name)
    rabbitmq.remove_vhost(name)


@pytest.fixture(scope="session")
def sample() -> Path:
    """The change messages of the sample run."""
    return Path(__file__).parents[1] / "docs" / "sample" / "agency-portal.jsonl"
