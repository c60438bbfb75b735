"""`bill_from` in a later revision: periods that were passed over are opened again, or the cut-over moves; never both ways."""

from datetime import date

from shared.domain.facts import Agency, Subscription
from shared.domain.planning import BEFORE_CUT_OVER, BEFORE_KNOWN
from shared.messages import SubscriptionUpserted
from shared.store import passed_over, spans
from shared.store.transaction import Tx
from workers.intake.verdicts import Refused

PASSED_OVER = (BEFORE_KNOWN, BEFORE_CUT_OVER)


def refused(tx: Tx, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """A later date than before can't take back documents that exist already."""
    if data.bill_from is None or data.bill_from == stored.bill_from:
        return None
    first = passed_over.first_document_before(tx, data.agency_id, data.subscription_id, data.bill_from)
    if first is None:
        return None
    return Refused(
        "data.bill_from",
        f"is {data.bill_from}, but the period from {first} has its document already; send bill_from {first} or earlier,"
        " and void or refund what must not be billed",
    )


def apply(tx: Tx, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> None:
    """Open the cycles again that were passed over, and are to be billed by the new date."""
    since = data.bill_from
    if since is None or since == stored.bill_from:
        return
    for span in spans.overlapping(tx, data.agency_id, data.subscription_id, None, since, date.max):
        if span.reason in PASSED_OVER:
            spans.split(tx, agency, [span], span.rhythm.start_of_period(since), date.max)
    passed_over.reopen_since(tx, data.agency_id, data.subscription_id, since)
