"""The scheduler's process: the tick, the relay and the figures, each in a loop of its own, on one publisher."""

from threading import Event

import structlog

from shared.process import Process, Stopped
from shared.settings import Settings

CONNECTIONS = 5  # tick, relay, figures, probes, and one to spare
log = structlog.get_logger()


def run(settings: Settings, stop: Event) -> None:
    """Work until `stop` is set, then finish the step under way and end."""
    process = Process("scheduler", settings, CONNECTIONS)
    try:
        process.wait_for_surroundings(stop)
    except Stopped:
        process.close()
        return
