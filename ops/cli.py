"""The `duecycle` command."""

import logging
import os
import sys

import click
import structlog

from ops.cycles import cycles_command
from ops.processes import scheduler_command, worker_command
from ops.simulate.command import simulate_command
from shared.store.embedded import EmbeddedPostgresError
from shared.store.errors import describe


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="duecycle")
def commands() -> None:
    """Automatic recurring invoices for agencies."""


commands.add_command(cycles_command)
commands.add_command(simulate_command)
commands.add_command(scheduler_command)
commands.add_command(worker_command)


def main() -> None:
    """Run the command line. Exit code 2: bad input; 1: the run failed; errors go to stderr."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        commands()
    except EmbeddedPostgresError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from error
    except Exception as error:
        if os.environ.get("DUECYCLE_DEBUG"):
            raise
        click.echo(f"Error: the run failed: {describe(error)} (DUECYCLE_DEBUG=1 shows where)", err=True)
        raise SystemExit(1) from error
