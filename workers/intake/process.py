"""The process of intake: upstream's messages, and beside them the messages that wait and are looked at again."""

from functools import partial

from shared.broker.actors import declare
from shared.broker.changes_consumer import ChangesConsumer
from shared.telemetry import metrics
from workers.boot import WorkerProcess, begin
from workers.intake import consume_changes
from workers.intake.receive_changes import replay_waiting


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process, with a loop of its own for what upstream sends."""
    declare(process.broker, "intake", partial(replay_waiting, process.store))
    consumer = ChangesConsumer(process.settings.broker_urls, f"{process.name} changes")
    gate = consume_changes.Gate(process.store)
    process.paused = gate.words
    process.background.add(
        "upstream", lambda stop: consume_changes.run(process.store, consumer, stop, metrics.changes_received, gate)
    )


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.intake.process:boot`."""
    begin("intake", prepare)
