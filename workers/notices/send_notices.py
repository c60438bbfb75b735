"""Due notices → mails. Claimed first, sent without an open transaction, and recorded mail by mail.

A worker that dies leaves one mail at most of which nobody knows whether it was sent; it goes out again under its Message-ID.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

import structlog

from shared.billing.notify import AGENCY, CLIENT, Draft, notify
from shared.documents import notice_data
from shared.documents.mail import Mail, render
from shared.documents.sending import Envelope, Sender, UnsentError, message_id
from shared.domain.facts import Agency
from shared.domain.keys import notice_subject
from shared.domain.mailing import PATIENCE, Tried, next_try
from shared.domain.retry_times import LEASE
from shared.domain.states import NoticeState
from shared.error_words import safe_words
from shared.messages import event_data
from shared.store import facts, notices
from shared.store.database import Store, Transaction
from shared.store.errors import limit_of
from shared.store.locks import lock_subject
from shared.store.notices import Notice, Sending

SOON = timedelta(minutes=1)
MARGIN = timedelta(minutes=1)  # for recording it
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the pool needs besides rows."""

    store: Store
    sender: Sender
    lease: timedelta = LEASE
    # Hears of each mail that was tried what became of it: sent, or whose trouble it is.
    on_outcome: Callable[[str], object] = lambda _outcome: None
    # Seconds that only ever grow: they measure a span, and say nothing of the time.
    monotonic: Callable[[], float] = monotonic
    # The address where a client pays an invoice; None: mails have no such address.
    pay_url: Callable[[str, str], str] | None = None
    # How long one mail may take; beyond half of the lease it gets a lease of its own before it goes out.
    mail_seconds: float = 0.0
    # Whether the process was told to end: then no further mail begins.
    stopping: Callable[[], bool] = lambda: False


def send_notices(runtime: Runtime, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Send the due notices `ids` of one agency, one after another, and record each at once.

    `again` changes nothing here: a claim itself counts the try. Mails begin within a quarter of the lease, for the last
    one may take half of it. After a trouble that is the same for all no other is tried: fifty waits for one dead server
    would outlast the lease.
    """
    del again
    began = runtime.monotonic()
    claimed, agency = _claim(runtime, agency_id, ids)
    for position, notice in enumerate(claimed):
        if runtime.monotonic() > began + runtime.lease.total_seconds() / 4 or runtime.stopping():
            log.info("notices.left", agency_id=agency_id, mails=len(claimed) - position)
            _leave(
                runtime,
                agency_id,
                claimed[position:],
                reason="it could not be sent in time",
                wait=timedelta(0),
                began=began,
            )
            return
        if not _hold(runtime, agency_id, notice):
            continue
        unsent = _send(runtime, agency_id, notice, agency)
        wait = PATIENCE[unsent.trouble].others if unsent is not None and not unsent.alone else None
        if unsent is not None and wait is not None:
            _leave(
                runtime,
                agency_id,
                claimed[position + unsent.tried :],
                reason=f"not tried: {unsent}",
                wait=wait,
                began=began,
            )
            return


def _hold(runtime: Runtime, agency_id: str, notice: Notice) -> bool:
    """Keep others from this mail for as long as it may take. False: somebody else has it."""
    if runtime.mail_seconds * 2 <= runtime.lease.total_seconds():
        return True
    with runtime.store.transaction() as tx:
        return notices.hold(tx, agency_id, notice.key, tx.as_of + timedelta(seconds=runtime.mail_seconds) + MARGIN)


def _claim(runtime: Runtime, agency_id: str, ids: Sequence[str]) -> tuple[list[Notice], Agency | None]:
    """What is due of these, leased; of a claim that hits a limit the first half, and what is left is dispatched again."""
    try:
        with runtime.store.transaction() as tx:
            claimed = notices.claim(tx, agency_id, ids, runtime.lease)
            return claimed, facts.agency(tx, agency_id) if claimed else None
    except Exception as error:
        if limit_of(error) is None or len(ids) <= 1:
            raise
        log.warning("batch.halved", what=f"notices of {agency_id}", rows=len(ids), error=safe_words(error))
        return _claim(runtime, agency_id, ids[: len(ids) // 2])


def _send(runtime: Runtime, agency_id: str, notice: Notice, agency: Agency | None) -> UnsentError | None:
    """Send one and record it. Returns why it was not sent."""
    id_ = message_id(agency_id, notice.key)
    unsent: UnsentError | None = None
    mail: Mail | None = None
    try:
        envelope, mail = _letter(runtime, agency_id, notice, agency)
        runtime.sender.send(envelope._replace(message_id=id_), mail)
    except UnsentError as error:
        unsent = error
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go on
        unsent = UnsentError("agency", f"a bug: {type(error).__name__}: {error}", alone=True)
    if unsent is not None and not unsent.tried:
        return unsent
    subject = mail.subject if mail is not None else None
    with runtime.store.transaction() as tx:
        sending = _sending(notice, subject, id_, unsent, tx.as_of)
        if sending.state == "failed":
            lock_subject(tx, notice_subject(notice.key))
        if notices.settle(tx, agency_id, [sending]) and sending.state == "failed":
            _give_up(tx, agency_id, agency, notice, sending)
    runtime.on_outcome(sending.outcome or "sent")
    return unsent


def _give_up(tx: Transaction, agency_id: str, agency: Agency | None, notice: Notice, sending: Sending) -> None:
    """Upstream, the log and the alert hear of it; the agency too, if its client's address is to blame or nobody knows."""
    tx.record(
        event_data.NoticeFailed(
            agency_id=agency_id,
            notice_key=notice.key,
            occasion=notice.occasion,
            audience=notice.audience,
            subscription_id=notice.subscription_id,
            invoice_id=notice.invoice_id,
            outcome=sending.outcome,
            reason=sending.reason,
        )
    )
    log.error("notice.failed", key=notice.key, outcome=sending.outcome)
    if agency is None or notice.audience != CLIENT or sending.outcome not in ("recipient", "in_doubt"):
        return
    told = notice_data.MailUndelivered(
        recipient=notice.recipient,
        subject=sending.subject or notice.occasion,
        reason=sending.reason,
        client=notice.context.get("client"),
        key=notice.key,
    )
    notify(
        tx,
        agency,
        [
            Draft(
                said=told,
                audience=AGENCY,
                about=notice.key,
                subscription_id=notice.subscription_id,
                client_id=None,
                invoice_id=notice.invoice_id,
            )
        ],
    )


def _sending(notice: Notice, subject: str | None, id_: str, unsent: UnsentError | None, now: datetime) -> Sending:
    """What to record of a mail that was tried."""
    if unsent is None:
        return Sending(
            key=notice.key,
            state="sent",
            subject=subject,
            message_id=id_,
            reason=None,
            wake_at=None,
            sent_at=now,
            tries=notice.tries,
            outcome="sent",
            tried_at=now,
            refused_since=None,
            doubts=notice.doubts,
        )
    trouble, patience = unsent.trouble, PATIENCE[unsent.trouble]
    tries = notice.tries if patience.counts else notice.tries - 1
    since = notice.refused_since or (now if patience.lasts is not None else None)
    doubts = notice.doubts + (trouble == "in_doubt")
    at = next_try(trouble, Tried(tries, doubts, since, unsent.lasting), now)
    state: NoticeState = "failed" if at is None else "due"
    return Sending(
        key=notice.key,
        state=state,
        subject=subject,
        message_id=id_,
        reason=unsent.reason[:300],
        wake_at=at,
        sent_at=None,
        tries=tries,
        outcome=trouble,
        tried_at=now,
        refused_since=since,
        doubts=doubts,
    )


def _letter(runtime: Runtime, agency_id: str, notice: Notice, agency: Agency | None) -> tuple[Envelope, Mail]:
    """What goes out, from the address that the agency has now. A text that can't be made waits for a new release, in the
    agency's patience, and holds up no other."""
    context = _context(runtime, agency_id, notice)
    try:
        mail = render(notice.occasion, notice.audience, context)
        from_ = agency.email if agency is not None else context["agency_email"]
        return Envelope(context["agency"], from_, notice.recipient, notice.created_at, ""), mail
    except (ValueError, KeyError, TypeError) as error:
        words = f"the text can't be made: {type(error).__name__}: {error}"
        raise UnsentError("agency", words, alone=True) from None


def _context(runtime: Runtime, agency_id: str, notice: Notice) -> Mapping[str, Any]:
    """What the text is made of; a client of an agency that takes payments online reads where to pay."""
    context: Mapping[str, Any] = notice.context
    if runtime.pay_url is None or notice.invoice_id is None or not context.get("online"):
        return context
    return {**context, "pay_url": runtime.pay_url(agency_id, notice.invoice_id)}


def _leave(
    runtime: Runtime, agency_id: str, left: Sequence[Notice], *, reason: str, wait: timedelta, began: float
) -> None:
    """Those that could not be reached in time: due again later. Nothing was tried, so nothing counts against them.

    Once the lease is over they may be another worker's, and are left alone.
    """
    if not left or runtime.monotonic() > began + runtime.lease.total_seconds() / 2:
        return
    with runtime.store.transaction() as tx:
        at = tx.as_of + wait
        rows = [
            Sending(
                key=each.key,
                state="due",
                subject=None,
                message_id=None,
                reason=reason[:300],
                wake_at=at,
                sent_at=None,
                tries=each.tries - 1,
                outcome=each.outcome,
                tried_at=each.tried_at,
                refused_since=each.refused_since,
                doubts=each.doubts,
            )
            for each in left
        ]
        notices.settle(tx, agency_id, rows)
