"""Payments: money received for an invoice, once per source, reference and invoice."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from shared.domain.keys import UPSTREAM_BEFORE, is_from_upstream
from shared.store import bulk, pay_links, tables
from shared.store.database import Transaction


class Payment(NamedTuple):
    """Money that arrived. (source, reference, invoice) is recorded once, whoever reports it again: one transfer may pay
    several.

    `source`: the provider, or `upstream:` and upstream's own source.
    """

    source: str
    reference: str
    invoice_id: str
    amount_minor: int
    currency: str
    received_at: datetime


def known(tx: Transaction, agency_id: str, payments: Sequence[Payment]) -> dict[tuple[str, str, str], int]:
    """The amounts of those of these payments that are recorded already, by (source, reference, invoice).

    What upstream sent is also looked for as it was recorded before its sources were distinguished.
    """
    asked = {
        (each.source, each.reference, each.invoice_id): [(each.source, each.reference, each.invoice_id)]
        for each in payments
    }
    for of in list(asked):
        if is_from_upstream(of[0]):
            asked.setdefault((UPSTREAM_BEFORE, *of[1:]), []).append(of)
    rows = tx.rows(
        """
        SELECT p.source, p.reference, p.invoice_id, p.amount_minor FROM payments AS p
        JOIN (SELECT DISTINCT * FROM unnest(CAST(:sources AS text[]), CAST(:references AS text[]), CAST(:ids AS text[]))
              AS v(source, reference, invoice_id)) AS k
          ON p.source = k.source AND p.reference = k.reference AND p.invoice_id = k.invoice_id
        WHERE p.agency_id = :agency_id
        """,
        agency_id=agency_id,
        sources=[each[0] for each in asked],
        references=[each[1] for each in asked],
        ids=[each[2] for each in asked],
    )
    return {of: row[3] for row in rows for of in asked[row[0], row[1], row[2]]}


_READ = ", ".join(Payment._fields)


def by_references(
    tx: Transaction, agency_id: str, source: str, references: Collection[str]
) -> dict[str, list[Payment]]:
    """Payments of one source, by reference, in the order of their invoices: one transfer may have paid several."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM payments
        WHERE agency_id = :agency_id AND source = :source AND reference = ANY(CAST(:references AS text[]))
        ORDER BY reference, invoice_id
        """,  # noqa: S608
        agency_id=agency_id,
        source=source,
        references=list(references),
    )
    return {reference: list(map(Payment._make, of)) for reference, of in groupby(rows, key=itemgetter(1))}


def collected_between(tx: Transaction, agency_id: str, source: str, since: datetime, until: datetime) -> list[Payment]:
    """Payments by a provider that were recorded in a span of time, oldest first; those that we collected, by an attempt or at
    a payment page, not those from upstream. One that was taken back whole may have left the provider's list."""
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


def under(tx: Transaction, agency_id: str, source: str, reference: str) -> list[Payment]:
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


def of_invoice(tx: Transaction, agency_id: str, invoice_id: str) -> list[Payment]:
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


def invoices_by_key(tx: Transaction, agency_id: str, provider: str, keys: Collection[str]) -> dict[str, str]:
    """The invoice that money with one of these keys is for: the key of an attempt, or of a payment page."""
    rows = tx.rows(
        " UNION ALL ".join(
            f"""
            SELECT key, invoice_id FROM {table}
            WHERE agency_id = :agency_id AND provider = :provider AND key = ANY(CAST(:keys AS text[]))
            """  # noqa: S608
            for table in ("charges", "pay_links")
        ),
        agency_id=agency_id,
        provider=provider,
        keys=list(keys),
    )
    return {row[0]: row[1] for row in rows}


def insert(tx: Transaction, agency_id: str, payments: Sequence[Payment]) -> int:
    """Record payments. Returns how many were new. What the invoices ask for changes by them: see `wake_unwanted`."""
    written = bulk.insert(
        tx,
        tables.payments,
        ("agency_id", *Payment._fields, "recorded_at"),
        [(agency_id, *each, tx.as_of) for each in payments],
    )
    pay_links.wake_unwanted(tx, agency_id, {each.invoice_id for each in payments})
    return written


def taken_by_provider(tx: Transaction, agency_id: str, invoice_id: str, name: str) -> int | None:
    """The amount that a provider took for an invoice under a name: its own id of it, or our key. None if there is none."""
    found: int | None = tx.scalar(
        """
        SELECT amount_minor FROM payments
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND reference = :name AND source NOT LIKE 'upstream%'
        UNION ALL
        SELECT amount_minor FROM charges
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND state = 'succeeded' AND :name IN (key, reference)
        UNION ALL
        SELECT amount_minor FROM pay_links
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND state = 'paid' AND :name IN (key, reference)
        LIMIT 1
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        name=name,
    )
    return found


class Unapplied(NamedTuple):
    """Money taken at a checkout whose first invoice was never made; `reason` says why there is none."""

    subscription_id: str
    source: str
    reference: str
    amount_minor: int
    currency: str
    reason: str
    received_at: datetime


def keep_unapplied(tx: Transaction, agency_id: str, unapplied: Sequence[Unapplied]) -> set[tuple[str, str, str]]:
    """Record money that has no invoice to pay. Returns those that were new, as (subscription, source, reference)."""
    rows = tx.rows(
        """
        INSERT INTO unapplied_payments (agency_id, subscription_id, source, reference, amount_minor, currency, reason,
                                        received_at, recorded_at)
        SELECT :agency_id, v.*, :as_of
        FROM unnest(CAST(:ids AS text[]), CAST(:sources AS text[]), CAST(:references AS text[]), CAST(:amounts AS bigint[]),
                    CAST(:currencies AS text[]), CAST(:reasons AS text[]), CAST(:received AS timestamptz[]))
             AS v(subscription_id, source, reference, amount_minor, currency, reason, received_at)
        ON CONFLICT DO NOTHING RETURNING subscription_id, source, reference
        """,
        agency_id=agency_id,
        as_of=tx.as_of,
        ids=[each.subscription_id for each in unapplied],
        sources=[each.source for each in unapplied],
        references=[each.reference for each in unapplied],
        amounts=[each.amount_minor for each in unapplied],
        currencies=[each.currency for each in unapplied],
        reasons=[each.reason for each in unapplied],
        received=[each.received_at for each in unapplied],
    )
    return {(row[0], row[1], row[2]) for row in rows}


def apply_unapplied(
    tx: Transaction, agency_id: str, subscription_ids: Collection[str], payments: Sequence[Payment]
) -> None:
    """An invoice was made after all: money that had none pays it, and says so."""
    tx.run(
        """
        UPDATE unapplied_payments AS u SET invoice_id = v.invoice_id
        FROM unnest(CAST(:sources AS text[]), CAST(:references AS text[]), CAST(:invoices AS text[]))
             AS v(source, reference, invoice_id)
        WHERE u.agency_id = :agency_id AND u.subscription_id = ANY(CAST(:ids AS text[])) AND u.source = v.source
          AND u.reference = v.reference AND u.invoice_id IS NULL
        """,
        agency_id=agency_id,
        ids=list(subscription_ids),
        sources=[each.source for each in payments],
        references=[each.reference for each in payments],
        invoices=[each.invoice_id for each in payments],
    )


def of_subscriptions(tx: Transaction, agency_id: str, ids: Collection[str]) -> set[tuple[str, str, str]]:
    """What was recorded for invoices of these subscriptions, as (subscription, source, reference)."""
    rows = tx.rows(
        """
        SELECT i.subscription_id, p.source, p.reference
        FROM invoices AS i JOIN payments AS p ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id
        WHERE i.agency_id = :agency_id AND i.subscription_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {(row[0], row[1], row[2]) for row in rows}


def of_checkout(
    tx: Transaction, agency_id: str, subscription_id: str, source: str, reference: str
) -> tuple[int, str] | None:
    """The amount and currency recorded of a checkout's payment, for an invoice or without one; None if it is not recorded."""
    rows = tx.rows(
        """
        SELECT p.amount_minor, p.currency
        FROM invoices AS i JOIN payments AS p ON p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id
        WHERE i.agency_id = :agency_id AND i.subscription_id = :subscription_id AND p.source = :source
          AND p.reference = :reference
        UNION ALL
        SELECT amount_minor, currency FROM unapplied_payments
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND source = :source AND reference = :reference
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        source=source,
        reference=reference,
    )
    return (rows[0][0], rows[0][1]) if rows else None
