"""The scheduler's process: the tick, the relay and the figures, each in a loop of its own, on one publisher."""

from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

import structlog

from scheduler.figures import DESCRIBED, Exporter
from scheduler.loop import loop
from scheduler.outgoing import RabbitExchange
from scheduler.relay import Relaying, relay_pass
from scheduler.tick import Scheduler
from shared.broker.errors import BrokerError
from shared.broker.names import CHANGES_QUEUE, queue_of
from shared.broker.publisher import Publisher
from shared.broker.work_queue import RabbitWorkQueue
from shared.messages import Due
from shared.process import Process, Stopped
from shared.settings import Settings
from shared.store.notifications import Listener
from shared.telemetry import metrics
from shared.telemetry.truth import Truth

CONNECTIONS = 5  # tick, relay, figures, probes, and one to spare
SILENT_TIMEOUTS = 30  # a tick that takes longer than so many statements may hangs; halving takes a dozen
log = structlog.get_logger()


class CountingWorkQueue(RabbitWorkQueue):
    """The work queue, counted."""

    def publish(self, messages: Sequence[Due]) -> None:
        """Publish, and count what was taken."""
        super().publish(messages)
        for message in messages:
            metrics.WORK_MESSAGES.labels(message.pool).inc()


class Pulse:
    """When each loop last came round: what /healthz goes by."""

    def __init__(self, *names: str, silent: float) -> None:
        self._silent = silent
        self._beats = dict.fromkeys(names, monotonic())

    def beat(self, name: str) -> Callable[[bool], None]:
        """What a loop calls after each step; a step that failed is a sign of life too."""

        def step(done: bool) -> None:
            self._beats[name] = monotonic()
            if name == "tick":
                metrics.TICKS.labels("done" if done else "failed").inc()

        return step

    def alive(self) -> bool:
        """Whether every loop came round lately."""
        return all(monotonic() - beat < self._silent for beat in self._beats.values())


def unanswered(publisher: Publisher) -> str | None:
    """None if the broker answers on the publisher's connection, else why not. Opens none."""
    try:
        publisher.load(queue_of("orders"))
    except BrokerError as error:
        return str(error)
    return None


def run(settings: Settings, stop: Event) -> None:
    """Work until `stop` is set, then finish the steps under way and end."""
    process = Process("scheduler", settings, CONNECTIONS)
    try:
        process.wait_for_surroundings(stop)
    except Stopped:
        process.close()
        return
    publisher = Publisher(settings.broker_urls, process.name, "scheduler")
    # A consumer's queue that never confirms ends the connection it is published on: not the one that work goes out by.
    events = Publisher(settings.broker_urls, f"{process.name} events", "scheduler")
    listener = Listener(settings.database_url)
    publisher.start()
    events.start()
    try:
        _loops(process, publisher, events, listener, stop)
    finally:
        log.info("process.ended")
        listener.close()
        events.close()
        publisher.close()
        process.close()


def _loops(process: Process, publisher: Publisher, events: Publisher, listener: Listener, stop: Event) -> None:
    store = process.store
    scheduler = Scheduler(
        store, CountingWorkQueue(publisher), lambda: publisher.load(CHANGES_QUEUE)[0], process.settings.lease, stop
    )
    exchange = RabbitExchange(events, metrics.EVENTS_UNROUTED.inc)
    exporter = Exporter(store.unwatched())  # figures are counted whatever the clock says
    Truth(DESCRIBED, exporter.samples).register()
    pulse = Pulse("tick", "relay", silent=SILENT_TIMEOUTS * process.settings.statement_timeout.total_seconds())
    process.alive = pulse.alive
    process.connected = lambda: unanswered(publisher)

    relaying = Relaying(lambda: relay_pass(store, exchange))

    def publish() -> bool:
        published, refused = relaying.run(stop)
        metrics.EVENTS_PUBLISHED.inc(published)
        metrics.EVENTS_REFUSED.inc(refused)
        return False

    threads = [
        Thread(target=loop, args=("relay", publish, stop.wait, stop, pulse.beat("relay")), name="relay", daemon=True),
        Thread(target=exporter.loop, args=(stop,), name="figures", daemon=True),
    ]
    for thread in threads:
        thread.start()
    log.info("process.began")
    loop("tick", lambda: scheduler.tick().more, lambda seconds: listener.wait(seconds, stop), stop, pulse.beat("tick"))
    for thread in threads:
        thread.join(process.settings.stop_within.total_seconds())
