"""`python -m ops.pages [--check]`: write the generated pages, or say which differ from the code."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from ops.pages import architecture, figures
from ops.pages.alerts import FILE as ALERTS
from ops.pages.alerts import alerts_page
from ops.pages.life import FILE as LIFE
from ops.pages.life import life_page
from ops.pages.rendering import ROOT
from ops.pages.story import TOLD_AT, tell
from ops.servers.postgres import EmbeddedPostgres
from shared.store import migrate
from shared.store.database import FixedClock, Store, make_engine


def pages(store: Store, clock: FixedClock, folder: Path) -> Mapping[Path, str]:
    """The text of every generated page, by its path. The database has to be empty; mails go below `folder`."""
    return {
        ROOT / "docs" / LIFE: life_page(tell(store, clock, folder)),
        ROOT / "docs" / ALERTS: alerts_page(),
        **pages_with_blocks(),
    }


def pages_with_blocks() -> Mapping[Path, str]:
    """Every page with a marker: for a figure of the recorded run, or for the packages."""
    texts = {path: path.read_text("utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))}
    known = figures.recorded()
    return {
        path: architecture.with_packages(figures.filled(text, known))
        for path, text in texts.items()
        if figures.MARKER.search(text) or architecture.BLOCK.search(text)
    }


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a page differs from the code.")
def main(*, check: bool) -> None:
    """Write the pages of docs/ that come from the code or from a run."""
    with tempfile.TemporaryDirectory(prefix="duecycle-pages-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own account must reach its data
        with EmbeddedPostgres(folder / "postgres", durable=False) as server:
            url = server.url()
            migrate.upgrade(url)
            clock = FixedClock(TOLD_AT)
            store = Store(make_engine(url), clock)
            written = pages(store, clock, folder)
            store.engine.dispose()
    differing = [path for path, text in written.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in differing:
        if check:
            click.echo(f"{path.relative_to(ROOT)} differs from the code: run python -m ops.pages", err=True)
        else:
            path.write_text(written[path], encoding="utf-8", newline="\n")
    if check and differing:
        sys.exit(1)


if __name__ == "__main__":
    main()
