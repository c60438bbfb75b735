"""The process of the notices pool."""

from shared.documents.delivery import sender_of
from shared.telemetry import metrics
from workers.boot import WorkerProcess, begin
from workers.notices.actor import declare
from workers.notices.send_notices import Runtime


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process, with the mail server that the settings name."""
    sender = sender_of(process.settings.mail_url)
    declare(
        process.broker,
        Runtime(process.store, sender, process.settings.lease, lambda outcome: metrics.MAILS.labels(outcome).inc()),
    )


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.notices.process:boot`."""
    begin("notices", prepare)
