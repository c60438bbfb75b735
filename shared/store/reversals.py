"""Money that was taken back of payments, row by row; and the questions to providers by which we learn of it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.states import InquiryState
from shared.store import bulk, pay_links, tables
from shared.store.database import Transaction


class Reversal(NamedTuple):
    """Money of one payment that a provider took back; a negative amount is money that came back again."""

    source: str
    reference: str
    invoice_id: str
    reversal_seq: int
    payment_reference: str
    amount_minor: int
    currency: str
    kind: str
    recorded_at: datetime


class Inquiry(NamedTuple):
    """What a webhook spoke of. `reference`: the provider's id of it; `amount_minor`: what it said last is taken back by it."""

    provider: str
    reference: str
    kind: str
    payment_reference: str
    invoice_id: str
    subscription_id: str
    state: InquiryState
    amount_minor: int | None
    asked_since: datetime
    answered_at: datetime | None
    code: str | None
    wake_at: datetime | None


class Left(NamedTuple):
    """A payment, what of it a provider has taken back so far, and what of it refunds have given or are giving back."""

    invoice_id: str
    amount_minor: int
    currency: str
    reversed_minor: int
    refunded_minor: int


_INQUIRY = ", ".join(Inquiry._fields)
_ASKED = ("state", "amount_minor", "asked_since", "answered_at", "code", "wake_at")


def insert(tx: Transaction, agency_id: str, reversals: Sequence[Reversal]) -> None:
    """Write what was taken back. What these invoices ask for changes by it, so an open payment page for another amount is
    closed."""
    bulk.insert(
        tx, tables.payment_reversals, ("agency_id", *Reversal._fields), [(agency_id, *each) for each in reversals]
    )
    pay_links.wake_unwanted(tx, agency_id, {each.invoice_id for each in reversals})


def of_invoices(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[Reversal]:
    """What was taken back of the payments of these invoices, oldest first."""
    rows = tx.rows(
        f"""
        SELECT {", ".join(Reversal._fields)} FROM payment_reversals
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[]))
        ORDER BY invoice_id, recorded_at, reference, reversal_seq
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [Reversal._make(row) for row in rows]


def left_of(tx: Transaction, agency_id: str, source: str, reference: str) -> list[Left]:
    """The state of each payment under a provider's reference, in the order of their invoices."""
    rows = tx.rows(
        """
        SELECT p.invoice_id, p.amount_minor, p.currency,
               (SELECT coalesce(sum(v.amount_minor), 0)::bigint FROM payment_reversals AS v
                WHERE v.agency_id = p.agency_id AND v.source = p.source AND v.payment_reference = p.reference
                  AND v.invoice_id = p.invoice_id),
               (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refunds AS r
                WHERE r.agency_id = p.agency_id AND r.source = p.source AND r.payment_reference = p.reference
                  AND r.invoice_id = p.invoice_id AND r.state <> 'failed')
        FROM payments AS p
        WHERE p.agency_id = :agency_id AND p.source = :source AND p.reference = :reference ORDER BY p.invoice_id
        """,
        agency_id=agency_id,
        source=source,
        reference=reference,
    )
    return [Left._make(row) for row in rows]


def inquiry(tx: Transaction, agency_id: str, provider: str, reference: str) -> Inquiry | None:
    """The question about something of a provider's."""
    rows = tx.rows(
        f"""
        SELECT {_INQUIRY} FROM payment_inquiries
        WHERE agency_id = :agency_id AND provider = :provider AND reference = :reference
        """,  # noqa: S608
        agency_id=agency_id,
        provider=provider,
        reference=reference,
    )
    return Inquiry._make(rows[0]) if rows else None


def ask(tx: Transaction, agency_id: str, inquiry: Inquiry) -> None:
    """Let the provider be asked, again if it was asked before; what it answered then stays known."""
    columns = ("agency_id", *Inquiry._fields)
    if not bulk.insert(tx, tables.payment_inquiries, columns, [(agency_id, *inquiry)]):
        tx.run(
            """
            UPDATE payment_inquiries SET state = 'asking', asked_since = :as_of, wake_at = :as_of
            WHERE agency_id = :agency_id AND provider = :provider AND reference = :reference
            """,
            agency_id=agency_id,
            provider=inquiry.provider,
            reference=inquiry.reference,
            as_of=tx.as_of,
        )


def write(tx: Transaction, agency_id: str, inquiries: Sequence[Inquiry]) -> None:
    """Write how questions go on."""
    rows = [(each.provider, each.reference, *(getattr(each, name) for name in _ASKED), 0) for each in inquiries]
    names = (*_ASKED, "tries")
    bulk.update(tx, tables.payment_inquiries, agency_id, keys=("provider", "reference"), columns=names, rows=rows)


def due(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[Inquiry]:
    """The questions about these invoices that are to be asked now."""
    rows = tx.rows(
        f"""
        SELECT {_INQUIRY} FROM payment_inquiries
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'asking'
        ORDER BY invoice_id, provider, reference
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [Inquiry._make(row) for row in rows]


def answers_about(tx: Transaction, agency_id: str, provider: str, payment_reference: str) -> dict[tuple[str, str], int]:
    """What a provider last said is taken back of a payment, by (kind, reference)."""
    rows = tx.rows(
        """
        SELECT kind, reference, amount_minor FROM payment_inquiries
        WHERE agency_id = :agency_id AND provider = :provider AND payment_reference = :payment_reference
          AND amount_minor IS NOT NULL AND kind <> 'refund'
        """,
        agency_id=agency_id,
        provider=provider,
        payment_reference=payment_reference,
    )
    return {(row[0], row[1]): row[2] for row in rows}


def paid_instances(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> dict[str, str]:
    """Of each invoice of which money was ever taken back: how often it has been paid, for the mail that says so."""
    rows = tx.rows(
        """
        SELECT invoice_id, CAST(count(*) AS text) FROM payment_reversals
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) GROUP BY invoice_id
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return {row[0]: row[1] for row in rows}


def ask_again(tx: Transaction, agency_id: str, source: str, payment_reference: str) -> None:
    """A refund of this payment moved nothing, so more of it may be gone than was recorded: ask again."""
    tx.run(
        """
        UPDATE payment_inquiries SET state = 'asking', asked_since = :as_of, wake_at = :as_of
        WHERE agency_id = :agency_id AND provider = :source AND payment_reference = :payment_reference
          AND kind <> 'refund' AND amount_minor > 0
        """,
        agency_id=agency_id,
        source=source,
        payment_reference=payment_reference,
        as_of=tx.as_of,
    )
