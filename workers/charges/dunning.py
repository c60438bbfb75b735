"""What follows failed attempts: the next one, notices in one coherent message each, or the end of the ladder."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.billing.event_fields import of_charge, of_invoice
from shared.billing.notify import AGENCY, CLIENT, Draft, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain import charging
from shared.domain.calendar import local_date
from shared.domain.charging import Charge, NewCharge
from shared.domain.declines import FINAL, RETRYABLE
from shared.domain.dunning import (
    DECLINES_MAX,
    DECLINES_WINDOW,
    NO_METHOD,
    TOO_MANY_DECLINES,
    Ladder,
    Method,
    Step,
    Tried,
    after_failure,
    choose,
    newer_than_used,
)
from shared.domain.facts import Agency
from shared.messages import event_data
from shared.store import charges, collection, cycles, facts, invoices, rechecks
from shared.store.collection import Declines
from shared.store.database import Transaction
from shared.store.invoices import Failing, Invoice
from shared.store.rechecks import NewRecheck
from workers.charges.end_collection import give_up

REFUSED = "refused"
_CONFIRM = "action_not_taken"


class Failure(NamedTuple):
    """An attempt that failed, with its code set. `ends_now`: what it waited for has not come, no call was made."""

    charge: Charge
    invoice: Invoice
    ends_now: bool = False


class _Known(NamedTuple):
    """What decides what follows: the clients' methods, earlier attempts by invoice, and declines in the window."""

    methods: dict[str, list[Method]]
    tried: dict[str, list[Tried]]
    declines: dict[tuple[str, int, str], Declines]


class _Outcome(NamedTuple):
    """`next_at`: when the next call is made, None if none is planned (`step.plan_at` may then be the ladder's end).

    `credential`: of the method that it would be made with now.
    """

    failure: Failure
    step: Step
    next_at: datetime | None
    quiet: bool
    credential: str | None = None

    @property
    def names_a_day(self) -> bool:
        """True if it is told, and when the next call is made is part of it."""
        told = self.step.first_failure or self.step.last_call
        return self.next_at is not None and told and not self.quiet and not self.step.exhausted


def after_failures(tx: Transaction, agency: Agency, failures: Sequence[Failure]) -> None:
    """Write what follows failures of locked subscriptions: declined or left unsent, dunning, notices, holds."""
    if not failures:
        return
    agency_id = agency.agency_id
    known = _read(tx, agency_id, failures)
    outcomes = [_follow(tx, agency, failure, known) for failure in failures]
    charges.write(tx, agency_id, [_ended(tx, outcome) for outcome in outcomes])
    charges.insert(tx, agency_id, [planned for outcome in outcomes for planned in _next_attempt(outcome)])
    invoices.mark_failing(tx, agency_id, [_failing(tx, outcome) for outcome in outcomes])
    for outcome in outcomes:
        _record(tx, agency_id, outcome)
    unsure = _unsure(tx, agency_id, [outcome for outcome in outcomes if outcome.names_a_day])
    for outcome in outcomes:
        sure = outcome.failure.invoice.invoice_id not in unsure
        notify(tx, agency, _drafts(agency, outcome if sure else outcome._replace(next_at=None)))
    # What waited for a payment is held by its failure from now on.
    cycles.release(tx, agency_id, {outcome.failure.invoice.subscription_id for outcome in outcomes}, ["waiting"])
    give_up(tx, agency, [outcome.failure.invoice for outcome in outcomes if outcome.step.exhausted])
    look_at_others(tx, agency_id, [failure.charge for failure in failures])


def look_at_others(tx: Transaction, agency_id: str, settled: Collection[Charge]) -> None:
    """The next failing invoice of these clients is next, if a method was asked for that it has not been tried with."""
    clients = {charge.client_id for charge in settled}
    others = collection.clients_with_failing(tx, agency_id, clients, {charge.invoice_id for charge in settled})
    rechecks.add_all(tx, [NewRecheck(agency_id, "payment_method", client_id, tx.as_of) for client_id in others])


def _read(tx: Transaction, agency_id: str, failures: Sequence[Failure]) -> _Known:
    methods = facts.payment_methods(tx, agency_id, {failure.charge.client_id for failure in failures})
    dead = {failure.charge.credential for failure in failures if failure.charge.decline_class == FINAL}
    usable = {
        client_id: [each._replace(usable=each.usable and each.credential not in dead) for each in listed]
        for client_id, listed in methods.items()
    }
    credentials = {each.credential for listed in methods.values() for each in listed}
    return _Known(
        usable,
        collection.tried(tx, agency_id, {failure.charge.invoice_id for failure in failures}),
        collection.recent_declines(tx, agency_id, credentials, DECLINES_WINDOW),
    )


def _called(failure: Failure) -> bool:
    """True if the provider was asked: a planned attempt without a method, or above the limit, is due all the time."""
    return failure.charge.state != "due"


def _follow(tx: Transaction, agency: Agency, failure: Failure, known: _Known) -> _Outcome:
    charge, invoice = failure.charge, failure.invoice
    ladder = Ladder(invoice.invoice_id, invoice.failing_since, invoice.ladder_started_at, invoice.ladder)
    methods = known.methods.get(charge.client_id, [])
    earlier = [each for each in known.tried.get(charge.invoice_id, ()) if each.attempt != charge.attempt]
    now = tx.as_of
    newer = _called(failure) and not failure.ends_now and _newer_method(charge, methods, earlier)
    method = None if failure.ends_now else choose(methods, [*earlier, *_this(charge)])
    days, zone = agency.retry_days, agency.timezone
    step = after_failure(ladder, days, zone, now, callable_method=method is not None, newer_method=newer)
    if failure.ends_now:
        return _Outcome(failure, step._replace(plan_at=None, exhausted=True), None, quiet=False)
    next_at = step.plan_at if method is not None or newer else None
    frees_at = None if method is None or newer else _frees_at(failure, method, known)
    if frees_at is not None and next_at is not None and frees_at > next_at:
        step = after_failure(ladder, days, zone, now, callable_method=False, newer_method=False)
        next_at = frees_at if step.plan_at is not None and frees_at < step.plan_at else None
        step = step._replace(plan_at=next_at or step.plan_at)
    return _Outcome(failure, step, next_at, quiet=newer, credential=None if method is None else method.credential)


def _unsure(tx: Transaction, agency_id: str, outcomes: Sequence[_Outcome]) -> set[str]:
    """Of these invoices, those whose next call may find the method's limit of declines used up by others until then."""
    if not outcomes:
        return set()
    declines = collection.recent_declines(
        tx, agency_id, {outcome.credential or "" for outcome in outcomes}, DECLINES_WINDOW
    )
    ahead = collection.ahead(tx, agency_id, {outcome.failure.charge.client_id for outcome in outcomes})
    unsure = set()
    for outcome in outcomes:
        invoice, at = outcome.failure.invoice, outcome.next_at or tx.as_of
        found = declines.get((outcome.credential or "", invoice.outstanding_minor, invoice.currency))
        others = sum(each.until(tx.as_of, at, invoice) for each in ahead)
        if (found.declined if found is not None else 0) + others >= DECLINES_MAX:
            unsure.add(invoice.invoice_id)
    return unsure


def _this(charge: Charge) -> list[Tried]:
    """The attempt that failed, as the choice of the next method sees it."""
    if charge.state == "due" or charge.credential is None or charge.sent_at is None:
        return []
    return [Tried(charge.attempt, charge.credential, charge.sent_at, charge.decline_class, judged=True)]


def _newer_method(charge: Charge, methods: Sequence[Method], earlier: Sequence[Tried]) -> bool:
    """True if the client gave a usable method, or asked for another one, after this attempt was claimed."""
    if charge.sent_at is None:
        return False
    return newer_than_used(methods, earlier, charge.credential, charge.sent_at)


def _frees_at(failure: Failure, method: Method, known: _Known) -> datetime | None:
    """When the next call by a method may be made, if its declines over this amount leave no room now."""
    charge, invoice = failure.charge, failure.invoice
    found = known.declines.get((method.credential, invoice.outstanding_minor, invoice.currency))
    used = (charge.credential, charge.amount_minor) == (method.credential, invoice.outstanding_minor)
    if found is None or found.declined + (_called(failure) and used) < DECLINES_MAX:
        return None
    return found.frees_at


def _stays_planned(outcome: _Outcome) -> bool:
    """Without a call the planned attempt is not used up: it waits for a usable method, or until a call may be made again."""
    return not _called(outcome.failure) and not outcome.step.exhausted


def _ended(tx: Transaction, outcome: _Outcome) -> Charge:
    charge, at = outcome.failure.charge, outcome.step.plan_at
    if _stays_planned(outcome) and at is not None:
        return charging.postponed(charge, at)
    return charging.failed(charge, "declined" if _called(outcome.failure) else "not_sent", tx.as_of)


def _next_attempt(outcome: _Outcome) -> list[NewCharge]:
    charge, plan_at = outcome.failure.charge, outcome.step.plan_at
    if plan_at is None or _stays_planned(outcome):
        return []
    return [charging.next_attempt(charge, plan_at)]


def _failing(tx: Transaction, outcome: _Outcome) -> Failing:
    ladder = outcome.step.ladder
    exhausted_at = tx.as_of if outcome.step.exhausted else None
    code = outcome.failure.charge.code
    return Failing(
        invoice_id=ladder.invoice_id,
        failing_since=ladder.failing_since,
        failing_code=code,
        ladder_started_at=ladder.started_at,
        ladder=ladder.generation,
        exhausted_at=exhausted_at,
    )


def _record(tx: Transaction, agency_id: str, outcome: _Outcome) -> None:
    charge, invoice, step = outcome.failure.charge, outcome.failure.invoice, outcome.step
    of = of_invoice(agency_id, invoice)
    outstanding_minor, currency = invoice.outstanding_minor, invoice.currency
    if _called(outcome.failure):
        tx.record(
            event_data.ChargeDeclined(
                **of_charge(agency_id, charge, invoice),
                code=charge.code,
                decline_class=charge.decline_class,
                next_attempt_at=outcome.next_at,
            )
        )
    if invoice.failing_since is None:
        tx.record(
            event_data.InvoiceFailing(
                **of,
                outstanding_minor=outstanding_minor,
                currency=currency,
                attempt=charge.attempt,
                code=charge.code,
                next_attempt_at=outcome.next_at,
            )
        )
    if step.exhausted and invoice.exhausted_at is None:
        tx.record(
            event_data.DunningExhausted(
                **of, outstanding_minor=outstanding_minor, currency=currency, attempt=charge.attempt, code=charge.code
            )
        )


def _drafts(agency: Agency, outcome: _Outcome) -> list[Draft]:
    """Client: first failure, last attempt ahead, end. Agency: first failure and end. Retries between are silent.

    A day is named only if a call will be made on it.
    """
    charge, invoice, step = outcome.failure.charge, outcome.failure.invoice, outcome.step
    if outcome.quiet:
        return []
    instance = str(step.ladder.generation)
    on = None if outcome.next_at is None else local_date(outcome.next_at, agency.timezone)
    reason, code, of = client_reason(charge, another=on is not None), charge.code, facts_of(invoice)
    if step.exhausted:
        end = agency.on_exhausted
        client = notice_data.ExhaustedClient(**of, on_exhausted=end, reason=reason, next_on=on)
        inside = notice_data.ExhaustedAgency(**of, on_exhausted=end, code=code, next_on=on)
        return [about_invoice(invoice, client, CLIENT, instance), about_invoice(invoice, inside, AGENCY, instance)]
    if step.first_failure:
        first = f"{instance}/first"
        return [
            about_invoice(invoice, notice_data.PaymentFailedClient(**of, reason=reason, next_on=on), CLIENT, first),
            about_invoice(invoice, notice_data.PaymentFailedAgency(**of, code=code, next_on=on), AGENCY, first),
        ]
    if step.last_call and on is not None:
        last = notice_data.PaymentFailedClient(**of, reason=reason, next_on=on, last=True)
        return [about_invoice(invoice, last, CLIENT, f"{instance}/last")]
    return []


def client_reason(charge: Charge, *, another: bool = False) -> str:
    """What a client reads: never lost, stolen or fraudulent, whatever the code says.

    `another`: a method is left that will be tried, so none is asked for.
    """
    if charge.code == NO_METHOD:
        return "no_payment_method"
    if charge.code == _CONFIRM:
        return "not_confirmed"
    unsent = charge.state == "due" and charge.code != TOO_MANY_DECLINES  # it waited for what is not its client's
    if unsent or (charge.code or "").startswith(f"{REFUSED}:"):
        return "not_carried_out"
    if charge.decline_class == RETRYABLE and charge.code == "insufficient_funds":
        return "insufficient_funds"
    return "declined" if charge.decline_class == RETRYABLE or another else "needs_another_method"
