"""The `duecycle` command."""

import logging
import os
import sys

import click
import structlog

from ops.account import account_command
from ops.backfill import backfill_command
from ops.backlog import backlog_command
from ops.blocked import blocked_command
from ops.charge import charge_command
from ops.cycles import cycles_command
from ops.doctor import doctor_command
from ops.events import events_command
from ops.inbox import inbox_command
from ops.ingest import ingest_command
from ops.migrating import migrate_command
from ops.pausing import pause_command, resume_command
from ops.processes import scheduler_command, worker_command
from ops.reconcile import reconcile_command
from ops.refund import refund_command
from ops.simulate.command import simulate_command
from ops.status import status_command
from shared.store.embedded import EmbeddedPostgresError
from shared.store.errors import describe


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="duecycle")
def commands() -> None:
    """Automatic recurring invoices for agencies."""


for command in (
    simulate_command,
    cycles_command,
    migrate_command,
    scheduler_command,
    worker_command,
    ingest_command,
    status_command,
    backlog_command,
    backfill_command,
    blocked_command,
    inbox_command,
    events_command,
    account_command,
    charge_command,
    refund_command,
    reconcile_command,
    pause_command,
    resume_command,
    doctor_command,
):
    commands.add_command(command)


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
