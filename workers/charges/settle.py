"""Third step: what a gateway answered, written where the fence still holds."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from shared.billing.account_health import CLIENT_IS_PAYING, LEASE_IS_OVER, keep_accounts
from shared.billing.event_fields import of_charge, of_invoice
from shared.billing.notify import AGENCY, CLIENT, about_invoice, facts_of, notify
from shared.billing.receive_payments import receive
from shared.documents import notice_data
from shared.domain import charging
from shared.domain.charging import Charge, InDoubt
from shared.domain.declines import CAPPED_TRIES_MAX, CUSTOMER, FINAL, meaning
from shared.domain.dunning import DECLINES_WINDOW, Ladder, begin, doubling, ends_at
from shared.domain.facts import Agency
from shared.domain.retry_times import net_at
from shared.domain.states import charge_after
from shared.domain.unknown_outcomes import NEEDS_A_PERSON, needs_a_person
from shared.gateways.port import (
    ActionRequired,
    Declined,
    Found,
    NotSent,
    NotYetKnowable,
    Pending,
    Succeeded,
    Unknown,
)
from shared.gateways.providers import provider_of
from shared.messages import event_data
from shared.store import charges, collection, cycles, facts, inbox, invoices, pay_links, rechecks
from shared.store.database import Store, Transaction
from shared.store.invoices import Failing, Invoice
from shared.store.locks import lock_of_agency
from shared.store.payments import Payment
from shared.store.rechecks import NewRecheck
from shared.telemetry import metrics
from workers.charges.claim import CHARGE, LOOKUP, Call
from workers.charges.dunning import look_at_others
from workers.charges.end_collection import tell_once
from workers.charges.outcomes import answer_name, of_call, provider_answer
from workers.charges.unrecorded import UNRECORDED
from workers.charges.unsuccessful import FIRST_LOOK, LATEST_LOOK, collects, decline, plan_again, unsent, write

IN_DOUBT = ("unknown", "pending")
log = structlog.get_logger()


class Answer(NamedTuple):
    """A call and what came of it."""

    call: Call
    found: Found


def settle(store: Store, agency_id: str, answer: Answer) -> None:
    """Write an outcome. One that comes with an older fence is kept as evidence, and the attempt is looked up."""
    call = answer.call
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [call.subscription_id], wait=True)
        agency = facts.require_agency(tx, agency_id)
        found = charges.of_attempt(tx, agency_id, call.invoice_id, call.attempt)
        invoice = invoices.load(tx, agency_id, [call.invoice_id])[call.invoice_id]
        _end_links(tx, agency_id, [answer])
        if found is None or found.fence != call.fence:
            _keep_evidence(tx, agency_id, answer, found, invoice)
        else:
            _settle(tx, agency, found, invoice, answer)
        keep_accounts(tx, agency, [(call.provider, answer.found)], asked=call.kind == LOOKUP)


def _end_links(tx: Transaction, agency_id: str, answers: Sequence[Answer]) -> None:
    """A payment page that was closed before the attempt went out has ended; one that could not be is checked now."""
    closed = {each.call.invoice_id: each for each in answers if each.call.link is not None}
    links = pay_links.open_of(tx, agency_id, closed)
    written = []
    for invoice_id, link in links.items():
        answer = closed[invoice_id]
        if answer.call.link is None or answer.call.link.reference != link.reference:
            continue
        if isinstance(answer.found, NotSent) and answer.found.code == LEASE_IS_OVER:
            continue  # nobody has closed it
        paying = isinstance(answer.found, NotSent) and answer.found.code == CLIENT_IS_PAYING
        ended = link._replace(state="ended", wake_at=None, settled_at=tx.as_of)
        written.append(link._replace(wake_at=tx.as_of) if paying else ended)
    pay_links.write(tx, agency_id, written)


def _keep_evidence(tx: Transaction, agency_id: str, answer: Answer, charge: Charge | None, invoice: Invoice) -> None:
    """Nothing moves by it; but what may have moved money is asked about."""
    call = answer.call
    log.warning("charge.answered_late", invoice_id=call.invoice_id, attempt=call.attempt, fence=call.fence)
    of = of_call(agency_id, call, invoice)
    tx.record(event_data.ChargeAnsweredLate(**of, answer=provider_answer(answer.found)))
    if charge is None or charge.request is None:
        return
    moved = isinstance(answer.found, Succeeded) and charge.state in ("declined", "not_sent")
    if charge.state in ("unknown", "pending"):
        charges.write(tx, agency_id, [charging.postponed(charge, tx.as_of)])
    elif moved:
        charges.write(tx, agency_id, [charge._replace(doubtful_since=tx.as_of, wake_at=tx.as_of)])


def _settle(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, answer: Answer) -> None:
    """What the table says of this state and this answer, and what that brings about.

    A failed lookup proves nothing about the attempt.
    """
    found = answer.found
    if answer.call.kind != CHARGE and isinstance(found, NotSent):
        found = NotYetKnowable()
    after = charge_after(charge.state, answer_name(found), wanted=collects(invoice, charge), once=charge.once)
    if after is None:
        _keep_evidence(tx, agency.agency_id, answer, charge, invoice)
        return
    if after == charge.state and after not in IN_DOUBT:
        _disprove(tx, agency, charge, found)
        return
    charge = charge._replace(code=None) if (charge.code or "").startswith(UNRECORDED) else charge
    _follow(tx, agency, charge, invoice=invoice, found=found, after=after, seen=answer.call.again)
    if after not in IN_DOUBT:
        # Nothing is on its way any more: a void that waited for this is looked at.
        inbox.wake(tx, agency.agency_id, [f"settlement/{charge.invoice_id}"])
    if after != "succeeded" and (charge.state == "sending" or after not in IN_DOUBT):
        # Whatever became of it, the client's next invoice is next; a success sees to that itself.
        look_at_others(tx, agency.agency_id, [charge])


def _follow(
    tx: Transaction, agency: Agency, charge: Charge, *, invoice: Invoice, found: Found, after: str, seen: bool
) -> None:
    match after, found:
        case "succeeded", Succeeded(reference):
            _succeed(tx, agency, charge, invoice, reference)
        case (("pending" | "unknown"), _):
            told = found.reference if isinstance(found, Pending) else charge.reference
            _wait(tx, agency, charge, invoice=invoice, state=after, reference=told)
        case "declined", Declined(code, advice):
            decline_class = _class(tx, agency.agency_id, charge, code, advice)
            decline(tx, agency, charge._replace(code=code, decline_class=decline_class), invoice)
        case "declined", ActionRequired(code):
            decline(tx, agency, charge._replace(code=code, decline_class=CUSTOMER), invoice)
        case "action_required", ActionRequired(code):
            _require_action(tx, agency, charge, invoice, code)
        case (("due" | "not_sent"), NotSent()):
            unsent(tx, agency, charge, invoice, found, seen=seen)
        case _:
            # The provider never got it: the same parameters go out again under the same key.
            plan_again(tx, agency, charge, invoice, tx.as_of)


def _succeed(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, reference: str) -> None:
    write(tx, agency, charging.succeeded(charge, reference, tx.as_of))
    tx.record(event_data.ChargeSucceeded(**of_charge(agency.agency_id, charge, invoice), reference=reference))
    amount = charge.amount_minor or 0
    provider = charge.provider or ""
    receive(
        tx,
        agency,
        [
            Payment(
                source=provider,
                reference=reference,
                invoice_id=invoice.invoice_id,
                amount_minor=amount,
                currency=charge.currency,
                received_at=tx.as_of,
            )
        ],
    )
    if charge.once:
        tell_once(tx, agency, charge, invoice)
    if collection.clients_with_failing(tx, agency.agency_id, [charge.client_id], [charge.invoice_id]):
        worked = NewRecheck(agency.agency_id, "method_worked", charge.client_id, tx.as_of, charge.credential)
        rechecks.add_all(tx, [worked])


def _class(tx: Transaction, agency_id: str, charge: Charge, code: str, advice: str | None) -> str:
    """What the decline means; vague codes become final at the fourth decline of the same method and amount."""
    found = meaning(provider_of(charge.provider).codes, code, advice)
    if not found.known:
        log.warning("charge.unlisted_code", provider=charge.provider, code=code)
        metrics.UNLISTED_DECLINES.labels(charge.provider or "").inc()
    if not found.capped or charge.credential is None:
        return found.decline_class
    recent = collection.recent_declines(tx, agency_id, [charge.credential], DECLINES_WINDOW)
    of = (charge.credential, charge.amount_minor or 0, charge.currency)
    before = recent[of].declined if of in recent else 0
    return FINAL if before + 1 >= CAPPED_TRIES_MAX else found.decline_class


def _require_action(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, code: str) -> None:
    """Only the customer can go on: a link is sent, the retry days make no calls, and the ladder still ends."""
    ladder = begin(
        Ladder(invoice.invoice_id, invoice.failing_since, invoice.ladder_started_at, invoice.ladder), tx.as_of
    )
    end = ends_at(ladder, agency.retry_days, agency.timezone, tx.as_of)
    write(tx, agency, charging.action_required(charge, code, CUSTOMER, end))
    tx.record(event_data.ChargeActionRequired(**of_charge(agency.agency_id, charge, invoice), code=code))
    failing = Failing(
        invoice_id=invoice.invoice_id,
        failing_since=ladder.failing_since,
        failing_code=code,
        ladder_started_at=ladder.started_at,
        ladder=ladder.generation,
        exhausted_at=None,
    )
    invoices.mark_failing(tx, agency.agency_id, [failing])
    if invoice.failing_since is None:
        tx.record(
            event_data.InvoiceFailing(
                **of_invoice(agency.agency_id, invoice),
                outstanding_minor=invoice.outstanding_minor,
                currency=invoice.currency,
                attempt=charge.attempt,
                code=code,
                next_attempt_at=None,
            )
        )
    of = facts_of(invoice)
    drafts = [about_invoice(invoice, notice_data.ActionRequired(**of), CLIENT, str(charge.attempt))]
    if invoice.ladder_started_at is None:
        said = notice_data.PaymentFailedAgency(**of, code=code)
        drafts.append(about_invoice(invoice, said, AGENCY, f"{ladder.generation}/first"))
    notify(tx, agency, drafts)
    cycles.release(tx, agency.agency_id, [invoice.subscription_id], ["waiting"])


def _disprove(tx: Transaction, agency: Agency, charge: Charge, found: Found) -> None:
    """Somebody said that money had moved all the same, and the provider does not: all is as it was."""
    if isinstance(found, Unknown | NotSent | NotYetKnowable | Pending) and charge.doubtful_since is not None:
        at = doubling(charge.doubtful_since, tx.as_of, FIRST_LOOK, LATEST_LOOK)
        if not needs_a_person(charge.doubtful_since, tx.as_of):
            write(tx, agency, charge._replace(wake_at=at, lease_until=None))
            return
    wake_at = charge.planned_at if charge.state == "action_required" else None
    write(tx, agency, charge._replace(wake_at=wake_at, doubtful_since=None, lease_until=None))


def _wait(
    tx: Transaction,
    agency: Agency,
    charge: Charge,
    *,
    invoice: Invoice,
    state: InDoubt,
    reference: str | None,
) -> None:
    """The provider has not said, or not finally: ask again after as long as it has been so, up to six hours.

    After three days without any word, or thirty in which it was accepted, a person is asked, once; the provider is still asked.
    """
    still = charge.doubtful_since if state == charge.state else None
    since = still or tx.as_of
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    if state != charge.state:
        waits = event_data.ChargePending if state == "pending" else event_data.ChargeUnknown
        tx.record(waits(**of_charge(agency.agency_id, charge, invoice)))
    if state == "pending" != charge.state:
        # An order that waits for the first answer goes out: a debit that is on its way is no failure.
        cycles.release(tx, agency.agency_id, [charge.subscription_id], ["waiting"])
    code = charge.code
    if code != NEEDS_A_PERSON and needs_a_person(since, tx.as_of, pending=state == "pending"):
        code = NEEDS_A_PERSON
        tx.record(event_data.ChargeDoubtful(**of_charge(agency.agency_id, charge, invoice), since=since))
        said = notice_data.ChargeInDoubt(
            **facts_of(invoice), since=since.date(), provider=charge.provider, key=charge.key
        )
        notify(tx, agency, [about_invoice(invoice, said, AGENCY, str(charge.attempt))])
    waiting = charging.in_doubt(charge, state, reference=reference, since=since, look_at=at, code=code)
    write(tx, agency, waiting)
