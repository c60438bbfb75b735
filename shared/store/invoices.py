"""Invoices and their lines: written once, then only their collection moves."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from shared.domain.states import InvoiceStatus
from shared.store import bulk, pay_links, tables
from shared.store.database import Transaction
from shared.store.errors import require_all


class NewInvoice(NamedTuple):
    """An invoice to write, in the order of its columns. Outside the series the cycle is None."""

    invoice_id: str
    subscription_id: str
    client_id: str
    cycle_starts_on: date | None
    cycle_ends_on: date | None
    cycle_index: int | None
    sequence: int | None
    number: str | None
    external_number: str | None
    status: InvoiceStatus
    collection: str
    origin: str
    issued_on: date
    issued_at: datetime
    due_on: date
    currency: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    taxes: str
    paid_at: datetime | None
    settled_at: datetime | None
    snapshot: str


class NewLine(NamedTuple):
    """A line to write."""

    invoice_id: str
    line_no: int
    description: str
    quantity: int
    unit_price_minor: int
    net_minor: int
    tax_name: str | None
    tax_rate: str


class Invoice(NamedTuple):
    """An invoice as collection sees it; `collected_minor` is the sum of its payments, less what was taken back."""

    invoice_id: str
    subscription_id: str
    client_id: str
    cycle_starts_on: date | None
    cycle_ends_on: date | None
    cycle_index: int | None
    number: str | None
    status: InvoiceStatus
    collection: str
    origin: str
    issued_on: date
    due_on: date
    currency: str
    total_minor: int
    failing_since: datetime | None
    ladder_started_at: datetime | None
    ladder: int
    exhausted_at: datetime | None
    snapshot: Any
    collected_minor: int

    @property
    def outstanding_minor(self) -> int:
        """What is still to be collected; 0 when more than the total came in."""
        return max(0, self.total_minor - self.collected_minor)


_READ = ", ".join(f"i.{name}" for name in Invoice._fields[:-1]).replace(
    "i.number", "coalesce(i.number, i.external_number)"
)


def insert(tx: Transaction, agency_id: str, invoices: Sequence[NewInvoice], lines: Sequence[NewLine]) -> int:
    """Write invoices with their lines. Returns how many invoices were new."""
    written = bulk.insert(
        tx, tables.invoices, ("agency_id", *NewInvoice._fields), [(agency_id, *each) for each in invoices]
    )
    bulk.insert(tx, tables.invoice_lines, ("agency_id", *NewLine._fields), [(agency_id, *each) for each in lines])
    return written


def load(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, Invoice]:
    """Invoices by id, with what they collected."""
    rows = tx.rows(
        f"""
        SELECT {_READ}, coalesce(p.collected, 0)
        FROM invoices AS i
        LEFT JOIN LATERAL (SELECT sum(amount_minor)::bigint AS collected
                           FROM (SELECT amount_minor FROM payments
                                 WHERE agency_id = i.agency_id AND invoice_id = i.invoice_id
                                 UNION ALL SELECT -amount_minor FROM payment_reversals
                                 WHERE agency_id = i.agency_id AND invoice_id = i.invoice_id) AS moved) AS p ON true
        WHERE i.agency_id = :agency_id AND i.invoice_id = ANY(CAST(:ids AS text[]))
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: Invoice._make(row) for row in rows}


def subscriptions_of(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, str]:
    """The subscription of each invoice; it never changes, so it may be read before the lock."""
    rows = tx.rows(
        """
        SELECT invoice_id, subscription_id FROM invoices
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: row[1] for row in rows}


def latest_statuses(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Of each subscription: the status and index of the latest invoice of its series."""
    rows = tx.rows(
        """
        SELECT k.subscription_id, i.status, i.cycle_index
        FROM unnest(CAST(:ids AS text[])) AS k(subscription_id)
        CROSS JOIN LATERAL (
            SELECT status, cycle_index FROM invoices
            WHERE agency_id = :agency_id AND subscription_id = k.subscription_id AND cycle_starts_on IS NOT NULL
              AND replaced = 0
            ORDER BY cycle_starts_on DESC LIMIT 1
        ) AS i
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def latest_ids(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Of each subscription: the id of the latest invoice of its series."""
    rows = tx.rows(
        """
        SELECT DISTINCT ON (subscription_id) subscription_id, invoice_id FROM invoices
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND cycle_starts_on IS NOT NULL
          AND replaced = 0
        ORDER BY subscription_id, cycle_starts_on DESC
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: row[1] for row in rows}


def close(
    tx: Transaction, agency_id: str, ids: Sequence[str], status: InvoiceStatus, paid_at: Sequence[datetime | None]
) -> None:
    """Move invoices to a status that resolves or gives up their collection. Raises MissedRowsError for one that is there
    already."""
    written = tx.run(
        """
        UPDATE invoices AS i SET status = :status, paid_at = v.paid_at,
               settled_at = CASE WHEN :status = 'uncollectible' THEN NULL ELSE CAST(:as_of AS timestamptz) END,
               failing_since = CASE WHEN :status = 'uncollectible' THEN i.failing_since END,
               failing_code = CASE WHEN :status = 'uncollectible' THEN i.failing_code END
        FROM unnest(CAST(:ids AS text[]), CAST(:paid_at AS timestamptz[])) AS v(invoice_id, paid_at)
        WHERE i.agency_id = :agency_id AND i.invoice_id = v.invoice_id AND i.status <> :status
        """,
        agency_id=agency_id,
        ids=list(ids),
        status=status,
        as_of=tx.as_of,
        paid_at=list(paid_at),
    )
    require_all(written, len(ids), f"invoices of {agency_id}")
    if status != "paid":  # what pays an invoice has closed its open payment pages already
        pay_links.wake_unwanted(tx, agency_id, ids)


def reopen(tx: Transaction, agency_id: str, invoice_id: str, code: str) -> None:
    """A paid invoice whose money was taken back is open and failing; nothing is collected until somebody gives a reason to."""
    written = tx.run(
        """
        UPDATE invoices SET status = 'open', paid_at = NULL, settled_at = NULL, failing_since = :as_of,
               failing_code = :code, ladder_started_at = NULL, ladder = ladder + 1, exhausted_at = :as_of
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND status = 'paid'
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        code=code,
        as_of=tx.as_of,
    )
    require_all(written, 1, f"invoices of {agency_id}")


class Failing(NamedTuple):
    """How far the collection of an open invoice has got after a failure or a new start."""

    invoice_id: str
    failing_since: datetime | None
    failing_code: str | None
    ladder_started_at: datetime | None
    ladder: int
    exhausted_at: datetime | None


def mark_failing(tx: Transaction, agency_id: str, failing: Sequence[Failing]) -> None:
    """Write how far collection has got."""
    bulk.update(tx, tables.invoices, agency_id, keys=("invoice_id",), columns=Failing._fields[1:], rows=failing)


def by_number(tx: Transaction, agency_id: str, number: str, sequences: Sequence[int]) -> list[str]:
    """Ids of the invoices that carry a number, ours or given by upstream: one at most, since numbers are given once.

    `sequences`: those that the number may end in; there is no index on numbers.
    """
    rows = tx.rows(
        """
        SELECT invoice_id FROM invoices
        WHERE agency_id = :agency_id AND sequence = ANY(CAST(:sequences AS bigint[])) AND number = :number
        UNION SELECT invoice_id FROM invoices WHERE agency_id = :agency_id AND external_number = :number
        ORDER BY 1 LIMIT 2
        """,
        agency_id=agency_id,
        number=number,
        sequences=list(sequences),
    )
    return [row[0] for row in rows]


def by_period(tx: Transaction, agency_id: str, subscription_id: str, starts_on: date) -> list[str]:
    """The id of the invoice of one cycle, if there is one."""
    rows = tx.rows(
        """
        SELECT invoice_id FROM invoices
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND cycle_starts_on = :starts_on
          AND replaced = 0
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        starts_on=starts_on,
    )
    return [row[0] for row in rows]


def replace(tx: Transaction, agency_id: str, subscription_id: str, starts_on: date) -> None:
    """Make room for another invoice of a cycle whose own is void: that one keeps its period and its number."""
    tx.run(
        """
        UPDATE invoices SET replaced = (SELECT 1 + max(replaced) FROM invoices WHERE agency_id = :agency_id
                                          AND subscription_id = :subscription_id AND cycle_starts_on = :starts_on)
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND cycle_starts_on = :starts_on
          AND replaced = 0 AND status = 'void'
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        starts_on=starts_on,
    )
