"""A stage for every race; and the mark that lets one be played without the locks too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.database import FixedClock, Store
from tests.races.sessions import Stage

LOCKS = ["with its lock", "without its lock"]


@pytest.fixture
def stage(
    database_url: str, store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage with the product's locks in place."""
    made = Stage(database_url, store, clock, tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture(params=LOCKS)
def race(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """A stage on which each race is played twice: with the locks, and with the lock lines taken out."""
    if request.param == LOCKS[1]:
        stage.without_locks()
    return stage


@pytest.fixture(params=LOCKS)
def series(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """The same for races about another guard than the subscription's lock: the test itself takes that one away."""
    stage.locked = request.param == LOCKS[0]
    return stage
