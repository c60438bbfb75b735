"""`python deploy/docs/stage.py FOLDER`: copy docs/ to where the site is built from, complete without a checkout.

What pages link to outside docs/ becomes a page too: a source file as it is, a folder as a list of its files. Links are
rewritten to fit. A link to nothing is an error.
"""

import re
import shutil
import sys
from pathlib import Path
from posixpath import relpath

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Code is left alone: a fence, code in a sentence; then a link and its target without the fragment.
LINK = re.compile(r"(^```.*?^```|`[^`\n]+`)|(\]\()([^)\s#]+)", re.M | re.S)
LANGUAGES = {".py": "python", ".sh": "bash", ".yml": "yaml", ".json": "json", ".js": "javascript", ".html": "html"}
MENU = {
    "Try": ("trying", "sample/index"),
    "Integrate": (
        *("readers/upstream-developer", "integrating", "messages", "events", "states"),
        *("readers/agency-integrator", "billing"),
    ),
    "Operate": (
        *("readers/operator", "operating/index", "operating/cluster", "operating/settings", "operating/alerts"),
        *("operating/metrics", "operating/*"),
    ),
    "Understand": (
        *("readers/newcomer", "architecture", "life-of-a-cycle", "glossary", "performance", "decisions/index"),
        *("decisions/*", "*"),
    ),
}


def stage(folder: Path) -> None:
    """Write the pages into `folder`, which is emptied first. Raises FileNotFoundError for a link to nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS / "images", folder / "images")
    pages = sorted(DOCS.rglob("*.md"))
    ahead, added = list(pages), set[Path]()
    while ahead:
        path = ahead.pop()
        if path in added:
            continue
        added.add(path)
        if path.suffix == ".md":
            ahead += [each for each in targets(path) if each not in added]
        write(folder / place(path), path)
    names = [place(path).removesuffix(".md") for path in pages]
    index = folder / "index.md"
    index.write_text(index.read_text("utf-8") + "".join(menu(names)), encoding="utf-8")


def targets(page: Path) -> list[Path]:
    """What a page links to, without pictures and what leads into the web."""
    found = (target(page, match[3]) for match in LINK.finditer(page.read_text("utf-8")) if match[3])
    return [path for path in found if path is not None and path.suffix != ".png"]


def target(page: Path, link: str) -> Path | None:
    """The file or folder of the checkout that a link means; None if it leads into the web."""
    if "://" in link or link.startswith("mailto:"):
        return None
    path = (page.parent / link).resolve()
    if not path.is_relative_to(ROOT) or not path.exists():
        raise FileNotFoundError(f"{page.relative_to(ROOT)} links to {link}, which does not exist")
    return path / "README.md" if path.is_relative_to(DOCS) and (path / "README.md").is_file() else path


def place(path: Path) -> str:
    """Where something is among the pages."""
    if path.suffix == ".png":
        return path.relative_to(DOCS).as_posix()
    below = path.relative_to(DOCS) if path.is_relative_to(DOCS) else Path("source") / path.relative_to(ROOT)
    if path.is_dir():
        return f"{below.as_posix()}/index.md"
    if path.suffix != ".md":
        return f"{below.as_posix()}.md"
    return below.with_name("index.md").as_posix() if path.name == "README.md" else below.as_posix()


def write(file: Path, path: Path) -> None:
    """One page: of docs/, or made from a file or a folder beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".md":
        text = LINK.sub(lambda match: rewritten(match, path), path.read_text("utf-8"))
    elif path.is_dir():
        listed = sorted(each.name for each in path.iterdir() if not each.name.startswith(("_", ".")))
        text = "\n".join([f"# {path.name}/", "", *(f"- `{each}`" for each in listed), ""])
    else:
        language = LANGUAGES.get(path.suffix, "text")
        name = path.relative_to(ROOT).as_posix()
        text = f"# {path.name}\n\n`{name}`\n\n`````{language}\n{path.read_text('utf-8').rstrip()}\n`````\n"
    in_menu = path.is_relative_to(DOCS) and path.suffix == ".md"
    file.write_text(text if in_menu else f"---\norphan: true\n---\n\n{text}", encoding="utf-8")


def rewritten(match: re.Match[str], page: Path) -> str:
    """A link of a page, as the site needs it."""
    path = None if match[1] else target(page, match[3])
    if path is None:
        return match[0]
    return f"{match[2]}{relpath(place(path), str(Path(place(page)).parent))}"


def menu(names: list[str]) -> list[str]:
    """The menu, by its four doors; a pattern takes what is named nowhere before."""
    left = [name for name in names if name != "index"]
    lines = []
    for caption, patterns in MENU.items():
        taken = []
        for pattern in patterns:
            literal = pattern.partition("*")[0]
            matching = [name for name in left if name == pattern or ("*" in pattern and name.startswith(literal))]
            named = {each for every in MENU.values() for each in every}
            taken += [name for name in matching if name == pattern or name not in named]
            left = [name for name in left if name not in taken]
        lines += [f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n", *(f"{name}\n" for name in taken), "```\n"]
    return lines


if __name__ == "__main__":
    stage(Path(sys.argv[1]).resolve())
