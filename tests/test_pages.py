"""Pages that are generated say what the code does today."""

import importlib
import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ops.pages import architecture, figures
from ops.pages.__main__ import pages
from ops.pages.life import CHAPTERS, life_page
from ops.pages.story import Story, tell
from shared.broker.names import (
    CHANGES_EXCHANGE,
    CHANGES_QUEUE,
    EVENTS_QUEUE,
    UNROUTED_EXCHANGE,
    UNROUTED_QUEUE,
    WORK_EXCHANGE,
)
from shared.messages.work import POOLS
from shared.store.database import FixedClock, Store
from tests.house_rules import FLOORS
from tests.test_readme import PAGES, ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
OUTSIDE = {"ops": {"scheduler", "workers"}}  # what a package may import beside `shared`
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


def test_every_arrow_of_the_architecture_is_allowed_by_the_house_rules() -> None:
    """The picture is drawn from the source; this holds it against the rules, and against circles."""
    found = architecture.arrows()
    assert {f"shared.{floor}" for floor in FLOORS} == {part for part in found if part.startswith("shared.")}
    for part, targets in found.items():
        allowed = {f"shared.{floor.split('.')[0]}" for floor in FLOORS.get(part.removeprefix("shared."), [])}
        allowed |= OUTSIDE.get(part, set())
        assert {target for target in targets if target not in allowed and part.startswith("shared.")} == set(), part
        assert {target for target in targets if not target.startswith("shared.")} <= OUTSIDE.get(part, set()), part
        assert part not in architecture.reached_from(found, part), f"a circle through {part}"


def test_the_picture_of_the_processes_names_every_exchange_and_queue_of_upstream() -> None:
    page = (architecture.ROOT / "docs" / "architecture.md").read_text("utf-8")
    for name in (CHANGES_EXCHANGE, CHANGES_QUEUE, UNROUTED_EXCHANGE, UNROUTED_QUEUE, WORK_EXCHANGE, EVENTS_QUEUE):
        assert name in page
    for pool in POOLS:
        assert f"work --> {pool}" in page


def test_an_arrow_that_others_imply_is_left_out() -> None:
    """A → B → C says already that A builds on C."""
    drawn = architecture.reduced({"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()})
    assert drawn == {"a": {"b"}, "b": {"c"}, "c": frozenset()}


def test_the_glossary_is_short_and_each_word_exists_in_the_code() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$", GLOSSARY.read_text("utf-8"), re.M)
    words = [word.strip() for word, _, _ in rows]
    assert 15 <= len(words) <= 25
    assert len(set(words)) == len(words)
    for word, meaning, place in rows:
        assert len(meaning.split()) <= 25, word
        assert exists(place), f"{word}: the code has no {place}"


def exists(place: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        importlib.import_module(place)
    except ModuleNotFoundError:
        module, _, attribute = place.rpartition(".")
        return bool(module) and hasattr(importlib.import_module(module), attribute)
    return True


def test_a_word_that_has_left_the_code_is_seen() -> None:
    assert exists("scheduler.plan.plan")
    assert not exists("scheduler.plan.planned_by_nobody")


def test_figures_are_filled_from_the_recorded_run_and_an_unknown_one_is_an_error() -> None:
    """A page that names a figure which no run has recorded is not written."""
    text = "<!-- figure: cycles -->old<!-- /figure --> due"
    assert figures.filled(text, {"cycles": 20000}) == "<!-- figure: cycles -->20,000<!-- /figure --> due"
    with pytest.raises(KeyError):
        figures.filled(text, {})


def test_ratios_of_the_bench_stand_on_one_page_only() -> None:
    """Three figures for one speed-up are two too many. A decision keeps the comparison that it was made with."""
    told = re.compile(r"\d+(\.\d+)? ?(×|times as (fast|long))")
    pages = [page for page in PAGES if page.parent.name != "decisions" and page.name != "performance.md"]
    assert [(page.name, found[0]) for page in pages for found in told.finditer(page.read_text("utf-8"))] == []


def test_the_decision_about_shared_operations_lists_each_of_them() -> None:
    """A module that is added without a row there, or a row that outlives its module, is seen."""
    page = (ROOT / "docs" / "decisions" / "0008-billing-operations.md").read_text("utf-8")
    listed = set(re.findall(r"\]\(\.\./\.\./shared/billing/(\w+)\.py\)", page))
    assert listed == {path.stem for path in (ROOT / "shared" / "billing").glob("*.py")} - {"__init__"}
