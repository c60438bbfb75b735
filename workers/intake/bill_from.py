"""`bill_from` in a later revision: periods that were passed over are opened again, or the cut-over moves; never both ways."""

from datetime import date

from shared.domain.calendar import local_date
from shared.domain.facts import Agency, Subscription
from shared.domain.planning import BEFORE_CUT_OVER, BEFORE_KNOWN
from shared.messages import SubscriptionUpserted
from shared.store import cycles, fact_buffer, passed_over, spans, tables
from shared.store.cycles import Settled
from shared.store.database import Transaction
from workers.cycle_batches import cycle_ended
from workers.intake.verdicts import Refused

PASSED_OVER = (BEFORE_KNOWN, BEFORE_CUT_OVER)


def refused(tx: Transaction, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """A later date than before can't take back documents that exist already."""
    if data.bill_from is None or data.bill_from == stored.bill_from:
        return None
    cut_over = _is_cut_over(agency, stored, data.bill_from)
    first = passed_over.first_document_before(
        tx, data.agency_id, data.subscription_id, data.bill_from, cut_over=cut_over
    )
    if first is None:
        return None
    return Refused(
        "data.bill_from",
        f"is {data.bill_from}, but the period from {first} has its document already; send bill_from {first} or earlier,"
        " and void or refund what must not be billed",
    )


def late_refused(tx: Transaction, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """The same of an older revision that comes late: its date counts only if no later one has named any."""
    return None if stored.bill_from is not None else refused(tx, agency, stored, data)


def take_late(tx: Transaction, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> None:
    """The date of an older revision that comes late, and was not refused."""
    if data.bill_from is None or stored.bill_from is not None:
        return
    keys = {"agency_id": data.agency_id, "subscription_id": data.subscription_id}
    fact_buffer.change(tx, tables.subscriptions, keys, {"bill_from": data.bill_from})
    apply(tx, agency, stored, data)


def apply(tx: Transaction, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> None:
    """By a new date, cycles that were passed over are opened again, and unsettled ones before it are passed over.

    A revision without a date leaves the one that was sent before: where billing begins is said once.
    """
    since = data.bill_from
    if since is None or since == stored.bill_from:
        return
    agency_id, id_ = data.agency_id, data.subscription_id
    for span in spans.overlapping(tx, agency_id, id_, stream=None, from_on=since, to_on=date.max):
        if span.reason in PASSED_OVER:
            spans.split(tx, agency, [span], span.rhythm.start_of_period(since), date.max)
    passed_over.reopen_since(tx, agency_id, id_, since)
    cut_over = _is_cut_over(agency, stored, since)
    reason = BEFORE_CUT_OVER if cut_over else BEFORE_KNOWN
    skipped = passed_over.skip_before(tx, agency_id, id_, since, cut_over=cut_over)
    for stream, starts_on in skipped:
        tx.record(cycle_ended(agency_id, stream, Settled(id_, starts_on, "skipped", reason)))
    if skipped:
        cycles.release(tx, agency_id, [id_])
        cycles.wake_blocked(tx, agency_id, [id_])


def _is_cut_over(agency: Agency, stored: Subscription, on: date) -> bool:
    return on > local_date(stored.known_since, agency.timezone)
