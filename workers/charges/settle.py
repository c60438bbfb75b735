"""Third act: what a gateway answered, written where the fence still holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog

from shared.acts.notify import AGENCY, CLIENT, about_invoice, notify
from shared.acts.receive import receive
from shared.acts.stream import net_at
from shared.domain.declines import CAPPED_TRIES_MAX, CUSTOMER, FINAL, meaning
from shared.domain.dunning import DECLINES_WINDOW, Ladder, begin, doubling, ends_at
from shared.domain.facts import Agency
from shared.domain.keys import subscription_subject
from shared.domain.reconcile import needs_a_person
from shared.domain.states import CHARGE_MOVES, check_move
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Found,
    NotFound,
    NotSent,
    NotYetKnowable,
    Pending,
    Succeeded,
    Unknown,
)
from shared.store import charges, cycles, facts, inbox, invoices, pay_links, rechecks
from shared.store.charges import Charge
from shared.store.invoices import Failing, Invoice
from shared.store.locks import lock_subscriptions
from shared.store.payments import Payment
from shared.store.rechecks import NewRecheck
from shared.store.transaction import Store, Tx
from shared.telemetry import metrics
from workers.charges.account_health import UNPAYABLE, keep_accounts
from workers.charges.claim import CHARGE, CLIENT_IS_PAYING, Call
from workers.charges.dunning import Failure, after_failures

DOUBT = "needs_a_person"
FIRST_LOOK = timedelta(minutes=1)
LATEST_LOOK = timedelta(hours=6)
log = structlog.get_logger()


class Answer(NamedTuple):
    """A call and what came of it."""

    call: Call
    found: Found


def settle(store: Store, agency_id: str, answers: Sequence[Answer]) -> None:
    """Write outcomes. One that comes with an older fence is kept as evidence, and the attempt is looked up."""
    with store.transaction() as tx:
        lock_subscriptions(tx, [(agency_id, answer.call.subscription_id) for answer in answers], wait=True)
        agency = facts.require_agency(tx, agency_id)
        ids = [answer.call.invoice_id for answer in answers]
        found = {(charge.invoice_id, charge.attempt): charge for charge in charges.open_of(tx, agency_id, ids)}
        loaded = invoices.load(tx, agency_id, ids)
        _end_links(tx, agency_id, answers)
        for answer in answers:
            charge = found.get((answer.call.invoice_id, answer.call.attempt))
            if charge is None or charge.fence != answer.call.fence:
                _keep_evidence(tx, agency_id, answer, charge)
                continue
            _settle(tx, agency, charge, loaded[charge.invoice_id], _as_meant(answer, charge))
        keep_accounts(tx, agency_id, [(answer.call.provider, answer.found) for answer in answers])


def _end_links(tx: Tx, agency_id: str, answers: Sequence[Answer]) -> None:
    """A place that was closed before the attempt went out has ended; one that could not be is looked at now."""
    closed = {each.call.invoice_id: each for each in answers if each.call.link is not None}
    links = pay_links.open_of(tx, agency_id, closed)
    written = []
    for invoice_id, link in links.items():
        answer = closed[invoice_id]
        if answer.call.link is None or answer.call.link.reference != link.reference:
            continue
        paying = isinstance(answer.found, NotSent) and answer.found.code == CLIENT_IS_PAYING
        ended = link._replace(state="ended", wake_at=None, settled_at=tx.as_of)
        written.append(link._replace(wake_at=tx.as_of) if paying else ended)
    pay_links.write(tx, agency_id, written)


def _keep_evidence(tx: Tx, agency_id: str, answer: Answer, charge: Charge | None) -> None:
    call = answer.call
    log.warning("charge.answered_late", invoice_id=call.invoice_id, attempt=call.attempt, fence=call.fence)
    data = {"invoice_id": call.invoice_id, "attempt": call.attempt, "fence": call.fence, "answer": _said(answer.found)}
    tx.record(agency_id, "charge.answered_late", subscription_subject(call.subscription_id), data)
    if charge is not None and charge.state in ("unknown", "pending"):
        charges.write(tx, agency_id, [charge._replace(planned_at=tx.as_of, wake_at=tx.as_of)])


def _as_meant(answer: Answer, charge: Charge) -> Found:
    """A question that did not get through says nothing about the attempt; nor does "never heard of it" of an accepted one."""
    if answer.call.kind != CHARGE and isinstance(answer.found, NotSent):
        return NotYetKnowable()
    if charge.state == "pending" and isinstance(answer.found, NotFound):
        return NotYetKnowable()
    return answer.found


def _said(found: Found) -> dict[str, Any]:
    return {"outcome": type(found).__name__, **found._asdict()}


def _settle(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, found: Found) -> None:
    if charge.state in ("declined", "action_required") and not isinstance(found, Succeeded):
        _disprove(tx, agency, charge, found)
        return
    match found:
        case Succeeded(reference):
            _succeed(tx, agency, charge, invoice, reference)
        case Declined(code, advice):
            _decline(tx, agency, charge, invoice, code, advice)
        case ActionRequired(code):
            _require_action(tx, agency, charge, invoice, code)
        case Pending(reference):
            _wait(tx, agency, charge, invoice, "pending", reference)
        case NotSent(detail, code):
            _unsent(tx, agency, charge, invoice, detail, code)
        case NotFound():
            # The provider never got it: the same parameters go out again under the same key.
            _plan_again(tx, agency, charge, invoice, tx.as_of)
        case _:
            state = "unknown" if charge.state == "sending" else charge.state
            _wait(tx, agency, charge, invoice, state, charge.reference)
    if not isinstance(found, Pending | Unknown | NotYetKnowable):
        # Nothing is on its way any more: a void that waited for this is looked at.
        inbox.wake(tx, agency.agency_id, [f"settlement/{charge.invoice_id}"])


def _write(tx: Tx, agency: Agency, charge: Charge) -> None:
    charges.write(tx, agency.agency_id, [charge])


def _record(tx: Tx, agency: Agency, charge: Charge, type_: str, **said: Any) -> None:
    data = {
        "invoice_id": charge.invoice_id,
        "attempt": charge.attempt,
        "key": charge.key,
        "amount_minor": charge.amount_minor,
        "currency": charge.currency,
        **said,
    }
    tx.record(agency.agency_id, type_, subscription_subject(charge.subscription_id), data)


def _succeed(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, reference: str) -> None:
    check_move(CHARGE_MOVES, "charge", charge.state, "succeeded")
    done = charge._replace(
        state="succeeded", reference=reference, code=None, wake_at=None, lease_until=None, settled_at=tx.as_of
    )
    _write(tx, agency, done)
    _record(tx, agency, charge, "charge.succeeded", reference=reference)
    amount = charge.amount_minor or 0
    provider = charge.provider or ""
    receive(tx, agency, [Payment(provider, reference, invoice.invoice_id, amount, charge.currency, tx.as_of)])
    if charges.clients_with_failing(tx, agency.agency_id, [charge.client_id]):
        rechecks.add_all(tx, [NewRecheck(agency.agency_id, "method_worked", charge.client_id, tx.as_of)])


def _decline(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, code: str, advice: str | None) -> None:
    check_move(CHARGE_MOVES, "charge", charge.state, "declined")
    declined = charge._replace(code=code, decline_class=_class(tx, agency.agency_id, charge, code, advice))
    if _collects(invoice):
        after_failures(tx, agency, [Failure(declined, invoice, ends_now=False)])
    else:
        _decline_silently(tx, agency, declined)


def _class(tx: Tx, agency_id: str, charge: Charge, code: str, advice: str | None) -> str:
    """What the decline means; of a code that says little, the fourth for one method and amount is final."""
    found = meaning(charge.provider or "", code, advice)
    if not found.known:
        log.warning("charge.unlisted_code", provider=charge.provider, code=code)
        metrics.UNLISTED_DECLINES.labels(charge.provider or "").inc()
    if not found.capped or charge.payment_method_id is None:
        return found.decline_class
    recent = charges.recent_declines(tx, agency_id, [charge.payment_method_id], DECLINES_WINDOW)
    of = (charge.client_id, charge.payment_method_id, charge.method_revision or 0, charge.amount_minor or 0)
    before = recent[of].declined if of in recent else 0
    return FINAL if before + 1 >= CAPPED_TRIES_MAX else found.decline_class


def _collects(invoice: Invoice) -> bool:
    """False once it was paid (or given up) some other way while the attempt was in flight."""
    return invoice.status == "open" and invoice.rest_minor > 0


def _decline_silently(tx: Tx, agency: Agency, declined: Charge) -> None:
    """Nothing is left to collect: the answer is recorded, and nobody has to do anything about it."""
    _record(tx, agency, declined, "charge.declined", code=declined.code)
    _write(tx, agency, declined._replace(state="declined", wake_at=None, lease_until=None, settled_at=tx.as_of))


def _require_action(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, code: str) -> None:
    """Only the customer can go on: a link is sent, the rungs make no calls, and the ladder still ends."""
    check_move(CHARGE_MOVES, "charge", charge.state, "action_required")
    if not _collects(invoice):
        _decline_silently(tx, agency, charge._replace(code=code, decline_class=CUSTOMER))
        return
    ladder = begin(
        Ladder(invoice.invoice_id, invoice.failing_since, invoice.ladder_started_at, invoice.ladder), tx.as_of
    )
    end = ends_at(ladder, agency.retry_days, agency.timezone, tx.as_of)
    waiting = charge._replace(
        state="action_required", code=code, decline_class=CUSTOMER, planned_at=end, wake_at=end, lease_until=None
    )
    _write(tx, agency, waiting)
    _record(tx, agency, charge, "charge.action_required", code=code)
    failing = Failing(invoice.invoice_id, ladder.failing_since, code, ladder.started_at, ladder.turn, None)
    invoices.mark_failing(tx, agency.agency_id, [failing])
    if invoice.failing_since is None:
        _record(tx, agency, charge, "invoice.failing", code=code)
    drafts = [about_invoice(invoice, "action_required", CLIENT, str(charge.attempt))]
    if invoice.ladder_started_at is None:
        drafts.append(about_invoice(invoice, "payment_failed", AGENCY, f"{ladder.turn}/first", code=code))
    notify(tx, agency, drafts)
    cycles.release(tx, agency.agency_id, [invoice.subscription_id], ["waiting"])


def _disprove(tx: Tx, agency: Agency, charge: Charge, found: Found) -> None:
    """Somebody said that money had moved all the same, and the provider does not: all is as it was."""
    if isinstance(found, Unknown | NotSent | NotYetKnowable | Pending) and charge.doubtful_since is not None:
        at = doubling(charge.doubtful_since, tx.as_of, FIRST_LOOK, LATEST_LOOK)
        if not needs_a_person(charge.doubtful_since, tx.as_of):
            _write(tx, agency, charge._replace(wake_at=at, lease_until=None))
            return
    wake_at = charge.planned_at if charge.state == "action_required" else None
    _write(tx, agency, charge._replace(wake_at=wake_at, doubtful_since=None, lease_until=None))


def _wait(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, state: str, reference: str | None) -> None:
    """The provider has not said, or not finally: look again after as long as it has been so, up to six hours.

    After three days without any word a person is asked, once; looking goes on.
    """
    still = charge.doubtful_since if state == charge.state else None
    since = still or tx.as_of
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    if state != charge.state:
        check_move(CHARGE_MOVES, "charge", charge.state, state)
        _record(tx, agency, charge, f"charge.{state}")
    code = charge.code
    if state == "unknown" and code != DOUBT and needs_a_person(since, tx.as_of):
        code = DOUBT
        _record(tx, agency, charge, "charge.doubtful", since=since)
        said = {"since": since.date().isoformat(), "provider": charge.provider, "key": charge.key}
        notify(tx, agency, [about_invoice(invoice, "charge_in_doubt", AGENCY, str(charge.attempt), **said)])
    waiting = charge._replace(
        state=state, reference=reference, doubtful_since=since, planned_at=at, wake_at=at, lease_until=None, code=code
    )
    _write(tx, agency, waiting)


def _unsent(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, detail: str, code: str | None) -> None:
    """Certainly not sent: the same attempt with the same key again. No failure, and the client is not told.

    The agency is, of what no waiting cures: an amount that can't be collected, or an account that refuses us.
    """
    since = charge.doubtful_since or tx.as_of
    if charge.doubtful_since is None:
        _record(tx, agency, charge, "charge.not_sent", detail=detail)
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    if code in UNPAYABLE or code == "credentials_refused":
        said = {"code": code, "provider": charge.provider}
        notify(tx, agency, [about_invoice(invoice, "charge_impossible", AGENCY, code or "", **said)])
    _plan_again(tx, agency, charge._replace(request=None, code=code, doubtful_since=since), invoice, at)


def _plan_again(tx: Tx, agency: Agency, charge: Charge, invoice: Invoice, at: datetime) -> None:
    """The attempt goes out again at `at`; or it ends unsent, because nothing is left to collect any more."""
    check_move(CHARGE_MOVES, "charge", charge.state, "due")
    if _collects(invoice):
        planned = charge._replace(state="due", planned_at=at, wake_at=at, lease_until=None)
    else:
        code = f"invoice_{invoice.status}"
        planned = charge._replace(state="not_sent", code=code, wake_at=None, lease_until=None, settled_at=tx.as_of)
    _write(tx, agency, planned)
