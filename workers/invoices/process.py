"""The process of the invoices pool."""

from workers.boot import WorkerProcess, begin
from workers.invoices.actor import declare


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process."""
    declare(process.broker, process.store)


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.invoices.process:boot`."""
    begin("invoices", prepare)
