"""The process of the notices pool."""

from functools import partial

from shared.broker.actors import declare
from shared.documents.delivery import sender_of
from shared.documents.smtp import DOT_SECONDS, MAIL_SECONDS, SmtpSender
from shared.pay_urls import PayUrls
from shared.telemetry import metrics
from workers.boot import WorkerProcess, begin
from workers.notices.send_notices import Runtime, send_notices


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process, with the mail server that the settings name."""
    settings = process.settings
    seconds = min(settings.lease.total_seconds() / 2, MAIL_SECONDS)
    sender = sender_of(settings.mail_url, seconds)
    longest = seconds + DOT_SECONDS if isinstance(sender, SmtpSender) else 0.0
    pay_url = PayUrls(settings.public_url, settings.link_secret).of if settings.public_url else None

    def count(outcome: str) -> None:
        metrics.MAILS.labels(outcome).inc()

    runtime = Runtime(
        store=process.store,
        sender=sender,
        lease=settings.lease,
        on_outcome=count,
        pay_url=pay_url,
        mail_seconds=longest,
        stopping=process.background.stopping,
    )
    declare(process.broker, "notices", partial(send_notices, runtime))


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.notices.process:boot`."""
    begin("notices", prepare)
