"""Gapless numbers: one row per agency and kind of document, locked last and only until the transaction ends."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from shared.domain.keys import may_be_of_credit_note, sequences_of
from shared.store.database import Transaction

INVOICE: Final = "invoice"
CREDIT_NOTE: Final = "credit_note"


def take(tx: Transaction, agency_id: str, kind: str, count: int, issued_on: date | None) -> tuple[int, date | None]:
    """Take `count` numbers in a row; a rollback gives them back, so the series has no gap. 0 only locks the series.

    Returns the first number, and the date of issue to print: `issued_on`, but never before the series' last one.
    Several series are locked in sorted order of agency, invoices before credit notes; nothing else is locked after them.
    """
    rows = tx.rows(
        """
        INSERT INTO number_series AS n (agency_id, kind, next_sequence, last_issued_on)
        VALUES (:agency_id, :kind, 1 + :count, :issued_on)
        ON CONFLICT (agency_id, kind) DO UPDATE
          SET next_sequence = n.next_sequence + :count, last_issued_on = greatest(n.last_issued_on, :issued_on)
        RETURNING next_sequence - :count, last_issued_on
        """,
        agency_id=agency_id,
        kind=kind,
        count=count,
        issued_on=issued_on,
    )
    return rows[0][0], rows[0][1]


def taken(tx: Transaction, agency_id: str, kind: str, printed: Mapping[int, str]) -> set[int]:
    """Which of these new numbers of one kind, by sequence, some document of the agency carries already. The series is locked.

    Numbers given by upstream are found by their own index. Within one kind a number of ours can only be repeated where a
    change of the prefix makes another sequence print the same; the other kind may have printed it under any sequence.
    """
    by_number = {text: sequence for sequence, text in printed.items()}
    every = [(of, text) for text in by_number for of in sequences_of(text)]
    others = [(of, text) for of, text in every if of != by_number[text]]
    found = _external(tx, agency_id, list(by_number))
    found |= _ours(tx, agency_id, "invoices", others if kind == INVOICE else every)
    if any(may_be_of_credit_note(text) for text in by_number):
        found |= _ours(tx, agency_id, "credit_notes", others if kind == CREDIT_NOTE else every)
    return {by_number[text] for text in found}


def _external(tx: Transaction, agency_id: str, numbers: Sequence[str]) -> set[str]:
    rows = tx.rows(
        """
        SELECT external_number FROM invoices
        WHERE agency_id = :agency_id AND external_number = ANY(CAST(:numbers AS text[]))
        """,
        agency_id=agency_id,
        numbers=list(numbers),
    )
    return {row[0] for row in rows}


def _ours(tx: Transaction, agency_id: str, table: str, candidates: Sequence[tuple[int, str]]) -> set[str]:
    """Those of these numbers, each with a sequence that may print it, which a document of our series has."""
    if not candidates:
        return set()
    rows = tx.rows(
        f"""
        SELECT t.number FROM {table} AS t
        JOIN unnest(CAST(:sequences AS bigint[]), CAST(:numbers AS text[])) AS v(sequence, number)
          ON t.sequence = v.sequence AND t.number = v.number
        WHERE t.agency_id = :agency_id
        """,  # noqa: S608
        agency_id=agency_id,
        sequences=[each[0] for each in candidates],
        numbers=[each[1] for each in candidates],
    )
    return {row[0] for row in rows}


def is_taken(tx: Transaction, agency_id: str, number: str) -> bool:
    """True if some document of the agency, ours or given by upstream, carries a number. Both series are locked."""
    candidates = [(sequence, number) for sequence in sequences_of(number)]
    return bool(_external(tx, agency_id, [number]) | _ours(tx, agency_id, "invoices", candidates)) or is_of_credit_note(
        tx, agency_id, number
    )


def is_ours(tx: Transaction, agency_id: str, number: str) -> bool:
    """True if our own series has given this number to an invoice of the agency."""
    return bool(_ours(tx, agency_id, "invoices", [(sequence, number) for sequence in sequences_of(number)]))


def is_of_credit_note(tx: Transaction, agency_id: str, number: str) -> bool:
    """True if a credit note of the agency has this number."""
    return bool(_ours(tx, agency_id, "credit_notes", [(sequence, number) for sequence in sequences_of(number)]))


def skip(tx: Transaction, agency_id: str, kind: str, skipped: Mapping[int, str]) -> None:
    """Remember numbers that the series steps over, by sequence: another document carries them, so there is no gap."""
    if not skipped:
        return
    tx.run(
        """
        INSERT INTO skipped_numbers (agency_id, kind, sequence, number, skipped_at)
        SELECT :agency_id, :kind, v.sequence, v.number, :as_of
        FROM unnest(CAST(:sequences AS bigint[]), CAST(:numbers AS text[])) AS v(sequence, number)
        """,
        agency_id=agency_id,
        kind=kind,
        as_of=tx.as_of,
        sequences=list(skipped),
        numbers=list(skipped.values()),
    )
