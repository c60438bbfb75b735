"""The programs that docs/integrating.md shows, as files, and what the ones in JavaScript need."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "integrating.md"
CLIENT = ROOT / "docs" / "integrating" / "consumer.js"
MODULES = ROOT / ".node" / "node_modules"
_ABSENT = not (shutil.which("node") and (MODULES / "amqplib").is_dir())
NEEDS_NODE = pytest.mark.skipif(_ABSENT, reason="no node with amqplib; run: make test-node")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def shown(section: str, language: str) -> str:
    """The one program in a language that a section of the page shows."""
    text = PAGE.read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (program,) = [body for of, body in _BLOCK.findall(text) if of == language]
    return program
