"""Due order cycles → orders, once they are cleared; or waiting, held, skipped, cancelled, with the reason."""

from collections.abc import Sequence

from shared.billing.notify import AGENCY, Draft, notify
from shared.documents import notice_data
from shared.domain.backlog import SUPERSEDED, superseded
from shared.domain.facts import ORDER, in_force
from shared.domain.invoicing import Period, Skip
from shared.messages import event_data
from shared.store import cycles, orders
from shared.store.cycles import Cycle, Settled
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from workers.cycle_batches import cut_short, cycle_ended, work_stream
from workers.orders.decisions import Create, Decision, Known, Stays, decide, read
from workers.orders.write_orders import make, stay

RELEASED_LATE = "cycle.released_late"


def create_orders(store: Store, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Process all due order cycles of the subscriptions `ids` of one agency."""
    work_stream(store, agency_id, ids, ORDER, _step, again=again)


def _step(tx: Transaction, agency_id: str, ids: Sequence[str], wait: bool) -> tuple[list[str], None]:
    locked = lock_of_agency(tx, agency_id, ids, wait=wait)
    due = cycles.unsettled(tx, agency_id, sorted(locked), ORDER)
    while due:
        known = read(tx, agency_id, due)
        decided = [(cycle, decide(known, cycle)) for cycle in due]
        _write(tx, known, _with_backlog_policy(known, decided))
        # However many are stuck in front: each is judged by its own facts.
        further = cut_short(due)
        due = cycles.unsettled(tx, agency_id, sorted(further), ORDER, further) if further else []
    return ([] if wait else [id_ for id_ in ids if id_ not in locked]), None


def _with_backlog_policy(known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> list[tuple[Cycle, Decision]]:
    """Where a hold has ended, the agency's policy says, once, which of the held orders are still wanted.

    One that is wanted and still waits for its own payment is held no more, so it is not asked about again.
    """
    released: dict[str, list[Period]] = {}
    for cycle, decision in decided:
        if cycle.held_at is not None and (isinstance(decision, Create) or _waits(decision)):
            released.setdefault(cycle.subscription_id, []).append(cycle.period)
    dropped = {
        (id_, index)
        for id_, periods in released.items()
        for index in superseded(periods, known.agency.backlog, known.today)
    }
    return [
        (cycle, Skip(SUPERSEDED) if (cycle.subscription_id, cycle.cycle_index) in dropped else decision)
        for cycle, decision in decided
    ]


def _waits(decision: Decision) -> bool:
    return isinstance(decision, Stays) and decision.state == "waiting"


def _write(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    agency_id = known.agency.agency_id
    created = make(tx, known, [(cycle, each) for cycle, each in decided if isinstance(each, Create)])
    ended = [
        Settled(
            cycle.subscription_id, cycle.starts_on, "skipped" if isinstance(each, Skip) else "cancelled", each.reason
        )
        for cycle, each in decided
        if not isinstance(each, Create | Stays)
    ]
    cycles.settle(tx, agency_id, ORDER, [*created, *ended])
    for each in ended:
        tx.record(cycle_ended(agency_id, ORDER, each))
    stay(tx, known, [(cycle, each) for cycle, each in decided if isinstance(each, Stays)])
    _count_late_releases(tx, known, decided)
    _ask_for_first_invoices(tx, known, decided)


def _count_late_releases(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    """Whoever resolves an invoice releases what it held. A release found only by the safety net means that one forgot."""
    for cycle, decision in decided:
        if cycle.state not in ("held", "waiting") or isinstance(decision, Stays):
            continue
        at = known.subscriptions[cycle.subscription_id].judged_at(cycle.due_at)
        revision = in_force(known.revisions[cycle.subscription_id], at)
        if isinstance(decision, Create) or (isinstance(decision, Skip) and revision.status == "active"):
            tx.record(
                event_data.CycleReleasedLate(
                    agency_id=known.agency.agency_id,
                    subscription_id=cycle.subscription_id,
                    stream=ORDER,
                    period_starts_on=cycle.starts_on,
                    previous_state=cycle.state,
                )
            )


def _ask_for_first_invoices(tx: Transaction, known: Known, decided: Sequence[tuple[Cycle, Decision]]) -> None:
    """A manual subscription still without its first invoice after its first order cycle: the agency is asked, once."""
    later = {
        cycle.subscription_id
        for cycle, decision in decided
        if cycle.cycle_index > 0
        and known.subscriptions[cycle.subscription_id].by_hand
        and isinstance(decision, Create | Stays)
    }
    if not later:
        return
    missing = orders.without_first_invoice(tx, known.agency.agency_id, sorted(later))
    drafts = []
    for id_ in sorted(missing):
        subscription = known.subscriptions[id_]
        said = notice_data.FirstInvoiceMissing(
            subscription_id=id_, starts_on=subscription.starts_on, order_id=subscription.order_id
        )
        drafts.append(Draft(said, AGENCY, id_, id_, subscription.client_id))
    notify(tx, known.agency, drafts)
