"""What follows failed attempts: the next one, notices in one coherent message each, or the end of the ladder."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.acts.notify import AGENCY, CLIENT, Draft, about_invoice, notify
from shared.domain.cycles import local_date
from shared.domain.declines import CUSTOMER, FINAL, RETRYABLE
from shared.domain.dunning import (
    NO_METHOD,
    Ladder,
    Method,
    Step,
    after_failure,
    choose,
    newer_than_used,
)
from shared.domain.facts import Agency
from shared.domain.keys import subscription_subject
from shared.store import charges, cycles, facts, invoices, subscriptions
from shared.store.charges import Charge, NewCharge
from shared.store.invoices import Failing, Invoice
from shared.store.transaction import Tx


class Failure(NamedTuple):
    """An attempt that failed, with its code set.

    `ends_now`: an open action ran out, no call was made. `retry_at`: no call may be made before then, for the method was
    declined too often; the ladder goes on and ends all the same.
    """

    charge: Charge
    invoice: Invoice
    ends_now: bool
    retry_at: datetime | None = None


class _Outcome(NamedTuple):
    failure: Failure
    step: Step
    quiet: bool


def after_failures(tx: Tx, agency: Agency, failures: Sequence[Failure]) -> None:
    """Write what follows failures of locked subscriptions: declined or left unsent, dunning, notices, holds."""
    if not failures:
        return
    agency_id = agency.agency_id
    _mark_unusable(tx, agency_id, failures)
    methods = facts.payment_methods(tx, agency_id, {failure.charge.client_id for failure in failures})
    outcomes = [_follow(tx, agency, failure, methods.get(failure.charge.client_id, ())) for failure in failures]
    charges.write(tx, agency_id, [_ended(tx, outcome) for outcome in outcomes])
    charges.plan(tx, agency_id, [planned for outcome in outcomes for planned in _next_attempt(outcome)])
    invoices.mark_failing(tx, agency_id, [_failing(tx, outcome) for outcome in outcomes])
    for outcome in outcomes:
        _record(tx, agency_id, outcome)
    notify(tx, agency, [draft for outcome in outcomes for draft in _drafts(agency, outcome)])
    # What waited for a payment is held by its failure from now on.
    cycles.release(tx, agency_id, {outcome.failure.invoice.subscription_id for outcome in outcomes}, ["waiting"])
    give_up(tx, agency, [outcome.failure.invoice for outcome in outcomes if outcome.step.exhausted])


def _called(failure: Failure) -> bool:
    """True if the provider was asked: `sent_at` alone says so, a planned attempt without a method has none."""
    return failure.charge.state != "due"


def _mark_unusable(tx: Tx, agency_id: str, failures: Sequence[Failure]) -> None:
    """A final decline, or one that only the customer can cure, ends the use of that method's revision."""
    marked = []
    for failure in failures:
        charge = failure.charge
        if (
            charge.decline_class in (FINAL, CUSTOMER)
            and charge.payment_method_id
            and charge.method_revision is not None
        ):
            code = charge.code or ""
            marked.append((charge.client_id, charge.payment_method_id, charge.method_revision, code))
    facts.mark_unusable(tx, agency_id, marked)


def _follow(tx: Tx, agency: Agency, failure: Failure, methods: Sequence[Method]) -> _Outcome:
    charge, invoice = failure.charge, failure.invoice
    ladder = Ladder(invoice.invoice_id, invoice.failing_since, invoice.ladder_started_at, invoice.ladder)
    newer = _called(failure) and not failure.ends_now and _newer_method(charge, methods)
    step = after_failure(
        ladder,
        agency.retry_days,
        agency.timezone,
        tx.as_of,
        callable_method=choose(methods) is not None and not failure.ends_now and failure.retry_at is None,
        newer_method=newer,
    )
    if failure.ends_now:
        step = step._replace(plan_at=None, exhausted=True)
    return _Outcome(failure, step, quiet=newer)


def _newer_method(charge: Charge, methods: Sequence[Method]) -> bool:
    """True if the client gave a usable method, or a newer revision of one, after this attempt was claimed."""
    if charge.sent_at is None:
        return False
    return newer_than_used(methods, charge.payment_method_id, charge.method_revision, charge.sent_at)


def _stays_planned(outcome: _Outcome) -> bool:
    """Without a call the planned attempt is not used up: it waits for a usable method, or until a call may be made again."""
    return not _called(outcome.failure) and (not outcome.step.exhausted or outcome.failure.retry_at is not None)


def _ended(tx: Tx, outcome: _Outcome) -> Charge:
    charge, step = outcome.failure.charge, outcome.step
    if _stays_planned(outcome):
        at = min(each for each in (step.plan_at, outcome.failure.retry_at) if each is not None)
        return charge._replace(planned_at=at, wake_at=at)
    state = "declined" if _called(outcome.failure) else "not_sent"
    return charge._replace(state=state, wake_at=None, lease_until=None, settled_at=tx.as_of)


def _next_attempt(outcome: _Outcome) -> list[NewCharge]:
    charge, plan_at = outcome.failure.charge, outcome.step.plan_at
    if plan_at is None or _stays_planned(outcome):
        return []
    return [
        NewCharge(
            charge.invoice_id, charge.attempt + 1, charge.subscription_id, charge.client_id, charge.currency, plan_at
        )
    ]


def _failing(tx: Tx, outcome: _Outcome) -> Failing:
    ladder = outcome.step.ladder
    exhausted_at = tx.as_of if outcome.step.exhausted else None
    code = outcome.failure.charge.code
    return Failing(ladder.invoice_id, ladder.failing_since, code, ladder.started_at, ladder.turn, exhausted_at)


def _record(tx: Tx, agency_id: str, outcome: _Outcome) -> None:
    charge, invoice, step = outcome.failure.charge, outcome.failure.invoice, outcome.step
    subject = subscription_subject(invoice.subscription_id)
    about = {"invoice_id": invoice.invoice_id, "number": invoice.number, "attempt": charge.attempt, "code": charge.code}
    if _called(outcome.failure):
        data = {**about, "class": charge.decline_class, "key": charge.key, "next_at": step.plan_at}
        tx.record(agency_id, "charge.declined", subject, data)
    if invoice.failing_since is None:
        tx.record(agency_id, "invoice.failing", subject, {**about, "next_at": step.plan_at})
    if step.exhausted and invoice.exhausted_at is None:
        tx.record(agency_id, "dunning.exhausted", subject, about)


def _drafts(agency: Agency, outcome: _Outcome) -> list[Draft]:
    """Client: first failure, last attempt ahead, end. Agency: first failure and end. Retries between are silent."""
    invoice, step = outcome.failure.invoice, outcome.step
    if outcome.quiet:
        return []
    turn = str(step.ladder.turn)
    said = {"reason": client_reason(outcome.failure.charge), "next_on": _day(agency, step)}
    inside = {"code": outcome.failure.charge.code, "next_on": _day(agency, step)}
    if step.exhausted:
        end = {"on_exhausted": agency.on_exhausted}
        return [
            about_invoice(invoice, "dunning_exhausted", CLIENT, turn, **said, **end),
            about_invoice(invoice, "dunning_exhausted", AGENCY, turn, **inside, **end),
        ]
    if step.first_failure:
        return [
            about_invoice(invoice, "payment_failed", CLIENT, f"{turn}/first", **said),
            about_invoice(invoice, "payment_failed", AGENCY, f"{turn}/first", **inside),
        ]
    if step.last_call:
        return [about_invoice(invoice, "payment_failed", CLIENT, f"{turn}/last", last=True, **said)]
    return []


def _day(agency: Agency, step: Step) -> str | None:
    return None if step.plan_at is None else local_date(step.plan_at, agency.timezone).isoformat()


def client_reason(charge: Charge) -> str:
    """What a client is told: never lost, stolen or fraudulent, whatever the code says."""
    if charge.code == NO_METHOD:
        return "no_payment_method"
    if charge.code == "action_not_taken":
        return "not_confirmed"
    if charge.decline_class == RETRYABLE and charge.code == "insufficient_funds":
        return "insufficient_funds"
    return "declined" if charge.decline_class == RETRYABLE else "needs_another_method"


def give_up(tx: Tx, agency: Agency, exhausted: Sequence[Invoice]) -> None:
    """The end of the ladder: the invoice stays open, unless the agency chose to write it off or to cancel."""
    if not exhausted or agency.on_exhausted == "leave_open":
        return
    agency_id = agency.agency_id
    ids = [invoice.invoice_id for invoice in exhausted]
    if agency.on_exhausted == "mark_uncollectible":
        invoices.close(tx, agency_id, ids, "uncollectible", [None] * len(ids))
        charges.end_open(tx, agency_id, ids, "invoice_uncollectible")
        cycles.release(tx, agency_id, {invoice.subscription_id for invoice in exhausted})
        for invoice in exhausted:
            data = {"invoice_id": invoice.invoice_id, "number": invoice.number, "rest_minor": invoice.rest_minor}
            tx.record(agency_id, "invoice.uncollectible", subscription_subject(invoice.subscription_id), data)
        return
    for id_ in subscriptions.end(tx, agency_id, {i.subscription_id for i in exhausted}, "dunning_exhausted"):
        tx.record(agency_id, "subscription.ended", subscription_subject(id_), {"reason": "dunning_exhausted"})
