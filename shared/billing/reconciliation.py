"""Compare our payments with a provider's list, in both directions: money that one of the two does not know of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from shared.billing.event_fields import of_invoice
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.billing.receive_payments import receive
from shared.billing.refund_payments import found_at_provider
from shared.documents import notice_data
from shared.domain.facts import Agency
from shared.gateways.port import Listed
from shared.gateways.providers import provider_of
from shared.messages import event_data
from shared.store import charges, deployment, invoices, notices, payments, refunds
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locked_invoices import locked_invoices
from shared.store.payments import Payment

What = Literal[
    "missing_here", "missing_there", "amount_differs", "paid_twice", "refund_missing_here", "refund_missing_there"
]
# Made there and settled here may lie this far apart: a bank debit takes days.
SETTLES_WITHIN: Final = timedelta(days=14)


class Difference(NamedTuple):
    """Something that only one side knows, or that the two know differently. `reference`: the provider's id.

    `payment`: of a refund, the reference of the payment that it is of, if the provider says which.
    """

    agency_id: str
    provider: str
    what: What
    reference: str
    invoice_id: str | None
    here_minor: int | None
    there_minor: int | None
    currency: str
    payment: str | None = None


class ProviderLists(NamedTuple):
    """What a provider lists of one account, from `since` minus `SETTLES_WITHIN` on.

    `shared`: other agencies collect by the same account, so what is listed is ours by our key alone.
    """

    agency_id: str
    provider: str
    since: datetime
    payments: Sequence[Listed]
    refunds: Sequence[Listed]
    shared: bool = False


def compare(tx: Transaction, lists: ProviderLists) -> list[Difference]:
    """The differences, ours and theirs.

    Listed money is an agency's if our key says so, or if both the agency and one of its invoices are named; an invoice's id
    alone says nothing, for every agency may have the same. All else there is no business of ours.
    """
    ours = _our_payments(tx, lists)
    return [
        *_payments_there(tx, lists, ours),
        *_payments_here(tx, lists),
        *_paid_twice(tx, lists, ours),
        *_refunds_there(tx, lists),
        *_refunds_here(tx, lists),
    ]


def _our_payments(tx: Transaction, lists: ProviderLists) -> dict[str, str]:
    """The invoice of each listed payment that is the agency's, by the provider's id of it."""
    keys = [each.key for each in lists.payments if each.key]
    by_key = payments.invoices_by_key(tx, lists.agency_id, lists.provider, keys)
    named = _named(tx, lists, lists.payments)
    found = {each.reference: by_key.get(each.key or "") or named.get(each.reference) for each in lists.payments}
    return {reference: invoice_id for reference, invoice_id in found.items() if invoice_id is not None}


def _named(tx: Transaction, lists: ProviderLists, listed: Sequence[Listed]) -> dict[str, str]:
    """The invoice of what names this deployment, the agency and an invoice of its own; nothing of an account that is shared."""
    if lists.shared:
        return {}
    here = (None, deployment.deployment_id(tx))
    named = {
        each.reference: each.invoice_id
        for each in listed
        if each.agency_id == lists.agency_id and each.invoice_id is not None and each.deployment in here
    }
    known = invoices.subscriptions_of(tx, lists.agency_id, set(named.values()))
    return {reference: invoice_id for reference, invoice_id in named.items() if invoice_id in known}


def _names(listed: Sequence[Listed]) -> set[str]:
    """What each may be recorded under: the provider's id of it, or our key, when a person said that it is there."""
    return {name for each in listed for name in (each.reference, each.key) if name}


def _payments_there(tx: Transaction, lists: ProviderLists, ours: Mapping[str, str]) -> Iterator[Difference]:
    known = payments.by_references(tx, lists.agency_id, lists.provider, _names(lists.payments))
    for each in lists.payments:
        recorded = known.get(each.reference) or known.get(each.key or "") or []
        if not recorded and each.reference in ours:
            yield _difference(lists, "missing_here", each, ours[each.reference], None)
        here_minor = sum(payment.amount_minor for payment in recorded)
        same = here_minor == each.amount_minor and {payment.currency for payment in recorded} == {each.currency}
        if recorded and not same:
            yield _difference(lists, "amount_differs", each, recorded[0].invoice_id, here_minor)


def _payments_here(tx: Transaction, lists: ProviderLists) -> Iterator[Difference]:
    listed = _names(lists.payments)
    until = tx.as_of - provider_of(lists.provider).list_lag
    for payment in payments.collected_between(tx, lists.agency_id, lists.provider, lists.since, until):
        if payment.reference not in listed:
            yield Difference(
                agency_id=lists.agency_id,
                provider=lists.provider,
                what="missing_there",
                reference=payment.reference,
                invoice_id=payment.invoice_id,
                here_minor=payment.amount_minor,
                there_minor=None,
                currency=payment.currency,
            )


def _paid_twice(tx: Transaction, lists: ProviderLists, ours: Mapping[str, str]) -> Iterator[Difference]:
    by_invoice: dict[str, list[Listed]] = {}
    for each in lists.payments:
        if each.reference in ours:
            by_invoice.setdefault(ours[each.reference], []).append(each)
    several = {id_: listed for id_, listed in by_invoice.items() if len(listed) > 1}
    totals = {id_: each.total_minor for id_, each in invoices.load(tx, lists.agency_id, several).items()}
    for id_, listed in several.items():
        took = sum(each.amount_minor for each in listed)
        if id_ in totals and took > totals[id_]:
            last = max(listed, key=lambda each: (each.at, each.reference))
            yield _difference(lists, "paid_twice", last, id_, totals[id_])._replace(there_minor=took)


def _refunds_there(tx: Transaction, lists: ProviderLists) -> Iterator[Difference]:
    known = refunds.references(tx, lists.agency_id, lists.provider, [each.reference for each in lists.refunds])
    keys = refunds.keys_of(tx, lists.agency_id, lists.provider, [each.key for each in lists.refunds if each.key])
    named = _named(tx, lists, lists.refunds)
    refunded = _refunded(tx, lists)
    for each in lists.refunds:
        if each.reference in known or each.key in keys:
            continue
        of = {payment.invoice_id: payment.reference for payment in refunded.get(each.payment or "", ())}
        says = named.get(each.reference)
        invoice_id = says if says in of or not of else next(iter(of))
        if invoice_id is not None:
            found = _difference(lists, "refund_missing_here", each, invoice_id, None)
            yield found._replace(payment=of.get(invoice_id, each.payment))


def _refunded(tx: Transaction, lists: ProviderLists) -> dict[str, list[Payment]]:
    """What is recorded of the payments that listed refunds are of, by the provider's id: under it, or under our key."""
    keys = {each.reference: each.key for each in lists.payments}
    ids = {each.payment for each in lists.refunds if each.payment}
    known = payments.by_references(
        tx, lists.agency_id, lists.provider, ids | {key for id_ in ids if (key := keys.get(id_))}
    )
    return {id_: known.get(id_) or known.get(keys.get(id_) or "") or [] for id_ in ids}


def _refunds_here(tx: Transaction, lists: ProviderLists) -> Iterator[Difference]:
    listed = _names(lists.refunds)
    until = tx.as_of - provider_of(lists.provider).list_lag
    for refund in refunds.settled_between(tx, lists.agency_id, lists.provider, lists.since, until):
        if refund.reference is not None and refund.reference not in listed:
            yield Difference(
                agency_id=lists.agency_id,
                provider=lists.provider,
                what="refund_missing_there",
                reference=refund.reference,
                invoice_id=refund.invoice_id,
                here_minor=refund.amount_minor,
                there_minor=None,
                currency=refund.currency,
            )


def _difference(
    lists: ProviderLists, what: What, there: Listed, invoice_id: str | None, here_minor: int | None
) -> Difference:
    return Difference(
        agency_id=lists.agency_id,
        provider=lists.provider,
        what=what,
        reference=there.reference,
        invoice_id=invoice_id,
        here_minor=here_minor,
        there_minor=there.amount_minor,
        currency=there.currency,
    )


def adopt(tx: Transaction, agency: Agency, difference: Difference) -> bool:
    """Record here what the provider lists and we did not know. False for a difference that only a person can settle."""
    if difference.what not in ("missing_here", "refund_missing_here") or difference.invoice_id is None:
        return False
    invoice = locked_invoices(tx, agency.agency_id, [difference.invoice_id])[difference.invoice_id]
    amount = difference.there_minor or 0
    if difference.what == "refund_missing_here":
        return _adopt_refund(tx, agency, invoice, difference, amount)
    if difference.currency != invoice.currency:
        return False
    new = Payment(
        source=difference.provider,
        reference=difference.reference,
        invoice_id=invoice.invoice_id,
        amount_minor=amount,
        currency=invoice.currency,
        received_at=tx.as_of,
    )
    receive(tx, agency, [new])
    charges.wake_doubtful(tx, agency.agency_id, invoice.invoice_id)
    return True


def _adopt_refund(tx: Transaction, agency: Agency, invoice: Invoice, difference: Difference, amount: int) -> bool:
    """The refund belongs to the payment that the provider names; if it names none, to one of which enough is left."""
    for left in refunds.refundable(tx, agency.agency_id, invoice.invoice_id):
        of = (left.source, difference.payment or left.reference)
        if of == (difference.provider, left.reference) and left.left_minor >= amount:
            added = found_at_provider(
                tx,
                agency,
                invoice,
                source=difference.provider,
                payment_reference=left.reference,
                reference=difference.reference,
                amount_minor=amount,
            )
            return added is not None
    return False


def tell(tx: Transaction, agency: Agency, difference: Difference) -> bool:
    """Notify the agency of a difference that stays, once. Returns whether it was new."""
    about = difference.invoice_id
    invoice = None if about is None else locked_invoices(tx, agency.agency_id, [about]).get(about)
    if about is None or invoice is None:
        return False
    instance = f"{difference.what}/{difference.reference}"
    said = notice_data.BooksDiffer(
        **facts_of(invoice), what=difference.what, provider=difference.provider, reference=difference.reference
    )
    before = notices.count(tx, agency.agency_id, about, "books_differ")
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, instance)])
    new = notices.count(tx, agency.agency_id, about, "books_differ") > before
    if new:
        tx.record(
            event_data.BooksDiffer(
                **of_invoice(agency.agency_id, invoice),
                difference=difference.what,
                provider=difference.provider,
                reference=difference.reference,
                recorded_minor=difference.here_minor,
                listed_minor=difference.there_minor,
                currency=difference.currency,
                payment_reference=difference.payment,
            )
        )
    return new
