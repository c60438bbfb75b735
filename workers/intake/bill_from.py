"""`bill_from` in a later revision: periods that were passed over are opened again, or the cut-over moves; never both ways."""

from shared.domain.facts import Subscription
from shared.messages import SubscriptionUpserted
from shared.store import passed_over
from shared.store.transaction import Tx
from workers.intake.verdicts import Refused


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


def apply(tx: Tx, stored: Subscription, data: SubscriptionUpserted) -> None:
    """Open the cycles again that were passed over because they ended before the subscription was known."""
    if data.bill_from is not None and data.bill_from != stored.bill_from:
        passed_over.reopen_since(tx, data.agency_id, data.subscription_id, data.bill_from)
