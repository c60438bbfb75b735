"""What revisions of a subscription say about its checkout's payment: each is kept, none takes another's place unrecorded."""

import msgspec

from shared.billing.checkout import settle_initial_payments
from shared.domain.facts import Agency, InitialPayment, Subscription
from shared.messages import SubscriptionUpserted
from shared.store import fact_buffer, invoice_cycles, payments, tables
from shared.store.database import Transaction
from workers.intake.verdicts import Refused


def encoded(data: SubscriptionUpserted) -> str | None:
    """The payment as the subscription's row keeps it."""
    return None if data.initial_payment is None else msgspec.json.encode(data.initial_payment).decode()


def refused(tx: Transaction, stored: Subscription, data: SubscriptionUpserted) -> Refused | None:
    """Why the payment in a revision can't be kept, and how to send it instead.

    A payment is its provider and reference. One that is recorded keeps its amount; one that is not recorded yet, since the
    first invoice is still to come, may be corrected, but not replaced by another one.
    """
    paid = data.initial_payment
    if paid is None:
        return None
    id_ = data.subscription_id
    recorded = payments.of_checkout(tx, data.agency_id, id_, paid.provider, paid.reference)
    if recorded is not None:
        same = recorded == (paid.amount_minor, paid.currency)
        return None if same else _other_amount(paid.reference, *recorded)
    before = stored.initial_payment
    if before is not None and not _same(before, data) and not _is_recorded(tx, data, before):
        return Refused(
            "data.initial_payment.reference",
            f"the payment {before.reference} was told before and is still to pay the first invoice; send that one here, and"
            " this one by invoice.paid",
        )
    first = invoice_cycles.first_of(tx, data.agency_id, [id_]).get(id_)
    if first is None or first.currency in (None, paid.currency):
        return None
    return Refused(
        "data.initial_payment.currency",
        f"is {paid.currency}, the first invoice is in {first.currency}; send what was taken in {first.currency}",
    )


def take_late(tx: Transaction, agency: Agency, stored: Subscription, data: SubscriptionUpserted) -> None:
    """An older revision comes late, and is not refused: money that no later one holds counts all the same."""
    if data.initial_payment is None or (stored.initial_payment is not None and _same(stored.initial_payment, data)):
        return
    keys = {"agency_id": data.agency_id, "subscription_id": data.subscription_id}
    fact_buffer.change(tx, tables.subscriptions, keys, {"initial_payment": encoded(data)})
    settle_initial_payments(tx, agency, [data.subscription_id])


def _same(before: InitialPayment, data: SubscriptionUpserted) -> bool:
    paid = data.initial_payment
    return paid is not None and (before.provider, before.reference) == (paid.provider, paid.reference)


def _is_recorded(tx: Transaction, data: SubscriptionUpserted, before: InitialPayment) -> bool:
    of = (data.agency_id, data.subscription_id, before.provider, before.reference)
    return payments.of_checkout(tx, *of) is not None


def _other_amount(reference: str, amount_minor: int, currency: str) -> Refused:
    return Refused(
        "data.initial_payment.amount_minor",
        f"the payment {reference} is recorded with {amount_minor} {currency}; send further money by invoice.paid, under a"
        " reference of its own",
    )
