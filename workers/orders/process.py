"""The process of the orders pool."""

from functools import partial

from shared.broker.actors import declare
from workers.boot import WorkerProcess, begin
from workers.orders.create_orders import create_orders


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process."""
    declare(process.broker, "orders", partial(create_orders, process.store))


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.orders.process:boot`."""
    begin("orders", prepare)
