"""A database that holds a row of every kind, for stages to run over."""

from pathlib import Path

import pytest

from shared.store.database import FixedClock, Store
from tests.journeys.diary import Diary


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """A world on an empty database."""
    return Diary(store, clock, tmp_path)
