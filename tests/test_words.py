"""One word for each thing: a word that was replaced does not come back, in code, pages, metrics, alerts or help."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Retired words, as a pattern -> what is written instead. Matched whatever the case; `_` separates words, as a space does.
RETIRED: dict[str, str] = {
    r"bells?": "work queue, work message",
    r"rings?|ringing|rang": "publish, dispatch",
    r"rungs?": "dispatched; of dunning: retry, retry day",
    r"unit of work|unitofwork": "fact buffer, transaction",
    r"rest minor": "outstanding_minor",
    r"rests": "is paused; of an invoice: outstanding amount",
    r"acts": "billing operations; of a charge: steps",
    r"anew": "again",
    r"of upstream(?!'s [a-z])": "from upstream, upstream's",
    r"by (?:itself|themselves)": "automatically; alone: on its own",
    r"work(?:s|ed|ing)? off": "process",
    r"(?:places?|pages?) to pay": "payment page",
    r"also if": "even if",
    r"put aside": "set aside",
    r"over \{\w*amount\w*\}": "for {amount}",
}
RETIRED_NAMES: dict[str, str] = {"Tx": "Transaction"}  # in this spelling only: `tx` is a transaction's usual name

EXEMPT = (
    "shared/store/migrations/versions/",  # what a database went through is not rewritten
    "docs/decisions/0034-",  # the table of what was renamed
    "docs/decisions/0006-",  # the one page that explains dispatch by a doorbell
    "CHANGELOG.md",  # says what things were called
    "tests/test_words.py",
    "tests/store/test_migrations.py",  # writes a row as it was before
)
READ = (".py", ".md", ".yml", ".html")


def _spaced(pattern: str) -> str:
    # Between words of a phrase there may be a line break, with the mark of a comment on the next line.
    return pattern.replace(" ", r"(?:[\s_]+(?:#+ )?)")


_INSTEAD = (*RETIRED.values(), *RETIRED_NAMES.values())
_FIRST = "".join(
    sorted(set(re.findall(r"(?:^|[|:(])([a-z])", "|".join(RETIRED))))
)  # most of a text is passed over at once
# One pattern for all, so that a file is read through once. The number of the group says which word it is.
_WORDS = re.compile(
    rf"(?<![a-z0-9])(?=[{_FIRST}])(?:{'|'.join(f'({_spaced(pattern)})' for pattern in RETIRED)})(?![a-z0-9])"
)
_NAMES = re.compile(rf"\b(?:{'|'.join(f'({name})' for name in RETIRED_NAMES)})\b")


def retired(text: str) -> Iterator[str]:
    """Each retired word of a text: its line, the word, and what is written instead."""
    for pattern, written, first in ((_WORDS, text.lower(), 0), (_NAMES, text, len(RETIRED))):
        for found in pattern.finditer(written):
            line = written.count("\n", 0, found.start()) + 1
            yield f"{line}: {found[0]!r} is retired; write: {_INSTEAD[first + (found.lastindex or 1) - 1]}"


@cache
def sources() -> list[str]:
    """Every tracked file that is read by somebody, but for the exempt ones."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in listed.split("\0") if path.endswith(READ) and not path.startswith(EXEMPT)]


def test_no_retired_word_comes_back() -> None:
    """In whatever file: the list says what is written instead."""
    assert len(sources()) > 300
    found = [
        f"{path}:{each}"
        for path in sources()
        if (ROOT / path).is_file()
        for each in retired((ROOT / path).read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "sentence",
    [
        "The bell of the pool.",
        "It rings the pools.",
        "def test_a_row_is_rung_again() -> None:",
        "RUNG_TIME = time(9)",
        "Nothing is ringing; the scheduler rang.",
        "class UnitOfWork:",
        "One unit of work commits.",
        "the column `rest_minor`",
        "An account that rests for a minute.",
        "Three short acts: claim, call, settle.",
        "The queue is made anew.",
        "Messages of upstream wait.",
        "It is an id of upstream's.",
        "It connects by\n    itself, with waits.",
        "# It connects by\n# itself, with waits.",
        "They end by themselves.",
        "A change could not be worked off.",
        "def open_place_to_pay() -> None:",
        'f"Invoice {number} over {amount} is paid"',
        "def run(tx: Tx) -> None:",
    ],
)
def test_a_retired_word_is_found(sentence: str) -> None:
    """Planted alone, in a name, over a line break: the test above would fail."""
    assert list(retired(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "During a string of errors, bring the wrong one forward.",
        "The facts, impacts and contacts of a client.",
        "The rest of the room; interests; forests.",
        "with store.transaction() as tx:",
        "the source of upstream's message",
        "a limit over {count} rows",
        "label, labels, doorbells",
    ],
)
def test_other_words_pass(sentence: str) -> None:
    """Words are matched whole."""
    assert list(retired(sentence)) == []
