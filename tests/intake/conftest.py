"""Upstream's side of a database: the diary that journeys are written in."""

from pathlib import Path

import pytest

from shared.store.database import FixedClock, Store
from tests.journeys.diary import Diary


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """A world on an empty database."""
    return Diary(store, clock, tmp_path)
