"""The `duecycle` command."""

import logging
import os
import sys
from importlib import import_module

import click
import structlog

from ops.servers.postgres import EmbeddedPostgresError
from shared.store.errors import describe

COMMANDS = {
    "simulate": "ops.simulate.command:simulate_command",
    "cycles": "ops.cycles:cycles_command",
    "migrate": "ops.migrate:migrate_command",
    "scheduler": "ops.run:scheduler_command",
    "worker": "ops.run:worker_command",
    "ingest": "ops.ingest:ingest_command",
    "status": "ops.status:status_command",
    "backlog": "ops.backlog:backlog_command",
    "backfill": "ops.backfill:backfill_command",
    "blocked": "ops.blocked:blocked_command",
    "subscription": "ops.history.command:subscription_command",
    "invoice": "ops.history.command:invoice_command",
    "inbox": "ops.inbox:inbox_command",
    "events": "ops.events:events_command",
    "notices": "ops.notices:notices_command",
    "account": "ops.account:account_command",
    "charge": "ops.charge:charge_command",
    "refund": "ops.refund:refund_command",
    "reconcile": "ops.reconcile:reconcile_command",
    "pause": "ops.pause:pause_command",
    "resume": "ops.pause:resume_command",
    "clock": "ops.clock:clock_command",
    "doctor": "ops.doctor:doctor_command",
}


class LazyGroup(click.Group):
    """Imports a command when it is asked for: a process that is started by one of them needs no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="duecycle")
@click.pass_context
def commands(context: click.Context) -> None:
    """Automatic recurring invoices for agencies."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


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
