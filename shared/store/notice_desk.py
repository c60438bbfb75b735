"""What operators look up and decide about notices: which were not sent and why, send one now, or leave it unsent."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from shared.store.database import Transaction
from shared.store.notices import ADDRESS


class Wanted(NamedTuple):
    """Which notices are meant; None: whichever."""

    agency_id: str | None = None
    state: str | None = None
    outcome: str | None = None


class Listed(NamedTuple):
    """A notice as operators see it; `outcome` is what became of the latest try, None before the first.

    One that is tried again later has the state `planned` here, and is due once that time has come.
    """

    agency_id: str
    key: str
    occasion: str
    audience: str
    recipient: str
    invoice_id: str | None
    state: str
    outcome: str | None
    created_at: datetime
    tries: int
    tried_at: datetime | None
    refused_since: datetime | None
    doubts: int
    wake_at: datetime | None
    sent_at: datetime | None
    reason: str | None


_SHOWN = "CASE WHEN state = 'due' AND not_before > :as_of THEN 'planned' ELSE state END"
_LISTED = f"""
SELECT {", ".join(f"{_SHOWN} AS state" if each == "state" else each for each in Listed._fields)} FROM notices
WHERE (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
  AND (CAST(:state AS text) IS NULL AND (state = 'failed' OR state = 'due' AND outcome IS NOT NULL)
       OR {_SHOWN} = :state)
  AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
ORDER BY created_at, agency_id, key LIMIT :limit"""  # noqa: S608


def listed(tx: Transaction, wanted: Wanted, limit: int) -> list[Listed]:
    """Notices, oldest first. Without a state: those that were given up, and those that were refused and are tried again."""
    rows = tx.rows(_LISTED, **wanted._asdict(), limit=limit, as_of=tx.as_of)
    return [Listed._make(row) for row in rows]


def known(tx: Transaction, agency_id: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that the agency has a notice of."""
    rows = tx.rows(
        "SELECT key FROM notices WHERE agency_id = :agency_id AND key = ANY(CAST(:keys AS text[]))",
        agency_id=agency_id,
        keys=list(keys),
    )
    return {row[0] for row in rows}


_OPEN = "agency_id = :agency_id AND key = ANY(CAST(:keys AS text[])) AND state IN ('due', 'failed')"


def send_again(tx: Transaction, agency_id: str, keys: Collection[str]) -> list[str]:
    """Due and failed notices are due now, with fresh patience, to the addresses of now. Returns the keys of those.

    One that a worker is sending right now stays his until his lease is over.
    """
    rows = tx.rows(
        f"""
        UPDATE notices AS n
        SET state = 'due', wake_at = greatest(:as_of, coalesce(lease_until, :as_of)), not_before = NULL, tries = 0,
            dispatches = 0, refused_since = NULL, doubts = 0, recipient = coalesce({ADDRESS}, n.recipient)
        WHERE {_OPEN} RETURNING key
        """,  # noqa: S608
        agency_id=agency_id,
        keys=list(keys),
        as_of=tx.as_of,
    )
    return sorted(row[0] for row in rows)


def skip(tx: Transaction, agency_id: str, keys: Collection[str], reason: str) -> list[str]:
    """Due and failed notices are not sent any more. Returns the keys of those; one that is being sent right now is left."""
    rows = tx.rows(
        f"""
        UPDATE notices SET state = 'skipped', wake_at = NULL, lease_until = NULL, not_before = NULL, reason = :reason
        WHERE {_OPEN} AND (lease_until IS NULL OR lease_until <= :as_of) RETURNING key
        """,  # noqa: S608
        agency_id=agency_id,
        keys=list(keys),
        reason=reason,
        as_of=tx.as_of,
    )
    return sorted(row[0] for row in rows)
