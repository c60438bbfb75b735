"""A person has looked at the provider's own pages and says what became of an attempt or a refund in doubt."""

from shared.acts.receive import receive
from shared.acts.refund import succeed, told
from shared.domain.facts import Agency
from shared.domain.keys import subscription_subject
from shared.domain.states import CHARGE_MOVES, REFUND_MOVES, check_move
from shared.store import charges, inbox, refunds
from shared.store.charges import Charge
from shared.store.invoices import Invoice
from shared.store.payments import Payment
from shared.store.refunds import Refund
from shared.store.transaction import Tx


class NotInDoubtError(ValueError):
    """There is no attempt or refund of which a person could say more than we know."""


DOUBTFUL = ("unknown", "pending")


def resolve(tx: Tx, agency: Agency, invoice: Invoice, reference: str | None, *, by: str) -> Charge:
    """Settle the invoice's attempt in doubt (its subscription is locked).

    `reference`: the provider's id of the money; None: nothing was charged, so the same attempt goes out again under its key,
    which keeps even a wrong word from charging twice while the provider remembers it. Raises NotInDoubtError.
    """
    doubtful = [each for each in charges.open_of(tx, agency.agency_id, [invoice.invoice_id]) if each.state in DOUBTFUL]
    if not doubtful:
        raise NotInDoubtError("no attempt of this invoice is unknown or pending; see: charge list")
    (charge,) = doubtful
    if reference is None and charge.state == "pending":
        raise NotInDoubtError("the provider has accepted this attempt, so it can't be sent again; it says how it ends")
    subject = subscription_subject(charge.subscription_id)
    said = {
        "invoice_id": charge.invoice_id,
        "attempt": charge.attempt,
        "key": charge.key,
        "reference": reference,
        "by": by,
    }
    tx.record(agency.agency_id, "charge.resolved", subject, said)
    if reference is None:
        check_move(CHARGE_MOVES, "charge", charge.state, "due")
        again = charge._replace(
            state="due", code=None, reference=None, doubtful_since=None, planned_at=tx.as_of, wake_at=tx.as_of
        )
        charges.write(tx, agency.agency_id, [again._replace(fence=charge.fence + 1)])
    else:
        check_move(CHARGE_MOVES, "charge", charge.state, "succeeded")
        done = charge._replace(
            state="succeeded", reference=reference, code=None, wake_at=None, lease_until=None, settled_at=tx.as_of
        )
        charges.write(tx, agency.agency_id, [done._replace(fence=charge.fence + 1)])
        amount = charge.amount_minor or 0
        source = charge.provider or ""
        receive(tx, agency, [Payment(source, reference, invoice.invoice_id, amount, charge.currency, tx.as_of)])
    inbox.wake(tx, agency.agency_id, [f"settlement/{invoice.invoice_id}"])
    return charge


def resolve_refund(tx: Tx, agency: Agency, invoice: Invoice, turn: int, reference: str | None, *, by: str) -> Refund:
    """Settle a refund in doubt (its subscription is locked).

    `reference`: the provider's id of it; None: nothing went back, so it has failed, and can be asked for anew. Raises
    NotInDoubtError.
    """
    found = [each for each in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id]) if each.turn == turn]
    if not found or found[0].state not in DOUBTFUL:
        raise NotInDoubtError(f"refund {turn} of this invoice is not unknown or pending; see: refund list")
    refund = found[0]._replace(fence=found[0].fence + 1)
    if reference is not None:
        return succeed(tx, agency, invoice, refund, reference, by=by)
    check_move(REFUND_MOVES, "refund", refund.state, "failed")
    failed = refund._replace(state="failed", code="not_refunded", wake_at=None, lease_until=None, settled_at=tx.as_of)
    refunds.write(tx, agency.agency_id, [failed])
    data = {**told(failed), "code": "not_refunded", "by": by}
    tx.record(agency.agency_id, "refund.failed", subscription_subject(refund.subscription_id), data)
    return failed
