"""The diary that every journey is written in; at its end the ledger's invariants are checked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.database import FixedClock, Store
from tests.journeys.diary import Diary


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Iterator[Diary]:
    """A world on an empty database; after the test every invariant has to hold."""
    made = Diary(store, clock, tmp_path)
    yield made
    made.check()
