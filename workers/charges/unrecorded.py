"""An answer that could not be recorded: the attempt, refund, payment link or question is set aside with it, for a person to
check.

Its neighbours are recorded. What it says is kept as evidence; the row says that money may have moved, and is looked at again
four times a day, for whatever was wrong may have been mended.
"""

from collections.abc import Callable

import structlog

from shared.billing.event_fields import of_charge, of_invoice, of_link, of_refund
from shared.domain import charging
from shared.error_words import safe_words
from shared.gateways.port import Expired, Found, Gone, Pending, Succeeded, TakenBack
from shared.messages import event_data
from shared.store import charges, invoices, pay_links, refunds, reversals
from shared.store.database import Store, Transaction
from shared.store.errors import describe, is_data_error
from shared.store.invoices import Invoice
from shared.store.locks import lock_of_agency
from shared.store.pay_links import PayLink
from shared.store.refunds import Refund
from shared.store.reversals import Inquiry
from workers.charges.claim import Call
from workers.charges.outcomes import ANSWERS, printable, provider_answer
from workers.charges.park import PARKED_FOR

UNRECORDED = "unrecorded"
log = structlog.get_logger()

Park = Callable[[str], None]
"""(what went wrong) → the row is set aside, and that is committed."""


def record_or_park(write: Callable[[], None], park: Park) -> Exception | None:
    """Record an answer. One that can't be, for its data (or a bug), is set aside; an error of the moment is returned.

    The moment's error leaves the row as it was claimed: after the lease the provider is asked.
    """
    try:
        write()
    except Exception as error:  # noqa: BLE001 - one answer must not cost the others
        log.error("answer.unrecorded", error=safe_words(error))
        if not is_data_error(error):
            return error
        try:
            park(describe(error))
        except Exception as again:  # noqa: BLE001
            log.error("answer.unrecorded", error=safe_words(again))
            return again
    return None


def _evidence(found: Found | Expired | Gone | TakenBack, what: str) -> str:
    """What the row itself keeps: the outcome, the provider's id of the money, and what went wrong."""
    reference = printable(getattr(found, "reference", "")) or "-"
    return f"{UNRECORDED}: {ANSWERS[type(found)]} {reference} {printable(what)}"[:200]


def _invoice(tx: Transaction, agency_id: str, invoice_id: str) -> Invoice:
    return invoices.load(tx, agency_id, [invoice_id])[invoice_id]


def _told(found: Found | Expired | Gone) -> str | None:
    """The provider's id of what it did, unless it can't be stored."""
    reference = found.reference if isinstance(found, Succeeded | Pending) else None
    return reference if reference == printable(reference) else None


def park_charge(store: Store, agency_id: str, call: Call, found: Found, what: str) -> None:
    """The attempt stays in doubt, unless another worker has claimed it since."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [call.subscription_id], wait=True)
        charge = charges.of_attempt(tx, agency_id, call.invoice_id, call.attempt)
        if charge is None or charge.fence != call.fence:
            return
        code, at = _evidence(found, what), tx.as_of + PARKED_FOR
        parked = charging.unrecorded(charge, reference=_told(found), look_at=at, code=code, now=tx.as_of)
        charges.write(tx, agency_id, [parked])
        if charge.code != code:
            of = of_charge(agency_id, charge, _invoice(tx, agency_id, call.invoice_id))
            tx.record(event_data.ChargeUnrecorded(**of, answer=provider_answer(found), error=printable(what)))


def park_refund(store: Store, agency_id: str, claimed: Refund, found: Found, what: str) -> None:
    """The refund stays in doubt, unless another worker has claimed it since."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [claimed.subscription_id], wait=True)
        rows = refunds.of_invoices(tx, agency_id, [claimed.invoice_id])
        refund = next((each for each in rows if each.refund_seq == claimed.refund_seq), None)
        if refund is None or refund.fence != claimed.fence:
            return
        code = _evidence(found, what)
        parked = refund._replace(
            state="unknown" if refund.state == "sending" else refund.state,
            reference=refund.reference or _told(found),
            doubtful_since=refund.doubtful_since or tx.as_of,
            code=code,
            wake_at=tx.as_of + PARKED_FOR,
            lease_until=None,
        )
        refunds.write(tx, agency_id, [parked])
        if refund.code != code:
            of = of_refund(agency_id, refund, _invoice(tx, agency_id, refund.invoice_id))
            tx.record(event_data.RefundUnrecorded(**of, answer=provider_answer(found), error=printable(what)))


def park_link(store: Store, agency_id: str, claimed: PayLink, found: Found | Expired | Gone, what: str) -> None:
    """The payment page counts as one where the client is paying: nothing is collected beside it."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [claimed.subscription_id], wait=True)
        rows = pay_links.of_invoices(tx, agency_id, [claimed.invoice_id])
        link = next((each for each in rows if each.link_seq == claimed.link_seq), None)
        if link is None or link.state not in pay_links.OPEN:
            return
        evidence = _evidence(found, what)
        pay_links.write(
            tx, agency_id, [link._replace(state="paying", unrecorded=evidence, wake_at=tx.as_of + PARKED_FOR)]
        )
        if link.unrecorded != evidence:
            of = of_link(agency_id, link, _invoice(tx, agency_id, link.invoice_id))
            tx.record(event_data.LinkUnrecorded(**of, answer=provider_answer(found), error=printable(what)))


def park_question(store: Store, agency_id: str, asked: Inquiry, found: TakenBack | Found, what: str) -> None:
    """The question stays open; what was answered before still counts."""
    with store.transaction() as tx:
        lock_of_agency(tx, agency_id, [asked.subscription_id], wait=True)
        inquiry = reversals.inquiry(tx, agency_id, asked.provider, asked.reference)
        if inquiry is None or inquiry.state != "asking" or inquiry.asked_since != asked.asked_since:
            return
        code = _evidence(found, what)
        reversals.write(tx, agency_id, [inquiry._replace(code=code, wake_at=tx.as_of + PARKED_FOR)])
        if inquiry.code != code:
            tx.record(
                event_data.InquiryUnrecorded(
                    **of_invoice(agency_id, _invoice(tx, agency_id, inquiry.invoice_id)),
                    provider=inquiry.provider,
                    reference=inquiry.reference,
                    kind=inquiry.kind,
                    answer=provider_answer(found),
                    error=printable(what),
                )
            )
