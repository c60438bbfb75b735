"""Refunds: money of payments that goes back, each with what it takes back of its invoice."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from shared.domain.states import RefundState
from shared.store import bulk, tables
from shared.store.database import Transaction


class Refund(NamedTuple):
    """Money of one payment, going back. `fence` grows with each claim: an answer with an older one comes too late."""

    invoice_id: str
    refund_seq: int
    subscription_id: str
    client_id: str
    source: str
    payment_reference: str
    amount_minor: int
    currency: str
    reason: str | None
    origin: str
    requested_at: datetime
    key: str
    state: RefundState
    reference: str | None
    code: str | None
    wake_at: datetime | None
    lease_until: datetime | None
    fence: int
    sent_at: datetime | None
    settled_at: datetime | None
    doubtful_since: datetime | None


class Refundable(NamedTuple):
    """A payment, and what of it has not gone back, is not on its way back and was not taken back."""

    source: str
    reference: str
    left_minor: int


class Outside(NamedTuple):
    """How money that was given back elsewhere is named: by whom it was reported, and under which reference."""

    source: str
    reference: str


class NewCreditNote(NamedTuple):
    """A credit note to write; `taxes` is encoded JSON."""

    invoice_id: str
    refund_seq: int
    sequence: int
    number: str
    issued_on: date
    issued_at: datetime
    currency: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    taxes: str


_READ = ", ".join(Refund._fields)
_WRITTEN = ("state", "reference", "code", "wake_at", "lease_until", "fence", "sent_at", "settled_at", "doubtful_since")


def insert(tx: Transaction, agency_id: str, refunds: Sequence[Refund]) -> int:
    """Write new refunds. Returns how many were new."""
    return bulk.insert(tx, tables.refunds, ("agency_id", *Refund._fields), [(agency_id, *each) for each in refunds])


def write(tx: Transaction, agency_id: str, refunds: Sequence[Refund]) -> None:
    """Write how refunds go on; coming to a decision is an orderly end, so tries are forgotten."""
    rows = [(each.invoice_id, each.refund_seq, *(getattr(each, name) for name in _WRITTEN), 0) for each in refunds]
    bulk.update(
        tx, tables.refunds, agency_id, keys=("invoice_id", "refund_seq"), columns=(*_WRITTEN, "tries"), rows=rows
    )


def of_invoices(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[Refund]:
    """Every refund of these invoices, in their order."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM refunds
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) ORDER BY invoice_id, refund_seq
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [Refund._make(row) for row in rows]


def due(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[tuple[str, str]]:
    """(invoice, subscription) of these invoices that have a refund on its way. Read before the lock: only ids count."""
    rows = tx.rows(
        """
        SELECT DISTINCT invoice_id, subscription_id FROM refunds
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND wake_at IS NOT NULL
        ORDER BY invoice_id
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [(row[0], row[1]) for row in rows]


def count_tries(
    tx: Transaction, agency_id: str, invoice_ids: Collection[str], tries_max: int, park_for: timedelta
) -> None:
    """Got a second time: count a try before the work; one that was tried too often sleeps until a person decides."""
    tx.run(
        """
        UPDATE refunds SET tries = tries + 1,
               wake_at = CASE WHEN tries + 1 >= :most THEN :as_of + CAST(:park AS interval) ELSE wake_at END,
               code = CASE WHEN tries + 1 >= :most THEN 'kills_its_worker' ELSE code END
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'due' AND dispatches > 1
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        most=tries_max,
        park=park_for,
        as_of=tx.as_of,
    )


def refundable(tx: Transaction, agency_id: str, invoice_id: str) -> list[Refundable]:
    """The invoice's payments of which something is left, newest first."""
    rows = tx.rows(
        """
        SELECT source, reference, left_minor FROM (
            SELECT p.source, p.reference, p.received_at, p.amount_minor
                   - (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refunds AS r
                      WHERE r.agency_id = p.agency_id AND r.source = p.source AND r.payment_reference = p.reference
                        AND r.invoice_id = p.invoice_id AND r.state <> 'failed')
                   - (SELECT coalesce(sum(v.amount_minor), 0)::bigint FROM payment_reversals AS v
                      WHERE v.agency_id = p.agency_id AND v.source = p.source AND v.payment_reference = p.reference
                        AND v.invoice_id = p.invoice_id) AS left_minor
            FROM payments AS p WHERE p.agency_id = :agency_id AND p.invoice_id = :invoice_id
        ) AS each
        WHERE left_minor > 0 ORDER BY received_at DESC, source, reference
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
    )
    return [Refundable(*row) for row in rows]


def name_outside(tx: Transaction, agency_id: str, refunds: Sequence[Refund], outside: Outside) -> None:
    """Remember under which name these refunds were reported, so that they are not recorded again."""
    tx.run(
        """
        UPDATE refunds SET outside_source = :source, outside_reference = :reference
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND refund_seq = ANY(CAST(:seqs AS integer[]))
        """,
        agency_id=agency_id,
        ids=[each.invoice_id for each in refunds],
        seqs=[each.refund_seq for each in refunds],
        source=outside.source,
        reference=outside.reference,
    )


def given_back_outside(tx: Transaction, agency_id: str, invoice_id: str, outside: Outside) -> int:
    """What is recorded as given back of an invoice under that name, in minor units; 0 if nothing is."""
    found: int = tx.scalar(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND outside_source = :source
          AND outside_reference = :reference AND state = 'succeeded'
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        source=outside.source,
        reference=outside.reference,
    )
    return found


def credited(tx: Transaction, agency_id: str, invoice_id: str) -> list[list[dict[str, Any]]]:
    """What each credit note of an invoice has taken back so far, by tax rate."""
    rows = tx.rows(
        "SELECT taxes FROM credit_notes WHERE agency_id = :agency_id AND invoice_id = :invoice_id ORDER BY refund_seq",
        agency_id=agency_id,
        invoice_id=invoice_id,
    )
    return [row[0] for row in rows]


def taxes(tx: Transaction, agency_id: str, invoice_id: str) -> list[dict[str, Any]]:
    """The invoice's sums by tax rate."""
    found: list[dict[str, Any]] = tx.scalar(
        "SELECT taxes FROM invoices WHERE agency_id = :agency_id AND invoice_id = :invoice_id",
        agency_id=agency_id,
        invoice_id=invoice_id,
    )
    return found


def insert_credit_note(tx: Transaction, agency_id: str, note: NewCreditNote) -> None:
    """Write a credit note."""
    bulk.insert(tx, tables.credit_notes, ("agency_id", *NewCreditNote._fields), [(agency_id, *note)])


def by_reference(tx: Transaction, agency_id: str, source: str, reference: str) -> Refund | None:
    """The refund that a provider knows under this id."""
    rows = tx.rows(
        f"SELECT {_READ} FROM refunds WHERE agency_id = :agency_id AND source = :source AND reference = :reference",  # noqa: S608
        agency_id=agency_id,
        source=source,
        reference=reference,
    )
    return Refund._make(rows[0]) if rows else None


def by_references(tx: Transaction, agency_id: str, known: Collection[tuple[str, str]]) -> dict[tuple[str, str], Refund]:
    """The refunds that providers know under these ids, by (provider, id)."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM refunds WHERE agency_id = :agency_id AND (source, reference) IN
          (SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:references AS text[])))
        """,  # noqa: S608
        agency_id=agency_id,
        sources=[each[0] for each in known],
        references=[each[1] for each in known],
    )
    found = [Refund._make(row) for row in rows]
    return {(each.source, each.reference or ""): each for each in found}


def references(tx: Transaction, agency_id: str, source: str, wanted: Collection[str]) -> set[str]:
    """Which of a provider's ids of refunds are known here."""
    rows = tx.rows(
        """
        SELECT reference FROM refunds
        WHERE agency_id = :agency_id AND source = :source AND reference = ANY(CAST(:wanted AS text[]))
        """,
        agency_id=agency_id,
        source=source,
        wanted=list(wanted),
    )
    return {row[0] for row in rows}


def keys_of(tx: Transaction, agency_id: str, source: str, wanted: Collection[str]) -> set[str]:
    """Which of these keys are those of refunds by a provider that are known here."""
    rows = tx.rows(
        """
        SELECT key FROM refunds
        WHERE agency_id = :agency_id AND source = :source AND key = ANY(CAST(:wanted AS text[]))
        """,
        agency_id=agency_id,
        source=source,
        wanted=list(wanted),
    )
    return {row[0] for row in rows}


def settled_between(tx: Transaction, agency_id: str, source: str, since: datetime, until: datetime) -> list[Refund]:
    """Refunds by a provider that went through in a span of time, oldest first."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM refunds WHERE agency_id = :agency_id AND source = :source AND state = 'succeeded'
          AND settled_at >= :since AND settled_at < :until ORDER BY settled_at, invoice_id, refund_seq
        """,  # noqa: S608
        agency_id=agency_id,
        source=source,
        since=since,
        until=until,
    )
    return [Refund._make(row) for row in rows]


def by_key(tx: Transaction, agency_id: str, key: str) -> Refund | None:
    """The refund of a key."""
    rows = tx.rows(
        f"SELECT {_READ} FROM refunds WHERE agency_id = :agency_id AND key = :key",  # noqa: S608
        agency_id=agency_id,
        key=key,
    )
    return Refund._make(rows[0]) if rows else None
