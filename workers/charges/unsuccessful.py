"""An attempt that was declined or did not get through: whether it goes out again, another one does, or this was all."""

from datetime import datetime, timedelta

from shared.billing.account_health import OF_THE_MOMENT, REFUSED_ACCOUNT
from shared.billing.event_fields import of_charge
from shared.billing.notify import AGENCY, about_invoice, facts_of, notify
from shared.documents import notice_data
from shared.domain import charging
from shared.domain.charging import Charge
from shared.domain.declines import RETRYABLE
from shared.domain.dunning import doubling
from shared.domain.facts import Agency
from shared.domain.refusals import REFUSED_TRIES_MAX, UNPAYABLE
from shared.domain.retry_times import net_at
from shared.gateways.port import NotSent
from shared.messages import event_data
from shared.store import charges, collection
from shared.store.database import Transaction
from shared.store.invoices import Invoice
from workers.charges.dunning import REFUSED, Failure, after_failures
from workers.charges.end_collection import end_once

FIRST_LOOK = timedelta(minutes=1)
LATEST_LOOK = timedelta(hours=6)


def write(tx: Transaction, agency: Agency, *written: Charge) -> None:
    """Write attempts back."""
    charges.write(tx, agency.agency_id, written)


def collects(invoice: Invoice, charge: Charge) -> bool:
    """False once it was paid (or given up) some other way while the attempt was in flight."""
    owed = invoice.status == "open" or (charge.once and invoice.status == "uncollectible")
    return owed and invoice.outstanding_minor > 0


def decline(tx: Transaction, agency: Agency, declined: Charge, invoice: Invoice) -> None:
    """The attempt was declined, with its code and class set: dunning; the end of one that was asked for; or nothing."""
    if not collects(invoice, declined):
        # Nothing is left to collect: the answer is recorded, and nobody has to do anything about it.
        of = of_charge(agency.agency_id, declined, invoice)
        end = {"code": declined.code, "decline_class": declined.decline_class}
        tx.record(event_data.ChargeDeclined(**of, **end, next_attempt_at=None))
        write(tx, agency, charging.failed(declined, "declined", tx.as_of))
    elif declined.once:
        end_once(tx, agency, declined, invoice, "declined")
    else:
        after_failures(tx, agency, [Failure(declined, invoice)])


def unsent(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, found: NotSent, *, seen: bool) -> None:
    """No money moved. The same attempt goes out again with the same key, or the next one does if that is spent.

    `seen`: its key may have been seen with its parameters before, so nothing else goes out under it.

    No failure, and the client is not notified; the agency is, if waiting can't help. A refusal that nobody has listed is a
    failure at the third attempt in a row, or at the first one of an invoice that is failing already.
    """
    code = found.code
    since = charge.doubtful_since or tx.as_of
    if charge.doubtful_since is None:
        of = of_charge(agency.agency_id, charge, invoice)
        tx.record(event_data.ChargeNotSent(**of, code=code, detail=found.detail))
    at = min(doubling(since, tx.as_of, FIRST_LOOK, LATEST_LOOK), net_at(tx.as_of))
    refused = charge._replace(code=code, doubtful_since=since)
    spent = seen or found.key_spent
    if not collects(invoice, charge):
        plan_again(tx, agency, refused, invoice, at)
    elif code in UNPAYABLE:
        _unpayable(tx, agency, refused, invoice, at, spent=spent)
    elif found.about == "account":
        waiting = refused._replace(code=f"{REFUSED_ACCOUNT}:{code}")
        if spent:
            _replace(tx, agency, waiting, at)
        else:
            plan_again(tx, agency, waiting._replace(request=None), invoice, at)
    elif found.key_spent and code not in OF_THE_MOMENT:
        _refused(tx, agency, charge._replace(code=f"{REFUSED}:{code}"), invoice)
    else:
        plan_again(tx, agency, refused if spent else refused._replace(request=None), invoice, at)


def _unpayable(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, at: datetime, *, spent: bool) -> None:
    """The provider does not take this amount: the agency is told, and no call is made until there is another one.

    What it has looked at stays with the attempt, so that the same is not asked for again, and nothing else under its key.
    """
    if charge.once:
        end_once(tx, agency, charge, invoice, "not_sent")
        return
    _tell_impossible(tx, agency, charge, invoice)
    plan_again(tx, agency, charge if spent else charge._replace(request=None), invoice, at)


def _tell_impossible(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice) -> None:
    said = notice_data.ChargeImpossible(**facts_of(invoice), code=charge.code, provider=charge.provider)
    notify(tx, agency, [about_invoice(invoice, said, AGENCY, charge.code or "")])


def _refused(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice) -> None:
    if charge.once:
        end_once(tx, agency, charge, invoice, "not_sent")
        return
    before = collection.refused_in_row(tx, agency.agency_id, charge.invoice_id, REFUSED)
    if before + 1 < REFUSED_TRIES_MAX and invoice.failing_since is None:
        _replace(tx, agency, charge, tx.as_of + FIRST_LOOK * 10 ** (before + 1))
        return
    if invoice.ladder_started_at is not None:
        _tell_impossible(tx, agency, charge, invoice)
    after_failures(tx, agency, [Failure(charge._replace(decline_class=RETRYABLE), invoice)])


def _replace(tx: Transaction, agency: Agency, charge: Charge, at: datetime) -> None:
    """Its key has been seen with its parameters: the next attempt has another."""
    write(tx, agency, charging.failed(charge, "not_sent", tx.as_of))
    charges.insert(tx, agency.agency_id, [charging.next_attempt(charge, at)])


def plan_again(tx: Transaction, agency: Agency, charge: Charge, invoice: Invoice, at: datetime) -> None:
    """The attempt goes out again at `at`; or it ends unsent, because nothing is left to collect any more."""
    if collects(invoice, charge):
        write(tx, agency, charging.due_again(charge, at))
    else:
        write(tx, agency, charging.not_sent(charge, f"invoice_{invoice.status}", tx.as_of))
