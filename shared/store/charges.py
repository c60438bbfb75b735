"""Charges: one attempt to collect the outstanding amount of one invoice, at most one of them open at a time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from shared.domain.charging import Charge, NewCharge
from shared.store import bulk, tables
from shared.store.database import Transaction

_READ = ", ".join(Charge._fields)
_WRITTEN = (*(name for name in Charge._fields if name not in NewCharge._fields), "planned_at")
_OPEN = "state IN ('due', 'sending', 'unknown', 'pending', 'action_required')"
_SHOWN = "CASE WHEN state = 'due' AND planned_at > :as_of THEN 'planned' ELSE state END"


def insert(tx: Transaction, agency_id: str, planned: Sequence[NewCharge]) -> int:
    """Write attempts, due. Returns how many were new."""
    columns = ("agency_id", *NewCharge._fields, "state", "wake_at")
    rows = [(agency_id, *each, "due", each.planned_at) for each in planned]
    return bulk.insert(tx, tables.charges, columns, rows)


def open_of(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[Charge]:
    """The open attempt of each invoice that has one, by invoice; and ended ones that a webhook or a person reports as paid."""
    asked = "(state IN ('declined', 'not_sent') AND wake_at IS NOT NULL)"
    return _read(tx, agency_id, invoice_ids, f"AND ({_OPEN} OR {asked}) ORDER BY invoice_id, attempt")


def of_attempt(tx: Transaction, agency_id: str, invoice_id: str, attempt: int) -> Charge | None:
    """One attempt, in whatever state it is."""
    rows = tx.rows(
        f"SELECT {_READ} FROM charges WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND attempt = :attempt",  # noqa: S608
        agency_id=agency_id,
        invoice_id=invoice_id,
        attempt=attempt,
    )
    return Charge._make(rows[0]) if rows else None


def named(tx: Transaction, agency_id: str, provider: str, reference: str | None, key: str | None) -> Charge | None:
    """The attempt that has this key, or that a provider knows under this id."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM charges
        WHERE agency_id = :agency_id AND provider = :provider AND (key = :key OR reference = :reference)
        ORDER BY key = :key DESC NULLS LAST, attempt LIMIT 1
        """,  # noqa: S608
        agency_id=agency_id,
        provider=provider,
        reference=reference,
        key=key,
    )
    return Charge._make(rows[0]) if rows else None


def work_beside(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> set[str]:
    """Which tables beside this one have work for the charges pool about these invoices; nearly always none."""
    rows = tx.rows(
        " UNION ALL ".join(
            f"""
            SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table} WHERE agency_id = :agency_id
              AND invoice_id = ANY(CAST(:ids AS text[])) AND wake_at IS NOT NULL)
            """  # noqa: S608
            for table in ("refunds", "pay_links", "payment_inquiries")
        ),
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return {row[0] for row in rows}


def put_back(tx: Transaction, agency_id: str, invoice_ids: Collection[str], until: datetime) -> int:
    """Let attempts that were dispatched and not begun wake at `until`, as if they had not been. Returns how many.

    What may be on its way elsewhere is left to its lease.
    """
    return tx.run(
        """
        UPDATE charges SET wake_at = :until, dispatches = greatest(0, dispatches - 1)
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'due'
          AND planned_at <= :as_of AND wake_at > :as_of
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        until=until,
        as_of=tx.as_of,
    )


def latest_of(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> dict[str, Charge]:
    """The latest attempt of each invoice that has one."""
    found = _read(tx, agency_id, invoice_ids, "ORDER BY invoice_id, attempt")
    return {charge.invoice_id: charge for charge in found}


def _read(tx: Transaction, agency_id: str, invoice_ids: Collection[str], ending: str) -> list[Charge]:
    rows = tx.rows(
        f"SELECT {_READ} FROM charges WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) {ending}",  # noqa: S608
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [Charge._make(row) for row in rows]


def write(tx: Transaction, agency_id: str, charges: Sequence[Charge]) -> None:
    """Write attempts back whole; coming to a decision is an orderly end, so tries are forgotten."""
    rows = [(charge.invoice_id, charge.attempt, *(getattr(charge, name) for name in _WRITTEN), 0) for charge in charges]
    bulk.update(tx, tables.charges, agency_id, keys=("invoice_id", "attempt"), columns=(*_WRITTEN, "tries"), rows=rows)


def wake_doubtful(tx: Transaction, agency_id: str, invoice_id: str) -> None:
    """Let an attempt in doubt be asked about now."""
    tx.run(
        """
        UPDATE charges SET wake_at = :as_of, planned_at = :as_of
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND state IN ('unknown', 'pending')
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        as_of=tx.as_of,
    )


def unended(
    tx: Transaction, agency_id: str | None, state: str | None, code: str | None, limit: int
) -> list[dict[str, Any]]:
    """Attempts that have not ended, longest first, as operators want to see them. `code`: what it begins with.

    One whose time has not come has the state `planned` here.
    """
    return tx.mappings(
        f"""
        SELECT agency_id, invoice_id, attempt, {_SHOWN} AS state, code, provider, key, amount_minor, currency, reference,
               coalesce(doubtful_since, planned_at) AS since, sent_at, wake_at
        FROM charges WHERE {_OPEN} AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
          AND (CAST(:state AS text) IS NULL OR {_SHOWN} = :state)
          AND (CAST(:code AS text) IS NULL OR split_part(code, ':', 1) = :code)
        ORDER BY coalesce(doubtful_since, planned_at), agency_id, invoice_id LIMIT :limit
        """,  # noqa: S608
        agency_id=agency_id,
        state=state,
        code=code,
        limit=limit,
        as_of=tx.as_of,
    )


def end_open(tx: Transaction, agency_id: str, invoice_ids: Collection[str], code: str) -> None:
    """The invoices are resolved: attempts that were planned or wait for the customer are not sent any more."""
    tx.run(
        """
        UPDATE charges SET state = 'not_sent', code = :code, wake_at = NULL, settled_at = :as_of
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state IN ('due', 'action_required')
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        code=code,
        as_of=tx.as_of,
    )


def in_flight(tx: Transaction, agency_id: str, invoice_id: str) -> bool:
    """True while money may be on its way for an invoice."""
    return bool(
        tx.scalar(
            """
            SELECT true FROM charges WHERE agency_id = :agency_id AND invoice_id = :invoice_id
              AND state IN ('sending', 'unknown', 'pending')
            """,
            agency_id=agency_id,
            invoice_id=invoice_id,
        )
    )


def wake_open(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> None:
    """What attempts of these invoices waited for has happened (a message, or the client paid on a page): check them now."""
    tx.run(
        """
        UPDATE charges SET wake_at = :as_of, planned_at = least(planned_at, :as_of)
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'due'
          AND (planned_at <= :as_of OR code = 'client_is_paying')
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        as_of=tx.as_of,
    )


def count_tries(tx: Transaction, agency_id: str, invoice_ids: Collection[str], tries_max: int) -> set[str]:
    """A worker got these attempts a second time: count a try before the work. Returns those tried too often.

    Only planned attempts count: a claim resets the count, and what is in flight has its lease. Takes no subscription's
    lock, so it must never wait: rows that somebody is writing right now are passed over.
    """
    rows = tx.rows(
        """
        UPDATE charges AS c SET tries = c.tries + 1
        FROM (SELECT agency_id, invoice_id, attempt FROM charges
              WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'due' AND dispatches > 1
                AND planned_at <= :as_of FOR NO KEY UPDATE SKIP LOCKED) AS k
        WHERE c.agency_id = k.agency_id AND c.invoice_id = k.invoice_id AND c.attempt = k.attempt
        RETURNING c.invoice_id, c.tries
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        as_of=tx.as_of,
    )
    return {row[0] for row in rows if row[1] >= tries_max}


def forget_tries(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> None:
    """The worker came to an orderly end without claiming these; rows that somebody is writing are passed over."""
    tx.run(
        """
        UPDATE charges AS c SET tries = 0
        FROM (SELECT agency_id, invoice_id, attempt FROM charges
              WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state = 'due' AND tries > 0
              FOR NO KEY UPDATE SKIP LOCKED) AS k
        WHERE c.agency_id = k.agency_id AND c.invoice_id = k.invoice_id AND c.attempt = k.attempt
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
