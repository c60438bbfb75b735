"""The figures as tables for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print everything that was measured."""
    console.print(_ways(found))
    console.print(_rows(found))
    console.print(_rest(found))
    environment = ", ".join(f"{name} {value}" for name, value in found["environment"].items())
    console.print(f"Measured with: {environment}", highlight=False)


def _ways(found: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"Due cycles per second, from schedules on ({found['agencies']} agencies)", title_justify="left"
    )
    table.add_column("Way")
    for name in ("Cycles", "Seconds", "Rate /s", "Engine is"):
        table.add_column(name, justify="right")
    ratios = {
        "floor": f"{found['engine_vs_floor']:.2f} ×",
        "engine": "",
        "cluster": f"the cluster {found['cluster_vs_floor']:.2f} × the floor",
        "naive": f"{found['engine_vs_naive']:.0f} ×",
    }
    labels = {
        "floor": "floor: hand-written SQL, 1,000 a commit, two sessions",
        "engine": "engine: plan, dispatch, two workers",
        "cluster": "cluster: scheduler and two workers on RabbitMQ",
        "naive": "naive: one ORM session per invoice, two processes",
    }
    for name, label in labels.items():
        way = found[name]
        table.add_row(label, f"{way['cycles']:,}", f"{way['seconds']:,.2f}", f"{way['rate']:,}", ratios[name])
    return table


def _rows(found: Mapping[str, Any]) -> Table:
    table = Table(title="Rows left behind (equal for equal numbers of cycles)", title_justify="left")
    table.add_column("Rows")
    for name in ("floor", "engine", "cluster", "naive"):
        table.add_column(name, justify="right")
    for what in found["floor"]["rows"]:
        table.add_row(what, *(f"{found[name]['rows'][what]:,}" for name in ("floor", "engine", "cluster", "naive")))
    return table


def _rest(found: Mapping[str, Any]) -> Table:
    table = Table(title="Beside the rate", title_justify="left")
    table.add_column("What")
    table.add_column("Figure", justify="right")
    giant, tick = found["giant_agency"], found["idle_tick"]
    table.add_row("one giant agency, rate", f"{giant['rate']:,} /s")
    table.add_row(
        "one giant agency, lock waits of all sessions", f"{giant['lock_wait_seconds']} s in {giant['seconds']} s"
    )
    for what, each in found["latency_seconds"].items():
        label = f"{what.replace('_', ' ')}, p50 / p95 of {each['samples']}"
        table.add_row(label, f"{each['p50']} / {each['p95']} s")
    broker = found["broker"]
    table.add_row("relay, events with pipelined confirms", f"{broker['relay_events']:,} /s")
    table.add_row("dispatch, messages of 500 ids with confirms", f"{broker['dispatch_messages']:,} /s")
    table.add_row("one confirm at a time", f"{broker['one_confirm_at_a_time']:,} /s")
    read = broker["intake"]
    table.add_row(
        "intake, in batches / one by one", f"{read['batched']:,} / {read['one_by_one']:,} /s, {read['ratio']} ×"
    )
    paid = found["charges"]
    paced, free = paid["at_default_rate"], paid["unlimited"]
    label = f"charges, {paid['latency_seconds']} s each, {paid['accounts']} accounts"
    table.add_row(f"{label} at their default rate", f"{paced['rate']:,} /s of {paced['allowed_rate']}")
    table.add_row(f"{label} without a limit", f"{free['rate']:,} /s")
    few, many = tick["schedules"]
    table.add_row(f"idle tick, {few:,} schedules", f"{tick['few_ms']} ms")
    table.add_row(f"idle tick, {many:,} schedules", f"{tick['many_ms']} ms, {tick['many_vs_few']} ×")
    table.add_row(
        f"idle tick, {few:,} schedules and {tick['dispatched_rows']:,} dispatched rows",
        f"{tick['dispatched_ms']} ms, {tick['dispatched_vs_few']} ×",
    )
    if "memory_mb" in found:
        memory = found["memory_mb"]
        small, large = memory["cycles"]
        for name in ("scheduler", "worker"):
            before, after = memory[name]
            table.add_row(f"peak memory of the {name}, {small:,} and {large:,} cycles", f"{before} and {after} MB")
        table.add_row(f"rate over {large:,} cycles", f"{memory['rate_of_million']:,} /s")
    return table
