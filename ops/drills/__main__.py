"""`make drill-quorum`, `drill-failover`, `drill-giant`, `drill-hostile`: one drill, in a folder that is thrown away."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from ops.drills.failover import failover
from ops.drills.giant import giant
from ops.drills.hostile import hostile
from ops.drills.quorum import quorum
from ops.drills.report import Report

DRILLS: Mapping[str, Callable[[Path, Report], None]] = {
    "quorum": quorum,
    "failover": failover,
    "giant": giant,
    "hostile": hostile,
}


@click.command()
@click.argument("name", type=click.Choice(list(DRILLS)))
def main(name: str) -> None:
    """Do one drill, and end with an error if anything is missing or doubled."""
    with tempfile.TemporaryDirectory(prefix="duecycle-drill-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the servers' own accounts must reach it
        try:
            DRILLS[name](Path(folder), Report())
        except AssertionError as error:
            raise click.ClickException(f"the drill failed: {error}") from None


if __name__ == "__main__":
    main()
