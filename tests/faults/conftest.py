"""A load on the session's PostgreSQL and RabbitMQ, each test with its own database and virtual host."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from ops.cluster.load import Load
from shared.store.grants import KINDS, role_of

Make = Callable[..., Load]


@pytest.fixture
def make_load(tmp_path: Path) -> Iterator[Make]:
    """Makes loads; their processes end with the test. Each connects as the role of its kind, where the server has our roles."""
    made: list[Load] = []

    def make(database_url: str, broker_url: str, **named: Any) -> Load:
        made.append(Load(database_url, broker_url, tmp_path, own=own_addresses(database_url), **named))
        return made[-1]

    yield make
    for load in made:
        load.close()


def own_addresses(database_url: str) -> dict[str, dict[str, str]]:
    """By kind: the database as its role, which a private server lets in without a password."""
    url = make_url(database_url)
    if not url.query:  # somebody else's server
        return {}
    as_role = {kind: url.set(username=role_of(kind)).render_as_string(hide_password=False) for kind in KINDS}
    return {kind: {"DUECYCLE_DATABASE_URL": address} for kind, address in as_role.items()}


@pytest.fixture
def load(make_load: Make, database_url: str, broker_url: str) -> Load:
    """A load on a database and a virtual host of its own."""
    return make_load(database_url, broker_url)
