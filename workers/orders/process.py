"""The process of the orders pool."""

from workers.boot import WorkerProcess, begin
from workers.orders.actor import declare


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process."""
    declare(process.broker, process.store)


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.orders.process:boot`."""
    begin("orders", prepare)
