"""Retired words do not come back: the public surface says one plain word for one thing (docs/decisions/0034)."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = (
    *("README.md", "CONTRIBUTING.md", "Makefile", "docker-compose.yml", "docs", "deploy", "ops", "shared/documents"),
    *("workers/webhooks/pages", "shared/telemetry/metrics.py", "scheduler/figures.py"),
)
TEXTS = {".md", ".py", ".yml", ".html", ".conf", ".sh", ".js", ""}
# Old and new names beside each other, or a word from a source with words of its own.
EXCEPTIONS = {
    "docs/decisions/0034-one-word-one-thing.md": "the table of what was retired",
    "docs/decisions/0006-the-doorbell-and-the-business-time.md": "the doorbell, as an image",
}
# Written from shared/messages and shared/domain, which this test does not read.
GENERATED = {"docs/events.md", "docs/messages.md", "docs/states.md"}
# A retired word, and what is written instead.
RETIRED = {
    r"bells?|doorbells?": "work message",
    r"rings?|ringing|rang": "dispatch",
    r"rungs?": "retry (of the dunning ladder), or dispatched",
    r"anew": "again",
    r"of upstream": "from upstream",
    r"by (?:itself|themselves)": "automatically, or alone",
    r"work(?:s|ed|ing)? off": "process",
    r"also if": "even if",
    r"pages? to pay|places? to pay": "payment page",
    r"put aside": "set aside",
    r"unit of work|UnitOfWork": "fact buffer",
    r"shared/acts|shared\.acts": "shared/billing",
    r"money (?:was |that was )?(?:taken|given) back": "reversed, or refunded",
}
# Names in backticks, and addresses of links.
ALLOWED = re.compile(r"`[^`]*`|\]\([^)]*\)")


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *PUBLIC], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [Path(each) for each in listed.stdout.splitlines()]
    left_out = GENERATED | set(EXCEPTIONS)
    return [each for each in found if each.suffix in TEXTS and str(each) not in left_out and (ROOT / each).is_file()]


def retired(text: str) -> Iterator[str]:
    """The retired words of a text, each with its line and the word to write instead."""
    for number, line in enumerate(text.splitlines(), 1):
        words = ALLOWED.sub("", line)
        for old, new in RETIRED.items():
            if found := re.search(rf"\b(?:{old})\b", words, re.IGNORECASE):
                yield f"{number}: {found[0]!r}; write: {new}"


def test_no_retired_word_is_left() -> None:
    found = [f"{path}:{each}" for path in files() for each in retired((ROOT / path).read_text("utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["The row rings again.", "a doorbell", "the next rung", "It is worked off by itself."])
def test_a_retired_word_is_found(text: str) -> None:
    assert list(retired(text))


def test_a_name_in_backticks_is_no_word() -> None:
    assert not list(retired("the column was `rings`, the command is `duecycle refund taken-back`"))


def test_every_exception_is_needed() -> None:
    assert [path for path in EXCEPTIONS if list(retired((ROOT / path).read_text("utf-8")))] == list(EXCEPTIONS)
