"""A load on the session's PostgreSQL and RabbitMQ, each test with its own database and virtual host."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.cluster.load import Load

Make = Callable[..., Load]


@pytest.fixture
def make_load(tmp_path: Path) -> Iterator[Make]:
    """Makes loads; their processes end with the test."""
    made: list[Load] = []

    def make(*given: str, **named: object) -> Load:
        made.append(Load(*given, tmp_path, **named))
        return made[-1]

    yield make
    for load in made:
        load.close()


@pytest.fixture
def load(make_load: Make, database_url: str, broker_url: str) -> Load:
    """A load on a database and a virtual host of its own."""
    return make_load(database_url, broker_url)
