"""Pages that are generated say what the code does today."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from ops.pages.__main__ import pages
from ops.pages.life import CHAPTERS, life_page
from ops.pages.story import Story, tell
from shared.store.transaction import FixedClock, Store

REMEDY = "run .venv/bin/python -m ops.pages"


@pytest.fixture
def owner(engine: Engine, clock: FixedClock) -> Store:
    """The store as the owner of the tables has it: a simulation names its deployment."""
    return Store(engine, clock)


def test_the_generated_pages_are_as_the_code_makes_them(owner: Store, clock: FixedClock, tmp_path: Path) -> None:
    """One run of the subscription, with the real intake, scheduler, pools and relay, gives the committed page."""
    for path, text in pages(owner, clock, tmp_path).items():
        assert path.read_text("utf-8") == text, f"docs/{path.name} is out of date: {REMEDY}"


def test_a_run_that_takes_other_steps_is_not_told_under_the_old_titles(
    owner: Store, clock: FixedClock, tmp_path: Path
) -> None:
    """Prose and steps belong together: a step more or less is an error, not a shifted page."""
    story = tell(owner, clock, tmp_path)
    assert len(story.steps) == sum(len(chapter.steps) for chapter in CHAPTERS)
    with pytest.raises(RuntimeError, match="the run took the steps"):
        life_page(Story(story.messages, story.steps[:-1], story.mails))
