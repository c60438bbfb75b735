"""The documents for newcomers: what they link to exists, what they tell to type works, what they quote is accepted."""

import json
import re
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from ops.cli import commands
from shared.contracts.examples import change_example
from shared.messages import CHANGE_TYPES, decode_change

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = ROOT / "docs" / "decisions"
TRYING = ROOT / "docs" / "trying.md"
BILLING = ROOT / "docs" / "billing.md"
NUMBERED = re.compile(r"\[(\d{4})\]\([^)\s]*?([^/)\s]*)\)")  # a decision by its number
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+(?:\n(?!\s*\n)[^`\n]+)*)`")  # of a paragraph, whose lines may break within it
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
HEADING = re.compile(r"^#+ +(.+)$", re.M)
CELLS = re.compile(r"^\| `([a-z_]+)` \| (.*?) \|", re.M)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def spans(text: str) -> list[str]:
    """Code within sentences, each on one line however the page breaks it; indented blocks hold none."""
    prose = "\n".join("" if line.startswith("    ") else line for line in text.splitlines())
    return [" ".join(span.split()) for span in SPAN.findall(prose)]


def typed(page: Path) -> Iterator[list[str]]:
    """The words of everything a reader may type: lines of code blocks, and code within a sentence."""
    text = page.read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines += [line for block in FENCE.findall(text) for line in block.splitlines()[1:-1]]
    lines += spans(FENCE.sub("", text))
    yield from (line.removeprefix(".venv/bin/").split() for line in lines if line.strip())


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def anchor(heading: str) -> str:
    """The fragment that renders of Markdown make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    broken = []
    for link in LINK.findall(FENCE.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (fragment and fragment not in map(anchor, HEADING.findall(target.read_text("utf-8")))):
            broken.append(link)
    return broken


def wrong_commands(page: Path) -> list[str]:
    wrong = []
    for words in typed(page):
        program, arguments = words[0], words[1:]
        if program == "make" and arguments and re.fullmatch(r"[a-z]+", arguments[0]):
            if arguments[0] not in make_targets():
                wrong.append(" ".join(words))
        elif program == "duecycle" and arguments:
            command = commands.get_command(click.Context(commands), arguments[0])
            if isinstance(command, click.Group) and len(arguments) > 1:
                command = command.commands.get(arguments[1])
            known = {option for each in (command.params if command else ()) for option in each.opts}
            if command is None or not {word for word in arguments if word.startswith("--")} <= known | {"--help"}:
                wrong.append(" ".join(words))
    return wrong


def quoted_messages(page: Path) -> Iterator[bytes]:
    """Every line of a code block marked as JSON."""
    for block in FENCE.findall(page.read_text("utf-8")):
        if block.startswith("```json"):
            yield from (line.encode() for line in block.splitlines()[1:-1])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that exists, and a fragment names a heading in it."""
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_decision_is_named_by_its_own_number(page: Path) -> None:
    """`[0013](…)` leads to the file that begins with 0013."""
    links = NUMBERED.findall(page.read_text("utf-8"))
    assert [link for link in links if not link[1].startswith(f"{link[0]}-")] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists(page: Path) -> None:
    """`make x` names a target, `duecycle x --y` a command with that option."""
    assert wrong_commands(page) == []


def test_the_pages_are_found_and_say_what_to_type() -> None:
    """The checks above look at something: the README and the guides tell commands and link to each other."""
    words = [words[:2] for page in (ROOT / "README.md", TRYING, BILLING) for words in typed(page)]
    assert ["make", "demo"] in words
    assert ["duecycle", "simulate"] in words
    assert ["duecycle", "cycles"] in words
    assert {"README.md", "CHANGELOG.md", "docs/messages.md", "docs/sample/README.md"} <= set(map(name, PAGES))
    assert sum(len(LINK.findall(page.read_text("utf-8"))) for page in PAGES) > 40


def test_a_wrong_link_and_a_wrong_command_are_seen(tmp_path: Path) -> None:
    """The checks can fail: a planted page with one of each fault is refused for each of them."""
    page = tmp_path / "page.md"
    page.write_text(
        "[gone](gone.md) [no heading](page.md#nowhere)\n\n    make coffee\n    .venv/bin/duecycle brew\n\n"
        "`duecycle cycles --sugar 2`, `make test` and `duecycle cycles --every 2`, "
        "`duecycle\n  cycles --milk 3` and `make\ntea`\n"
    )
    assert broken_links(page) == ["gone.md", "page.md#nowhere"]
    assert wrong_commands(page) == [
        "make coffee",
        "duecycle brew",
        "duecycle cycles --sugar 2",
        "duecycle cycles --milk 3",
        "make tea",
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if "```json" in page.read_text("utf-8")], ids=name)
def test_every_quoted_message_is_accepted(page: Path) -> None:
    """A reader who copies an example sends a message that intake takes."""
    lines = list(quoted_messages(page))
    assert lines
    for line in lines:
        assert decode_change(line).type in CHANGE_TYPES


def test_the_first_example_is_a_whole_story() -> None:
    """It is enough to bill a client: each kind of record once, in the order they refer to each other."""
    changes = [decode_change(line) for line in quoted_messages(TRYING)]
    assert [change.name for change in changes] == [
        "agency.upserted",
        "client.upserted",
        "payment_method.upserted",
        "service.upserted",
        "subscription.upserted",
    ]


def test_the_page_shows_what_the_cycles_command_prints() -> None:
    """The table under the example of `duecycle cycles` is the command's own output."""
    text = BILLING.read_text("utf-8")
    words = next(words for words in typed(BILLING) if words[:2] == ["duecycle", "cycles"])
    printed = CliRunner().invoke(commands, words[1:]).output
    assert "2026-02-28" in printed
    assert "".join(f"    {line}\n" for line in printed.splitlines()) in text


def test_the_guide_has_a_section_for_each_type_with_the_published_example() -> None:
    """docs/messages.md and the AsyncAPI document show the same message of each type, in the same order."""
    shown = [json.loads(line) for line in quoted_messages(ROOT / "docs" / "messages.md")]
    assert shown == [change_example(kind) for kind in CHANGE_TYPES]


@pytest.mark.parametrize("kind", CHANGE_TYPES)
def test_the_guide_lists_the_fields_and_defaults_of_a_type(kind: str) -> None:
    """Each field of a message stands in its section once, with the default the code gives it."""
    guide = (ROOT / "docs" / "messages.md").read_text("utf-8")
    heading = kind.removeprefix("duecycle.").removesuffix(".v1")
    section = guide.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    fields = msgspec.structs.fields(CHANGE_TYPES[kind])
    assert dict(CELLS.findall(section)) == {field.encode_name: shown_default(field) for field in fields}
    assert len(CELLS.findall(section)) == len(fields)


def shown_default(field: Any) -> str:
    """How the guide writes a default; a dash where none is a value of its own."""
    if field.required:
        return "required"
    match field.default:
        case None:
            return "–"
        case time() as at:
            return f"`{at:%H:%M}`"
        case str() as text:
            return f"`{text}`" if text else '`""`'
        case value:
            return f"`{msgspec.json.encode(value).decode()}`"


def test_every_decision_is_numbered_listed_and_complete() -> None:
    """The index lists every decision in order; each says context, decision, consequences and alternatives."""
    pages = sorted(DECISIONS.glob("[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == "0001"
    assert re.findall(r"\]\((\d{4}-[^)]+)\)", (DECISIONS / "README.md").read_text("utf-8")) == [
        page.name for page in pages
    ]
    for page in pages:
        headings = HEADING.findall(page.read_text("utf-8"))
        assert headings[0].startswith(f"{page.name[:4]}. ")
        assert [heading.split(",")[0] for heading in headings[1:]] == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ]


def test_the_readme_stays_short_and_leads_to_every_door() -> None:
    """It says what Duecycle is and what to read next; everything else has a page, and the index has every page."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.count("\n") <= 120
    assert text.index("    make demo\n") < text.index("    make test\n")
    for told in ("make cluster", "docker compose up", "make scale", "duecycle status", "DUECYCLE_DATABASE_URL"):
        assert told in text
    for reader in sorted((ROOT / "docs" / "readers").glob("*.md")):
        assert f"](docs/readers/{reader.name})" in text


def test_the_index_leads_to_every_page() -> None:
    """From docs/README.md every page of docs/ can be reached, decisions by way of their own index."""
    reached = {ROOT / "docs" / "README.md"}
    ahead = list(reached)
    while ahead:
        page = ahead.pop()
        for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_relative_to(ROOT / "docs") and target not in reached:
                reached.add(target)
                ahead.append(target)
    assert [name(page) for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in reached] == []


def test_the_picture_of_the_report_is_small_enough_to_load() -> None:
    """A README should open at once: its picture is a PNG below 300 kB."""
    picture = (ROOT / "docs" / "images" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < 300_000
