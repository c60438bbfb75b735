"""The locks: they install everywhere alike, and say what pyproject.toml asks for; the image gets what processes need alone."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house_rules import PRODUCT

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    name: (ROOT / name).read_text("utf-8")
    for name in ("requirements.lock", "requirements-dev.lock", "deploy/docs/requirements.lock")
}
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = DECLARED["project"]["optional-dependencies"]
DOCS_WANTED = ROOT / "deploy" / "docs" / "requirements.in"
PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)
IMPORT = re.compile(r"^\s*(?:from|import) (\w+)", re.M)


def pins(name: str) -> dict[str, Version]:
    return {canonicalize_name(match[1]): Version(match[2]) for match in PIN.finditer(LOCKS[name])}


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_is_an_exact_version_with_hashes(name: str) -> None:
    """Apart from comments, a lock is made of `name==version` with at least one SHA-256 each, and nothing else."""
    rest = PIN.sub("", LOCKS[name])
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_stands_in_a_lock(name: str) -> None:
    """Where packages come from is each machine's own setting."""
    assert re.findall(r"\S*(?:://|--index-url|--extra-index-url|--find-links| @ )\S*", LOCKS[name]) == []


def test_the_site_of_the_documentation_has_a_lock_of_its_own() -> None:
    """`make docs` pins its tools; neither the product nor its tests install them."""
    asked = [Requirement(line) for line in DOCS_WANTED.read_text("utf-8").splitlines() if not line.startswith("#")]
    locked = pins("deploy/docs/requirements.lock")
    assert asked
    assert [str(want) for want in asked if locked[canonicalize_name(want.name)] not in want.specifier] == []
    assert "sphinx" not in pins("requirements-dev.lock")


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "embedded", "dev"])]
)
def test_everything_declared_is_locked_at_a_version_that_fits(name: str, extras: list[str]) -> None:
    """What the product, its build, and in one lock its development ask for is pinned inside the asked range."""
    asked = [
        Requirement(text)
        for text in (
            *DECLARED["project"]["dependencies"],
            *(text for extra in extras for text in EXTRAS[extra]),
            *DECLARED["build-system"]["requires"],
        )
    ]
    locked = pins(name)
    assert len(asked) > 20
    assert [str(want) for want in asked if canonicalize_name(want.name) not in locked] == []
    assert [str(want) for want in asked if locked[canonicalize_name(want.name)] not in want.specifier] == []


def test_the_image_gets_neither_an_embedded_postgresql_nor_the_tests_tools() -> None:
    """Its lock has nothing of these extras, and the same versions as the lock that the tests run with."""
    production, everything = pins("requirements.lock"), pins("requirements-dev.lock")
    assert production.items() <= everything.items()
    others = {canonicalize_name(Requirement(text).name) for extra in ("embedded", "dev") for text in EXTRAS[extra]}
    assert others & production.keys() == set()

    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert "-r requirements.lock" in dockerfile
    assert "requirements-dev" not in dockerfile


def test_the_product_imports_nothing_that_the_image_lacks() -> None:
    """`ops.servers` looks its package up and does without; the tests' tools are the tests'. One module writes a page of a
    checkout, which has them all, and is imported by that alone."""
    only_in_a_checkout = ROOT / "ops" / "pages" / "alerts.py"
    owners = packages_distributions()
    locked = {*pins("requirements.lock"), "duecycle"}
    texts = {path: path.read_text("utf-8") for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")}
    imported = {(match[1], path) for path, text in texts.items() for match in IMPORT.finditer(text)}
    lacking = [
        f"{path.relative_to(ROOT)}: {name}"
        for name, path in imported
        if name not in sys.stdlib_module_names and name not in PRODUCT and path != only_in_a_checkout
        if not {canonicalize_name(each) for each in owners.get(name, [name])} & locked
    ]
    assert len(imported) > 1000
    assert lacking == []
    importing = {path for path, text in texts.items() if re.search(r"ops\.pages(\.| import .*)\balerts\b", text)}
    assert importing == {ROOT / "ops" / "pages" / "__main__.py"}
