"""What applies a message of each kind."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.messages import (
    AgencyUpserted,
    Change,
    ChargeRequested,
    ClientUpserted,
    InvoiceIssued,
    InvoicePaid,
    InvoiceRefunded,
    InvoiceVoided,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    RefundRequested,
    ServiceUpserted,
    SubscriptionResumed,
    SubscriptionUpserted,
)
from shared.store.database import Transaction
from shared.store.fact_buffer import FactBuffer
from workers.intake import apply_facts, apply_invoices, apply_issued, apply_subscriptions
from workers.intake.verdicts import Verdict

Apply = Callable[[FactBuffer, Change, Any], Verdict]


def _on_its_own(apply: Callable[[Transaction, Change, Any], Verdict]) -> Apply:
    """A rare kind of message, applied by statements of its own; it writes no fact that has revisions."""

    def applied(work: FactBuffer, change: Change, data: Any) -> Verdict:
        work.flush()
        return apply(work.tx, change, data)

    return applied


APPLY: Mapping[type, Apply] = {
    AgencyUpserted: apply_facts.agency,
    ClientUpserted: apply_facts.client,
    ServiceUpserted: apply_facts.service,
    PaymentMethodUpserted: apply_facts.payment_method,
    PaymentMethodRemoved: apply_facts.payment_method_removed,
    SubscriptionUpserted: apply_subscriptions.subscription,
    SubscriptionResumed: _on_its_own(apply_subscriptions.resumed),
    InvoiceIssued: _on_its_own(apply_issued.issued),
    InvoicePaid: _on_its_own(apply_invoices.paid),
    InvoiceVoided: _on_its_own(apply_invoices.voided),
    InvoiceRefunded: _on_its_own(apply_invoices.refunded),
    RefundRequested: _on_its_own(apply_invoices.refund_requested),
    ChargeRequested: _on_its_own(apply_invoices.charge_requested),
}
