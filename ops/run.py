"""`duecycle scheduler` and `duecycle worker POOL`: the processes of the cluster, each in the foreground."""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import cast

import click
import structlog

from ops.connect import settings_for
from shared.broker.worker_threads import WorkerThreads
from shared.messages.work import POOLS, Pool
from shared.settings import Settings
from shared.telemetry import logs, multiprocess
from workers.boot import Stopped, begin

WEBHOOKS = "webhooks"
log = structlog.get_logger()


@contextmanager
def stopping() -> Iterator[Event]:
    """An event set by SIGTERM and SIGINT: finish the work in progress, then end. A second signal ends the process at once."""
    stop = Event()

    def told(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {each: signal.signal(each, told) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command("scheduler")
def scheduler_command() -> None:
    """Plan cycles, dispatch due work and publish events.

    Runs until it is stopped; several may run at once.
    """
    settings = settings_for("DATABASE_URL", "BROKER_URL")
    logs.configure("scheduler", settings.log_level)
    with stopping() as stop:
        importlib.import_module("scheduler.process").run(settings, stop)


@click.command("worker")
@click.argument("pool", type=click.Choice([*POOLS, WEBHOOKS]))
@click.option("--threads", type=click.IntRange(1, 64), help="Messages processed at a time [DUECYCLE_THREADS, or 4].")
@click.option(
    "--processes", type=click.IntRange(1, 32), default=1, show_default=True, help="Processes to start under one master."
)
def worker_command(pool: str, threads: int | None, processes: int) -> None:
    """Process the work of a pool until stopped.

    SIGTERM finishes the work in progress and exits with 0. Start as many as you need, on any machine: they share the work.
    """
    if pool == WEBHOOKS:
        _listen()
        return
    _work(cast("Pool", pool), threads, processes)


def _work(pool: Pool, threads: int | None, processes: int) -> None:
    if threads is not None:
        os.environ["DUECYCLE_THREADS"] = str(threads)
    settings = settings_for("DATABASE_URL", "BROKER_URL", *(("MAIL_URL",) if pool == "notices" else ()))
    if processes > 1:
        _exec_dramatiq(pool, settings, processes)
    with stopping() as stop:
        try:
            process = begin(pool, importlib.import_module(f"workers.{pool}.process").prepare, stop=stop)
        except Stopped:
            return
        running = WorkerThreads(process.broker, settings.threads)
        while not stop.wait(1):
            pass
        log.info("process.stopping", pool=pool)
        in_time = running.stop(settings.stop_within)
        process.close()
        log.info("process.ended", pool=pool, finished=in_time)


def _listen() -> None:
    """The listener for webhooks and payment pages; several may run behind one address."""
    settings = settings_for("DATABASE_URL")
    with stopping() as stop:
        try:
            importlib.import_module("workers.webhooks.process").run(settings, stop)
        except Stopped:
            return
        except OSError as error:
            raise click.ClickException(str(error)) from None


def _exec_dramatiq(pool: Pool, settings: Settings, processes: int) -> None:
    """Become dramatiq's own command line: one master and several processes, with metrics that add up."""
    multiprocess.prepare(pool)
    within = str(round(settings.stop_within.total_seconds() * 1000))
    words = ["-m", "dramatiq", f"workers.{pool}.process:boot", "--skip-logging", "--processes", str(processes)]
    words += ["--threads", str(settings.threads), "--worker-shutdown-timeout", within]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - ourselves, without a shell
