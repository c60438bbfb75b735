"""Due notices → mails. Claimed first, sent without an open transaction, then recorded."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

import structlog

from shared.documents.mail import render
from shared.documents.sending import Envelope, MailServerError, Sender, message_id
from shared.error_words import safe_words
from shared.store import notices
from shared.store.notices import Notice, Sending
from shared.store.transaction import Store

LEASE = timedelta(minutes=2)
TRIES_MAX = 10
FIRST_RETRY = timedelta(minutes=1)
LATEST_RETRY = timedelta(hours=6)
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the pool needs besides rows."""

    store: Store
    sender: Sender
    lease: timedelta = LEASE
    # Hears of each mail whether it was sent, retried or failed.
    on_outcome: Callable[[str], object] = lambda _outcome: None
    # Seconds that only ever grow: they measure a span, and say nothing of the time.
    monotonic: Callable[[], float] = monotonic
    # The address where a client pays an invoice; None: mails have no such address.
    pay_url: Callable[[str, str], str] | None = None


def send_notices(runtime: Runtime, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Send the due notices `ids` of one agency. `again` changes nothing here: a claim counts its try by itself."""
    del again
    with runtime.store.transaction() as tx:
        claimed = notices.claim(tx, agency_id, ids, runtime.lease)
        now = tx.as_of
    sendings = _send_all(runtime, agency_id, claimed, now)
    with runtime.store.transaction() as tx:
        notices.settle(tx, agency_id, sendings)


def _send_all(runtime: Runtime, agency_id: str, claimed: Sequence[Notice], now: datetime) -> list[Sending]:
    """Send one after another, within half the lease. Once the server takes no mail at all the rest is not tried: fifty waits
    for one dead server would outlast the lease."""
    until = runtime.monotonic() + runtime.lease.total_seconds() / 2
    sendings: list[Sending] = []
    away: OSError | None = None
    for notice in claimed:
        if away is None and runtime.monotonic() > until:
            away = TimeoutError("half the lease was over before its turn came")
        if away is not None:
            sendings.append(_untried(notice, away, now))
            continue
        sending, error = _send(runtime, agency_id, notice, now)
        sendings.append(sending)
        away = error if isinstance(error, MailServerError) else None
        runtime.on_outcome("retried" if sending.state == "due" else sending.state)
    return sendings


def _untried(notice: Notice, away: OSError, now: datetime) -> Sending:
    """Soon again; nothing was tried, so nothing counts against it."""
    at = now + FIRST_RETRY
    return Sending(notice.key, "due", None, None, str(away)[:300], at, None, at, notice.tries - 1)


def _send(runtime: Runtime, agency_id: str, notice: Notice, now: datetime) -> tuple[Sending, OSError | None]:
    """Send one. Returns what became of it, and the error of the moment if there was one."""
    id_ = message_id(agency_id, notice.key)
    subject = None
    try:
        context = _context(runtime, agency_id, notice)
        mail = render(notice.occasion, notice.audience, context)
        subject = mail.subject
        runtime.sender.send(
            Envelope(context["agency"], context["agency_email"], notice.recipient, notice.created_at, id_), mail
        )
    except OSError as error:
        return _again(notice, subject, id_, error, now), error
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"[:300]
        log.error("notice.failed", key=notice.key, error=safe_words(error))
        return Sending(notice.key, "failed", subject, id_, reason, None, None, None, notice.tries), None
    return Sending(notice.key, "sent", subject, id_, None, None, now, None, notice.tries), None


def _context(runtime: Runtime, agency_id: str, notice: Notice) -> Mapping[str, Any]:
    """What the text is made of; a client of an agency that takes payments online is told where to pay."""
    context: Mapping[str, Any] = notice.context
    if runtime.pay_url is None or notice.invoice_id is None or not context.get("online"):
        return context
    return {**context, "pay_url": runtime.pay_url(agency_id, notice.invoice_id)}


def _again(notice: Notice, subject: str | None, id_: str, error: OSError, now: datetime) -> Sending:
    """Later, with waits that double; after ten tries it has failed and says so. A server that takes no mail at all is waited
    for as long as it takes: that is no fault of this mail."""
    reason = f"{type(error).__name__}: {error}"[:300]
    if notice.tries >= TRIES_MAX and not isinstance(error, MailServerError):
        log.error("notice.failed", key=notice.key, error=safe_words(error))
        return Sending(notice.key, "failed", subject, id_, reason, None, None, None, notice.tries)
    at = now + min(FIRST_RETRY * 2 ** min(notice.tries - 1, 10), LATEST_RETRY)
    return Sending(notice.key, "due", subject, id_, reason, at, None, at, notice.tries)
