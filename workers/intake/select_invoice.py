"""Which invoice a message speaks of."""

from datetime import date

from shared.billing.issue_invoices import number_key
from shared.domain.keys import is_of_series, sequences_of
from shared.messages import ChangeData, InvoiceSelector
from shared.store import facts, invoices, numbers
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from shared.store.locked_invoices import load_locked
from shared.store.locks import Pair
from workers.intake.verdicts import Refused, Waits

_NAME_IT = "look the number up, or name the invoice by invoice_id or by subscription_id with period_starts_on"


def select(tx: Transaction, data: InvoiceSelector) -> Invoice | Waits | Refused:
    """The invoice, with its subscription locked; or what the message has to wait for.

    It never waits for a number of our own series: whoever gets that number later may be somebody else.
    """
    agency_id = data.agency_id
    of = invoices.subscriptions_of(tx, agency_id, _ids(tx, data))
    if len(of) > 1:
        return Refused("data.number", f"two invoices carry the number {data.number}; send invoice_id instead")
    if not of:
        return _not_given_yet(tx, data) or Waits(_awaited(data))
    return next(iter(load_locked(tx, agency_id, of).values()))


def subscriptions_spoken_of(tx: Transaction, data: InvoiceSelector) -> list[Pair]:
    """The subscriptions of every invoice that a message may mean."""
    of = invoices.subscriptions_of(tx, data.agency_id, _ids(tx, data))
    return [(data.agency_id, subscription_id) for subscription_id in of.values()]


def _ids(tx: Transaction, data: InvoiceSelector) -> list[str]:
    if data.invoice_id is not None:
        return [data.invoice_id]
    if data.number is not None:
        return invoices.by_number(tx, data.agency_id, data.number, sequences_of(data.number))
    subscription_id, starts_on = _period(data)
    return invoices.by_period(tx, data.agency_id, subscription_id, starts_on)


def given_meanwhile(tx: Transaction, data: ChangeData, waited_for: str | None) -> Refused | None:
    """The refusal of a message that waited for a number which our own series has given since, to whomever it came to.

    The agency's prefix was another one when the message came, or was not known.
    """
    if not isinstance(data, InvoiceSelector) or data.number is None or waited_for != number_key(data.number):
        return None
    if not numbers.is_ours(tx, data.agency_id, data.number):
        return None
    return Refused(
        "data.number",
        f"no invoice had the number {data.number} when this message came, and our series has given it to one since; {_NAME_IT}",
    )


def _not_given_yet(tx: Transaction, data: InvoiceSelector) -> Refused | Waits | None:
    """The refusal of a number that only our own series gives, and has not given to an invoice; None for any other.

    While the agency is unknown nobody can say which numbers its series gives.
    """
    if data.number is None:
        return None
    agency = facts.agency(tx, data.agency_id)
    if agency is None:
        return Waits(f"agency/{data.agency_id}")
    if numbers.is_of_credit_note(tx, data.agency_id, data.number):
        return Refused("data.number", f"{data.number} is a credit note; name the invoice that it is of")
    if not is_of_series(agency.invoice_prefix, data.number):
        return None
    return Refused(
        "data.number",
        f"no invoice has the number {data.number}, and our series gives it to the next one that comes; {_NAME_IT}",
    )


def _awaited(data: InvoiceSelector) -> str:
    if data.invoice_id is not None:
        return f"invoice/{data.invoice_id}"
    if data.number is not None:
        return number_key(data.number)
    subscription_id, starts_on = _period(data)
    return f"invoice-period/{subscription_id}/{starts_on.isoformat()}"


def _period(data: InvoiceSelector) -> tuple[str, date]:
    if data.subscription_id is None or data.period_starts_on is None:
        raise ValueError("an invoice selector that names no invoice was not refused when it was decoded")
    return data.subscription_id, data.period_starts_on
