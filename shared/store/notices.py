"""Notices: one message to one recipient for one occasion."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.store import bulk, tables
from shared.store.transaction import Tx


class NewNotice(NamedTuple):
    """A notice to write; `context` is the encoded JSON that its text is made of."""

    key: str
    occasion: str
    audience: str
    recipient: str
    subscription_id: str | None
    invoice_id: str | None
    context: str


class Notice(NamedTuple):
    """A notice that was claimed for sending."""

    key: str
    occasion: str
    audience: str
    recipient: str
    subscription_id: str | None
    invoice_id: str | None
    context: Any
    created_at: datetime
    tries: int


def insert(tx: Tx, agency_id: str, notices: Sequence[NewNotice]) -> int:
    """Write notices, due now. Returns how many were new: an occasion is told once."""
    columns = ("agency_id", *NewNotice._fields, "state", "created_at", "wake_at")
    return bulk.insert(tx, tables.notices, columns, [(agency_id, *each, "due", tx.as_of, tx.as_of) for each in notices])


def count(tx: Tx, agency_id: str, invoice_id: str, occasion: str) -> int:
    """How many notices of an occasion there are about an invoice."""
    found: int = tx.scalar(
        """
        SELECT count(*) FROM notices
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND occasion = :occasion
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        occasion=occasion,
    )
    return found


def claim(tx: Tx, agency_id: str, keys: Sequence[str], lease: timedelta) -> list[Notice]:
    """Take notices that nobody else is sending, and count the try, so that no two workers send one."""
    rows = tx.rows(
        """
        UPDATE notices AS n SET lease_until = :until, wake_at = :until, tries = n.tries + 1
        FROM (SELECT agency_id, key FROM notices
              WHERE agency_id = :agency_id AND key = ANY(CAST(:keys AS text[])) AND state = 'due'
                AND (lease_until IS NULL OR lease_until <= :as_of)
              ORDER BY key FOR NO KEY UPDATE SKIP LOCKED) AS k
        WHERE n.agency_id = k.agency_id AND n.key = k.key
        RETURNING n.key, n.occasion, n.audience, n.recipient, n.subscription_id, n.invoice_id, n.context, n.created_at,
                  n.tries
        """,
        agency_id=agency_id,
        keys=sorted(keys),
        until=tx.as_of + lease,
        as_of=tx.as_of,
    )
    return sorted((Notice._make(row) for row in rows), key=lambda notice: notice.key)


class Sending(NamedTuple):
    """What became of a notice: sent, failed for good, or due again at `wake_at`."""

    key: str
    state: str
    subject: str | None
    message_id: str | None
    reason: str | None
    wake_at: datetime | None
    sent_at: datetime | None
    lease_until: datetime | None
    tries: int


def settle(tx: Tx, agency_id: str, sendings: Sequence[Sending]) -> None:
    """Record what became of notices. One that another worker has settled since, its lease being over, stays as it is."""
    still_due = bulk.still_in("t.state", ["due"])
    bulk.update_found(tx, tables.notices, agency_id, ("key",), Sending._fields[1:], sendings, still_due)
