"""A loop of the scheduler: a step each second, earlier when a commit says that it left work behind, through every outage."""

from collections.abc import Callable
from threading import Event

import structlog

from shared.broker.backoff import Backoff
from shared.broker.errors import BrokerError
from shared.error_words import safe_words
from shared.store.errors import is_connection_error

STEP_SECONDS = 1
log = structlog.get_logger()


def loop(
    name: str,
    step: Callable[[], bool],
    wait: Callable[[int], object],
    stop: Event,
    on_step: Callable[[bool], None] = lambda _done: None,
) -> None:
    """Run `step` until `stop` is set, each second, and at once again after one that says that it left work to do.

    `wait(seconds)` returns early when there is work. `on_step` hears if a step went well.

    A step that fails is tried again after waits that grow: every row is still there, and due. Without a broker it is tried each
    second, which costs nothing, for the connection has waits of its own. An outage of the database or the broker is told
    when it begins and when it ends, not each second; anything else with its traceback.
    """
    backoff = Backoff()
    outage: str | None = None
    while not stop.is_set():
        try:
            more = step()
            if outage is not None:
                log.warning(f"{name}.recovered", after=outage)
                outage = None
            backoff.reset()
            on_step(True)
            if not more:
                wait(STEP_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever a step met, the next one may not
            on_step(False)
            outage = _tell(name, error, outage)
            if isinstance(error, BrokerError):
                stop.wait(STEP_SECONDS)
            else:
                backoff.wait(stop)


def _tell(name: str, error: Exception, outage: str | None) -> str:
    """Log a failure that is not logged yet. Returns what it was."""
    if not (isinstance(error, OSError) or is_connection_error(error)):
        log.exception(f"{name}.failed")
        return safe_words(error)
    if outage is None:
        log.warning(f"{name}.interrupted", reason=safe_words(error))
    return outage or safe_words(error)
