"""requirements.lock: installs everywhere alike, and says what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
DOCS_LOCK = (ROOT / "deploy" / "docs" / "requirements.lock").read_text("utf-8")
DOCS_WANTED = ROOT / "deploy" / "docs" / "requirements.in"
PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def pins(lock: str = LOCK) -> dict[str, Version]:
    return {canonicalize_name(match[1]): Version(match[2]) for match in PIN.finditer(lock)}


@pytest.mark.parametrize("lock", [LOCK, DOCS_LOCK], ids=["product", "docs"])
def test_every_entry_is_an_exact_version_with_hashes(lock: str) -> None:
    """Apart from comments, a lock is made of `name==version` with at least one SHA-256 each, and nothing else."""
    rest = PIN.sub("", lock)
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


@pytest.mark.parametrize("lock", [LOCK, DOCS_LOCK], ids=["product", "docs"])
def test_no_address_is_in_the_lock(lock: str) -> None:
    """Where packages come from is each machine's own setting."""
    assert re.findall(r"\S*(?:://|--index-url|--extra-index-url|--find-links| @ )\S*", lock) == []


def test_the_site_of_the_documentation_has_a_lock_of_its_own() -> None:
    """`make docs` pins its tools; neither the product nor its tests install them."""
    asked = [Requirement(line) for line in DOCS_WANTED.read_text("utf-8").splitlines() if not line.startswith("#")]
    locked = pins(DOCS_LOCK)
    assert asked
    assert [str(want) for want in asked if locked[canonicalize_name(want.name)] not in want.specifier] == []
    assert "sphinx" not in pins(LOCK)


def test_everything_declared_is_locked_at_a_version_that_fits() -> None:
    """What the product, its development and its build ask for is pinned inside the asked range."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = declared["project"]
    asked = [
        Requirement(text)
        for text in (
            *project["dependencies"],
            *project["optional-dependencies"]["dev"],
            *declared["build-system"]["requires"],
        )
    ]
    locked = pins()
    assert len(asked) > 20
    assert [str(want) for want in asked if canonicalize_name(want.name) not in locked] == []
    assert [str(want) for want in asked if locked[canonicalize_name(want.name)] not in want.specifier] == []
