"""One run of everything, each part on a freshly seeded database of one private PostgreSQL that syncs every commit."""

import os
import platform
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ops.bench import charging, cluster, counting, engine, floor, idle, intake, naive, publishing, seed
from ops.servers.postgres import EmbeddedPostgres
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.store import migrate

MILLION = 1_000_000
PARTS = ("ways", "giant_agency", "broker", "charges", "latency_seconds", "idle_tick")


class Sizes(NamedTuple):
    """How much of everything."""

    cycles: int = 100_000
    naive_cycles: int = 2_000
    samples: int = 40
    sample_seconds: float = 20
    few_schedules: int = 1_000
    many_schedules: int = MILLION
    dispatched: int = 400_000
    million: bool = False


class Way(NamedTuple):
    """One way of writing: how many cycles, how fast, what it left behind."""

    cycles: int
    seconds: float
    rows: Mapping[str, int]
    content: str

    @property
    def rate(self) -> float:
        """Cycles per second."""
        return self.cycles / self.seconds


Progress = Callable[[str], None]


def measure(sizes: Sizes, progress: Progress, parts: Collection[str] = PARTS) -> dict[str, Any]:
    """Run the parts once and return the figures. Raises RuntimeError if the ways did not write the same."""
    with tempfile.TemporaryDirectory(prefix="duecycle-bench-") as folder:
        Path(folder).chmod(0o755)  # the server's own account must reach its data
        with (
            EmbeddedPostgres(Path(folder) / "postgres", durable=True) as server,
            PrivateRabbitmq(Path(folder) / "rabbitmq") as rabbitmq,
        ):
            return _Measuring(server, rabbitmq, Path(folder), sizes, progress).go(parts)


class _Measuring:
    def __init__(
        self, server: EmbeddedPostgres, rabbitmq: PrivateRabbitmq, folder: Path, sizes: Sizes, progress: Progress
    ) -> None:
        self._server, self._rabbitmq = server, rabbitmq
        self._folder, self._sizes, self._progress = folder, sizes, progress
        self._template = "bench_migrated"

    def go(self, parts: Collection[str]) -> dict[str, Any]:
        with seed.connect(self._server.url()) as session:
            # A checkpoint in the middle would fall into one part by chance.
            session.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
            session.execute("ALTER SYSTEM SET checkpoint_timeout = '30min'")
            session.execute("SELECT pg_reload_conf()")
        migrate.upgrade(self._server.create_database(self._template))
        found = self._ways() if "ways" in parts else {}
        others = (self._giant, self._broker, self._charges, self._latency, self._idle)
        for part, run in zip(PARTS[1:], others, strict=True):
            if part in parts:
                found[part] = run()
        if self._sizes.million and "ways" in parts:
            found["memory_mb"] = self._memory(found.pop("_memory"))
        found.pop("_memory", None)
        return {"environment": self._environment(), **found}

    def _ways(self) -> dict[str, Any]:
        sizes = self._sizes
        self._seed("bench_seeded", sizes.cycles)
        self._seed("bench_naive_seeded", sizes.naive_cycles)
        by_hand = self._way("floor", "bench_seeded", sizes.cycles, floor.run)
        ran: list[engine.Ran] = []

        def run_engine(url: str) -> float:
            ran.append(engine.run(url))
            return ran[0].seconds

        ours = self._way("engine", "bench_seeded", sizes.cycles, run_engine)
        through: list[cluster.Ran] = []

        def run_cluster(url: str) -> float:
            through.append(cluster.run(url, self._rabbitmq, self._folder))
            return through[0].seconds

        whole = self._way("cluster", "bench_seeded", sizes.cycles, run_cluster)
        peers = self._way("naive", "bench_naive_seeded", sizes.naive_cycles, naive.run)
        same = self._way("floor", "bench_naive_seeded", sizes.naive_cycles, floor.run)
        for one, other, who in (
            (by_hand, ours, "the engine"),
            (by_hand, whole, "the cluster"),
            (same, peers, "the naive writer"),
        ):
            if one.content != other.content or one.rows != other.rows:
                raise RuntimeError(f"{who} did not write what the statement wrote: {other.rows} against {one.rows}")
        ways = {"floor": by_hand, "engine": ours, "cluster": whole, "naive": peers}
        return {
            "agencies": seed.AGENCIES,
            **{name: _shown(way) for name, way in ways.items()},
            "engine_vs_floor": round(ours.rate / by_hand.rate, 3),
            "cluster_vs_floor": round(whole.rate / by_hand.rate, 3),
            "cluster_seconds_to_last_event": round(through[0].seconds_to_events, 2),
            "engine_vs_naive": round(ours.rate / peers.rate, 1),
            "rows_equal": True,
            "_memory": ran[0],
        }

    def _seed(self, name: str, cycles: int, agencies: int = seed.AGENCIES) -> None:
        """Every subscription has an earlier invoice: an engine at work has tables with rows, and statistics of them.

        On empty tables the check of a foreign key would keep the plan it made for the first few rows.
        """
        self._progress(f"seeding {cycles:,} due schedules of {agencies} agencies, each with one invoice before")
        url = self._server.create_database(name, self._template)
        seed.seed(url, cycles, agencies=agencies, months=1)
        floor.run(url)
        seed.tidy(url)

    def _way(self, name: str, seeded: str, cycles: int, run: Callable[[str], float]) -> Way:
        self._progress(f"{name}: {cycles:,} cycles")
        database = f"bench_{name}_{cycles}"
        url = self._server.create_database(database, seeded)
        before = counting.counts(url)
        seconds = run(url)
        rows = {what: count - before[what] for what, count in counting.counts(url).items()}
        way = Way(cycles, seconds, rows, counting.content(url))
        if way.rows["cycles done"] != cycles:
            raise RuntimeError(f"{name} left {way.rows['cycles done']} of {cycles} cycles done")
        self._server.drop_database(database)
        return way

    def _giant(self) -> dict[str, Any]:
        cycles = self._sizes.cycles
        self._seed("bench_giant", cycles, agencies=1)
        self._progress(f"engine, all {cycles:,} cycles in one agency")
        ran = engine.run(self._server.url("bench_giant"))
        self._server.drop_database("bench_giant")
        waits = round(ran.lock_wait_seconds, 2)
        return {"rate": round(cycles / ran.seconds), "seconds": round(ran.seconds, 2), "lock_wait_seconds": waits}

    def _broker(self) -> dict[str, Any]:
        self._progress("publishing and intake through RabbitMQ")
        clients = max(20, min(intake.CLIENTS, self._sizes.cycles // 50))
        urls = [self._server.create_database(f"bench_intake_{name}", self._template) for name in ("batched", "single")]
        return {**publishing.run(self._rabbitmq), "intake": intake.run(urls[0], urls[1], self._rabbitmq, clients)}

    def _charges(self) -> dict[str, Any]:
        charges = min(charging.CHARGES, self._sizes.cycles)
        self._progress(f"{charges:,} charges, a provider that takes {charging.LATENCY_SECONDS} s for each")
        url = self._server.create_database("bench_charges", self._template)
        seed.seed(url, charges, agencies=charging.AGENCIES)
        charging.prepare(url)
        found: dict[str, Any] = {"latency_seconds": charging.LATENCY_SECONDS, "accounts": charging.AGENCIES}
        for name, paced in (("at_default_rate", True), ("unlimited", False)):
            database = f"bench_charges_{name}"
            ran = charging.run(
                self._server.create_database(database, "bench_charges"), self._rabbitmq, self._folder, paced=paced
            )
            self._server.drop_database(database)
            found[name] = {
                "charges": ran.charges,
                "seconds": round(ran.seconds, 2),
                "rate": round(ran.charges / ran.seconds, 1),
                "allowed_rate": ran.allowed_rate,
            }
        self._server.drop_database("bench_charges")
        return found

    def _latency(self) -> dict[str, Any]:
        sizes = self._sizes
        self._progress(f"latency: {sizes.samples} instants over {sizes.sample_seconds:.0f} s")
        url = self._server.create_database("bench_latency", self._template)
        found = idle.latencies(url, self._folder / "mails", sizes.samples, sizes.sample_seconds)
        self._server.drop_database("bench_latency")
        return {
            f"due_to_{what}": {"samples": each.samples, "p50": round(each.p50, 2), "p95": round(each.p95, 2)}
            for what, each in found.items()
        }

    def _idle(self) -> dict[str, Any]:
        few, many, dispatched = self._sizes.few_schedules, self._sizes.many_schedules, self._sizes.dispatched
        self._progress(f"idle tick: {few:,} and {many:,} schedules, {dispatched:,} dispatched rows")
        urls = []
        for name, schedules, rows in (("few", few, 0), ("many", many, 0), ("dispatched", few, dispatched)):
            urls.append(self._server.create_database(f"bench_idle_{name}", self._template))
            seed.seed_idle(urls[-1], schedules, rows)
        few_ms, many_ms, dispatched_ms = idle.tick_ms(urls)
        return {
            "schedules": [few, many],
            "dispatched_rows": dispatched,
            "few_ms": round(few_ms, 2),
            "many_ms": round(many_ms, 2),
            "dispatched_ms": round(dispatched_ms, 2),
            "many_vs_few": round(many_ms / few_ms, 2),
            "dispatched_vs_few": round(dispatched_ms / few_ms, 2),
        }

    def _memory(self, ran: engine.Ran) -> dict[str, Any]:
        self._seed("bench_million", MILLION)
        self._progress(f"engine: {MILLION:,} cycles")
        large = engine.run(self._server.url("bench_million"))
        done = counting.counts(self._server.url("bench_million"))["cycles done"] - MILLION
        self._server.drop_database("bench_million")
        return {
            "cycles": [self._sizes.cycles, done],
            "scheduler": [round(ran.scheduler_mb), round(large.scheduler_mb)],
            "worker": [round(ran.worker_mb), round(large.worker_mb)],
            "rate_of_million": round(MILLION / large.seconds),
        }

    def _environment(self) -> dict[str, Any]:
        with seed.connect(self._server.url()) as session:
            shown = {}
            for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size"):
                row = session.execute(f"SHOW {name}").fetchone()
                shown[name] = str(row[0]) if row else ""
        return {
            "postgresql": shown.pop("server_version"),
            **shown,
            "cores": os.cpu_count(),
            "load_at_end": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "floor_sessions": floor.SESSIONS,
            "engine_workers": engine.WORKERS,
            "naive_processes": naive.PROCESSES,
        }


def _shown(way: Way) -> dict[str, Any]:
    return {
        "cycles": way.cycles,
        "rate": round(way.rate),
        "seconds": round(way.seconds, 2),
        "rows": dict(way.rows),
    }
