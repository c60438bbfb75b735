"""Payments: money received for invoices, known by source and reference."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.store import bulk, pay_links, tables
from shared.store.transaction import Tx


class Payment(NamedTuple):
    """Money that arrived. (source, reference) says it once, whoever tells it again."""

    source: str
    reference: str
    invoice_id: str
    amount_minor: int
    currency: str
    received_at: datetime


def known(tx: Tx, agency_id: str, payments: Sequence[Payment]) -> set[tuple[str, str]]:
    """Which of these payments are recorded already, as (source, reference)."""
    rows = tx.rows(
        """
        SELECT p.source, p.reference FROM payments AS p
        JOIN unnest(CAST(:sources AS text[]), CAST(:references AS text[])) AS k(source, reference)
          ON p.source = k.source AND p.reference = k.reference
        WHERE p.agency_id = :agency_id
        """,
        agency_id=agency_id,
        sources=[each.source for each in payments],
        references=[each.reference for each in payments],
    )
    return {(row[0], row[1]) for row in rows}


_READ = ", ".join(Payment._fields)


def by_references(tx: Tx, agency_id: str, source: str, references: Collection[str]) -> dict[str, Payment]:
    """Payments of one source, by reference."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM payments
        WHERE agency_id = :agency_id AND source = :source AND reference = ANY(CAST(:references AS text[]))
        """,  # noqa: S608
        agency_id=agency_id,
        source=source,
        references=list(references),
    )
    return {row[1]: Payment._make(row) for row in rows}


def collected_between(tx: Tx, agency_id: str, source: str, since: datetime, until: datetime) -> list[Payment]:
    """Payments by a provider that were recorded in a span of time, oldest first; those that we collected, by an attempt or at
    a place to pay, not those that upstream told of. One that was taken back whole may have left the provider's list."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM payments AS p WHERE agency_id = :agency_id AND source = :source
          AND recorded_at >= :since AND recorded_at < :until
          AND p.amount_minor > (SELECT coalesce(sum(v.amount_minor), 0) FROM payment_reversals AS v
                                WHERE v.agency_id = p.agency_id AND v.source = p.source
                                  AND v.payment_reference = p.reference AND v.invoice_id = p.invoice_id)
          AND (EXISTS (SELECT 1 FROM charges AS c WHERE c.agency_id = p.agency_id AND c.invoice_id = p.invoice_id
                         AND c.provider = p.source AND c.sent_at IS NOT NULL)
               OR EXISTS (SELECT 1 FROM pay_links AS l WHERE l.agency_id = p.agency_id AND l.invoice_id = p.invoice_id
                            AND l.provider = p.source))
        ORDER BY recorded_at, reference
        """,  # noqa: S608
        agency_id=agency_id,
        source=source,
        since=since,
        until=until,
    )
    return [Payment._make(row) for row in rows]


def under(tx: Tx, agency_id: str, source: str, reference: str) -> list[Payment]:
    """The payments under one reference, in the order of their invoices: one transfer may have paid several."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM payments WHERE agency_id = :agency_id AND source = :source AND reference = :reference
        ORDER BY invoice_id
        """,  # noqa: S608
        agency_id=agency_id,
        source=source,
        reference=reference,
    )
    return [Payment._make(row) for row in rows]


def of_invoice(tx: Tx, agency_id: str, invoice_id: str) -> list[Payment]:
    """The payments of one invoice, oldest first."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM payments WHERE agency_id = :agency_id AND invoice_id = :invoice_id
        ORDER BY received_at, source, reference
        """,  # noqa: S608
        agency_id=agency_id,
        invoice_id=invoice_id,
    )
    return [Payment._make(row) for row in rows]


def insert(tx: Tx, agency_id: str, payments: Sequence[Payment]) -> int:
    """Record payments. Returns how many were new. What the invoices ask for changes by them: see `wake_unwanted`."""
    written = bulk.insert(
        tx,
        tables.payments,
        ("agency_id", *Payment._fields, "recorded_at"),
        [(agency_id, *each, tx.as_of) for each in payments],
    )
    pay_links.wake_unwanted(tx, agency_id, {each.invoice_id for each in payments})
    return written
