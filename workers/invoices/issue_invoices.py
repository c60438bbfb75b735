"""Due invoice cycles → issued invoices; or skipped, cancelled, blocked, with the reason."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.billing.checkout import settle_initial_payments, taken_at_checkout
from shared.billing.invoice_series import SERIES_STOPPED, stop
from shared.billing.issue_invoices import Draft, issue
from shared.domain import keys
from shared.domain.facts import INVOICE, Agency, Client, ServiceRevision, Subscription, SubscriptionRevision
from shared.domain.invoicing import Blocked, Cancel, Issue, Skip, decide
from shared.domain.states import CycleState
from shared.store import cycles, facts, invoices, schedules
from shared.store.cycles import Cycle, LeftUnsettled, Settled
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from workers.cycle_batches import block, cut_short, cycle_ended, tell_blocked, work_stream

EARLIER_BLOCKED = Blocked("earlier_cycle_blocked", "an earlier cycle of this series is blocked")


def issue_invoices(store: Store, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Process all due invoice cycles of the subscriptions `ids` of one agency."""
    work_stream(store, agency_id, ids, INVOICE, _step, again=again)


class _Known(NamedTuple):
    """Everything a batch's decisions look at, read under the locks."""

    agency: Agency
    subscriptions: Mapping[str, Subscription]
    revisions: Mapping[str, Sequence[SubscriptionRevision]]
    services: Mapping[str, Sequence[ServiceRevision]]
    clients: Mapping[str, Client]
    latest: dict[str, tuple[str, int]]  # status and index of the latest invoice of each series
    resumed: Mapping[str, int]


class _Decided(NamedTuple):
    """The outcome of a batch."""

    drafts: list[Draft]
    settled: list[Settled]
    left: list[LeftUnsettled]
    blocked: list[tuple[Cycle, Blocked]]
    stopped: dict[str, str]
    halted: set[str]
    first_ended: set[str]  # subscriptions whose first cycle ended without an invoice


def _step(tx: Transaction, agency_id: str, ids: Sequence[str], wait: bool) -> tuple[list[str], None]:
    locked = lock_of_agency(tx, agency_id, ids, wait=wait)
    due = cycles.unsettled(tx, agency_id, sorted(locked), INVOICE)
    if due:
        known = _read(tx, agency_id, sorted({cycle.subscription_id for cycle in due}))
        decided = _decide(tx, known, due)
        _write(tx, known.agency, decided)
        _requeue_cut_short(tx, agency_id, due, decided)
    return ([] if wait else [id_ for id_ in ids if id_ not in locked]), None


def _requeue_cut_short(tx: Transaction, agency_id: str, read: Sequence[Cycle], decided: _Decided) -> None:
    """Cycles beyond the limit of a pass: those of a blocked series are blocked too, those of any other are due again now."""
    further = cut_short(read)
    blocked = {
        each.subscription_id: each for each in decided.left if further.get(each.subscription_id) == each.starts_on
    }
    last = [each._replace(reason=EARLIER_BLOCKED.reason) for each in blocked.values()]
    cycles.block_behind(tx, agency_id, INVOICE, last)
    cycles.go_on(tx, agency_id, INVOICE, [(id_, on) for id_, on in further.items() if id_ not in blocked])


def _read(tx: Transaction, agency_id: str, ids: Sequence[str]) -> _Known:
    revisions = facts.subscription_revisions(tx, agency_id, ids)
    each = [revision for listed in revisions.values() for revision in listed]
    return _Known(
        agency=facts.require_agency(tx, agency_id),
        subscriptions=facts.subscriptions(tx, agency_id, ids),
        revisions=revisions,
        services=facts.service_revisions(tx, agency_id, {revision.service_id for revision in each}),
        clients=facts.clients(tx, agency_id, {revision.client_id for revision in each}),
        latest=invoices.latest_statuses(tx, agency_id, ids),
        resumed=schedules.resumed_indexes(tx, agency_id, ids),
    )


def _decide(tx: Transaction, known: _Known, due: Sequence[Cycle]) -> _Decided:
    decided = _Decided(drafts=[], settled=[], left=[], blocked=[], stopped={}, halted=set(), first_ended=set())
    blocked_series: set[str] = set()
    for cycle in due:
        id_ = cycle.subscription_id
        subscription = known.subscriptions[id_]
        outcome = decide(cycle.period, subscription, known.revisions[id_], known.services, _previous(known, cycle))
        if id_ in blocked_series and not isinstance(outcome, Blocked):
            outcome = EARLIER_BLOCKED
        if isinstance(outcome, Issue):
            draft = _draft(known, subscription, cycle, outcome)
            decided.drafts.append(draft)
            decided.settled.append(Settled(id_, cycle.starts_on, "done", None))
            known.latest[id_] = ("open", cycle.cycle_index)
        elif isinstance(outcome, Blocked):
            blocked_series.add(id_)
            decided.blocked.append((cycle, outcome))
            decided.left.append(block(cycle, outcome, tx.as_of))
        else:
            _end(known, decided, cycle, outcome)
    return decided


def _previous(known: _Known, cycle: Cycle) -> str | None:
    """The status of the series' latest invoice, None if the series was resumed between that invoice and this cycle."""
    status, index = known.latest.get(cycle.subscription_id, (None, 0))
    return None if index < known.resumed.get(cycle.subscription_id, 0) <= cycle.cycle_index else status


def _end(known: _Known, decided: _Decided, cycle: Cycle, outcome: Skip | Cancel) -> None:
    """A cycle without an invoice. The first that finds the latest one void or given up stops the series, unless resumed."""
    id_ = cycle.subscription_id
    reason = outcome.reason
    if isinstance(outcome, Skip) and outcome.stops_series:
        if cycle.cycle_index >= known.resumed.get(id_, 0):
            decided.stopped.setdefault(id_, reason)
        if id_ in decided.halted:
            reason = SERIES_STOPPED
        decided.halted.add(id_)
    if cycle.cycle_index == 0:
        decided.first_ended.add(id_)
    state: CycleState = "cancelled" if isinstance(outcome, Cancel) else "skipped"
    decided.settled.append(Settled(id_, cycle.starts_on, state, reason))


def _draft(known: _Known, subscription: Subscription, cycle: Cycle, outcome: Issue) -> Draft:
    invoice_id = keys.invoice_id(cycle.subscription_id, cycle.starts_on)
    return Draft(
        invoice_id=invoice_id,
        subscription_id=cycle.subscription_id,
        client=known.clients[outcome.client_id],
        cycle=(cycle.cycle_index, cycle.starts_on, cycle.ends_on),
        bill=outcome.bill,
        service=outcome.service,
        quantity=outcome.quantity,
        collection=outcome.collection,
        origin="automatic",
        payments=taken_at_checkout(subscription, cycle.cycle_index, invoice_id),
    )


def _write(tx: Transaction, agency: Agency, decided: _Decided) -> None:
    agency_id = agency.agency_id
    cycles.settle(tx, agency_id, INVOICE, decided.settled)
    cycles.leave_unsettled(tx, agency_id, INVOICE, decided.left)
    tell_blocked(tx, agency, INVOICE, [each for each in decided.blocked if each[1] is not EARLIER_BLOCKED])
    ended = [each for each in decided.settled if each.state != "done"]
    for each in ended:
        tx.record(cycle_ended(agency_id, INVOICE, each))
    # A cycle that ended without an invoice, or that none will be made of for now, resolves what waited for it.
    newly_blocked = {cycle.subscription_id for cycle, _ in decided.blocked if cycle.state != "blocked"}
    cycles.release(tx, agency_id, {each.subscription_id for each in ended} | newly_blocked)
    stop(tx, agency, decided.stopped)
    issue(tx, agency, decided.drafts)
    settle_initial_payments(tx, agency, decided.first_ended)
