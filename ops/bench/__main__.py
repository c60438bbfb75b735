"""`python -m ops.bench`: measure, and print a table or JSON."""

import json
import logging
import sys

import click
import structlog
from rich.console import Console

from ops.bench.measure import PARTS, Sizes, measure
from ops.bench.show import show
from ops.pages import figures

AT_LEAST = 1


@click.command()
@click.option("--cycles", type=click.IntRange(min=AT_LEAST), default=Sizes().cycles, show_default=True)
@click.option("--naive-cycles", type=click.IntRange(min=AT_LEAST), default=Sizes().naive_cycles, show_default=True)
@click.option("--samples", type=click.IntRange(2, 900), default=Sizes().samples, show_default=True, help="Of latency.")
@click.option("--sample-seconds", type=click.FloatRange(min=0.1), default=Sizes().sample_seconds, show_default=True)
@click.option(
    "--schedules", type=click.IntRange(min=2), default=Sizes().many_schedules, show_default=True, help="Idle."
)
@click.option(
    "--dispatched", type=click.IntRange(min=0), default=Sizes().dispatched, show_default=True, help="Idle and leased."
)
@click.option("--million", is_flag=True, help="Also 1,000,000 due cycles, for the memory; takes minutes more.")
@click.option(
    "--only", "parts", multiple=True, type=click.Choice(PARTS), help="One part of it, as JSON; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--record", is_flag=True, help="Also write docs/figures.json, for the pages; then run python -m ops.pages."
)
def main(
    *,
    cycles: int,
    naive_cycles: int,
    samples: int,
    sample_seconds: float,
    schedules: int,
    dispatched: int,
    parts: tuple[str, ...],
    million: bool,
    as_json: bool,
    record: bool,
) -> None:
    """Cycles per second from schedules on: the engine beside hand-written SQL and beside one ORM session per invoice."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if record and parts:
        raise click.UsageError("--record needs a whole run: leave out --only")
    few = min(Sizes().few_schedules, schedules // 2)
    sizes = Sizes(
        cycles=cycles,
        naive_cycles=naive_cycles,
        samples=samples,
        sample_seconds=sample_seconds,
        few_schedules=few,
        many_schedules=schedules,
        dispatched=dispatched,
        million=million,
    )
    console = Console(stderr=True)
    with console.status("starting PostgreSQL") as status:
        found = measure(sizes, lambda what: status.update(what), parts or PARTS)
    if record:
        figures.record(found)
    if as_json or parts:
        click.echo(json.dumps(found, indent=2))
    else:
        show(found, Console())


if __name__ == "__main__":
    main()
