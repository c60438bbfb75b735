"""A person has looked at the provider's own pages and says what became of an attempt or a refund in doubt."""

from collections.abc import Collection

from shared.billing import pay_link
from shared.billing.event_fields import of_invoice
from shared.billing.receive_payments import receive
from shared.billing.refund_payments import fail, succeed
from shared.domain import charging
from shared.domain.charging import Charge
from shared.domain.facts import Agency
from shared.domain.unknown_outcomes import NEEDS_A_PERSON, needs_a_person
from shared.gateways.providers import provider_of
from shared.messages import event_data
from shared.store import charges, inbox, pay_links, refunds
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.pay_links import PayLink
from shared.store.payments import Payment
from shared.store.refunds import Refund


class NotInDoubtError(ValueError):
    """There is no attempt or refund of which a person could say more than we know."""


DOUBTFUL = ("unknown", "pending")


def in_doubt(tx: Transaction, agency: Agency, invoice: Invoice) -> Charge | PayLink:
    """The invoice's attempt, or its payment link, of which nobody knows whether money moved. Raises NotInDoubtError."""
    ids = [invoice.invoice_id]
    found = [each for each in charges.open_of(tx, agency.agency_id, ids) if each.state in DOUBTFUL]
    links = [each for each in pay_links.open_of(tx, agency.agency_id, ids).values() if each.doubtful_since is not None]
    if found:
        return found[0]
    if links:
        return links[0]
    raise NotInDoubtError("no attempt of this invoice is unknown or pending; see: charge list")


def resolve(tx: Transaction, agency: Agency, invoice: Invoice, reference: str | None, *, by: str) -> Charge | PayLink:
    """Settle the invoice's attempt, or its payment link, in doubt (its subscription is locked).

    `reference`: the provider's id of the money; None: nothing was charged, so the same attempt goes out again under its key,
    which keeps even a wrong word from charging twice while the provider remembers it. One that was accepted is waited for
    until nothing can come of it any more; then another attempt follows it. Raises NotInDoubtError.
    """
    found = in_doubt(tx, agency, invoice)
    if reference is None and isinstance(found, Charge) and found.state == "pending" and not _is_stale(tx, found):
        raise NotInDoubtError(
            "the provider has accepted this attempt, so it can't be sent again; wait for its final answer"
        )
    tx.record(
        event_data.ChargeResolved(
            **of_invoice(agency.agency_id, invoice),
            attempt=found.attempt if isinstance(found, Charge) else None,
            key=found.key,
            reference=reference,
            by=by,
        )
    )
    if isinstance(found, Charge):
        _resolve_charge(tx, agency, found, reference)
    elif reference is None:
        pay_links.write(tx, agency.agency_id, [pay_link.ended(tx, found)])
        charges.wake_open(tx, agency.agency_id, [found.invoice_id])
    else:
        pay_link.paid(tx, agency, invoice, link=found, reference=reference, saved=None)
    inbox.wake(tx, agency.agency_id, [f"settlement/{invoice.invoice_id}"])
    return found


def _is_stale(tx: Transaction, charge: Charge) -> bool:
    return charge.doubtful_since is not None and needs_a_person(charge.doubtful_since, tx.as_of, pending=True)


def _resolve_charge(tx: Transaction, agency: Agency, charge: Charge, reference: str | None) -> None:
    if reference is None and charge.state == "pending":
        ended = charging.declined(charge, "not_charged", tx.as_of)
        charges.write(tx, agency.agency_id, [ended._replace(fence=charge.fence + 1)])
        charges.insert(tx, agency.agency_id, [charging.next_attempt(charge, tx.as_of)])
        return
    if reference is None:
        again = charging.due_again(charge, tx.as_of, code=None, reference=None, doubtful_since=None)
        charges.write(tx, agency.agency_id, [again._replace(fence=charge.fence + 1)])
        return
    done = charging.succeeded(charge, reference, tx.as_of)
    charges.write(tx, agency.agency_id, [done._replace(fence=charge.fence + 1)])
    amount = charge.amount_minor or 0
    source = charge.provider or ""
    receive(
        tx,
        agency,
        [
            Payment(
                source=source,
                reference=reference,
                invoice_id=charge.invoice_id,
                amount_minor=amount,
                currency=charge.currency,
                received_at=tx.as_of,
            )
        ],
    )


def told_paid(
    tx: Transaction, agency: Agency, invoice: Invoice, *, amount_minor: int | None, reference: str | None, by: str
) -> bool:
    """Upstream says that an invoice is paid: whether that is the answer to our question about an attempt or link in doubt.

    It is, if it names its key (our mail does) or the provider's id of it; or names nothing, once the agency was asked. Then the
    attempt is settled, and the same money is not recorded a second time when the provider is heard of again. False: it is money
    of its own.
    """
    try:
        found = in_doubt(tx, agency, invoice)
    except NotInDoubtError:
        return False
    if amount_minor not in (None, found.amount_minor):
        return False
    asked = found.code == NEEDS_A_PERSON if isinstance(found, Charge) else pay_link.is_asked(tx, found)
    if not _is_answer(reference, found.key, found.provider, (found.reference,), asked=asked):
        return False
    resolve(tx, agency, invoice, _recorded_as(found.key, found.provider, reference), by=by)
    return True


def told_refunded(
    tx: Transaction, agency: Agency, invoice: Invoice, *, amount_minor: int | None, reference: str | None, by: str
) -> Refund | None:
    """The same of a refund: the one in doubt to which `invoice.refunded` is the answer, settled; None if there is none."""
    for refund in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id]):
        fits = refund.state in DOUBTFUL and amount_minor in (None, refund.amount_minor)
        asked = refund.code == NEEDS_A_PERSON
        if fits and _is_answer(reference, refund.key, refund.source, (refund.reference,), asked=asked):
            name = _recorded_as(refund.key, refund.source, reference)
            return resolve_refund(tx, agency, invoice, refund.refund_seq, name, by=by)
    return None


def _is_answer(
    reference: str | None, key: str | None, source: str | None, known: Collection[str | None], *, asked: bool
) -> bool:
    if reference is None:
        return asked
    return reference == key or reference in known or (asked and provider_of(source).is_reference(reference))


def _recorded_as(key: str | None, source: str | None, reference: str | None) -> str:
    """The provider's id if upstream said it, else our key: the provider's list names it too."""
    return reference if reference is not None and provider_of(source).is_reference(reference) else key or ""


def resolve_refund(
    tx: Transaction, agency: Agency, invoice: Invoice, refund_seq: int, reference: str | None, *, by: str
) -> Refund:
    """Settle a refund in doubt (its subscription is locked).

    `reference`: the provider's id of it; None: nothing went back, so it has failed, and can be asked for again. Raises
    NotInDoubtError.
    """
    found = [
        each
        for each in refunds.of_invoices(tx, agency.agency_id, [invoice.invoice_id])
        if each.refund_seq == refund_seq
    ]
    if not found or found[0].state not in DOUBTFUL:
        raise NotInDoubtError(f"refund {refund_seq} of this invoice is not unknown or pending; see: refund list")
    refund = found[0]._replace(fence=found[0].fence + 1)
    if reference is not None:
        return succeed(tx, agency, invoice, refund, reference, by=by)
    return fail(tx, agency, invoice, refund, "not_refunded", by=by)
