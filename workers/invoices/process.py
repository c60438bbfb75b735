"""The process of the invoices pool."""

from functools import partial

from shared.broker.actors import declare
from workers.boot import WorkerProcess, begin
from workers.invoices.issue_invoices import issue_invoices


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process."""
    declare(process.broker, "invoices", partial(issue_invoices, process.store))


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.invoices.process:boot`."""
    begin("invoices", prepare)
