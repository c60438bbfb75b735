"""Money that Stripe took back: by a dispute that was lost, or because a payment failed after it had succeeded.

The states of a dispute are those of docs.stripe.com/api/disputes/object; a returned SEPA debit is a dispute that is lost from
its beginning (docs.stripe.com/payments/sepa-debit, on disputes). Until a dispute is lost the money may come back, so it
counts as ours; once it is won, nothing is gone any more.
"""

import stripe

from shared.gateways.amounts import UnpayableAmountError, stripe_minor
from shared.gateways.port import NotYetKnowable, TakenBack


def taken_back(client: stripe.StripeClient, kind: str, reference: str) -> TakenBack | NotYetKnowable:
    """See the port."""
    try:
        if kind == "dispute":
            return _of_dispute(client.v1.disputes.retrieve(reference))
        if reference.startswith(("ch_", "py_")):
            return _of_charge(client.v1.charges.retrieve(reference))
        return _of_intent(client.v1.payment_intents.retrieve(reference))
    except stripe.StripeError as error:
        return NotYetKnowable(type(error).__name__)
    except (ValueError, TypeError, AttributeError, KeyError, UnpayableAmountError) as error:
        return NotYetKnowable(f"an answer that can't be read ({type(error).__name__})")


def _of_dispute(dispute: stripe.Dispute) -> TakenBack:
    return _gone(dispute.amount if dispute.status == "lost" else 0, dispute.currency)


def _of_intent(intent: stripe.PaymentIntent) -> TakenBack | NotYetKnowable:
    if intent.status in ("requires_payment_method", "canceled"):
        return _gone(intent.amount, intent.currency)
    return _gone(0, intent.currency) if intent.status == "succeeded" else NotYetKnowable(f"it is {intent.status}")


def _of_charge(charge: stripe.Charge) -> TakenBack | NotYetKnowable:
    if charge.status == "pending":
        return NotYetKnowable("it is pending")
    return _gone(charge.amount if charge.status == "failed" else 0, charge.currency)


def _gone(amount: int, currency: str) -> TakenBack:
    return TakenBack(stripe_minor(amount, currency.upper()), currency.upper())
