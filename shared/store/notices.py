"""Notices: one message to one recipient for one occasion."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.domain.states import NoticeState
from shared.store import bulk, tables
from shared.store.database import Transaction


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
    """A notice that was claimed for sending; `outcome` is what became of the latest try, None before the first."""

    key: str
    occasion: str
    audience: str
    recipient: str
    subscription_id: str | None
    invoice_id: str | None
    context: Any
    created_at: datetime
    tries: int
    outcome: str | None
    tried_at: datetime | None
    refused_since: datetime | None
    doubts: int


def insert(tx: Transaction, agency_id: str, notices: Sequence[NewNotice]) -> int:
    """Write notices, due now. Returns how many were new: there is one notice per occasion."""
    columns = ("agency_id", *NewNotice._fields, "state", "created_at", "wake_at")
    return bulk.insert(tx, tables.notices, columns, [(agency_id, *each, "due", tx.as_of, tx.as_of) for each in notices])


def count(tx: Transaction, agency_id: str, invoice_id: str, occasion: str) -> int:
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


# Who is meant has not changed, his address may have: the invoice's client, or the agency.
ADDRESS = """
CASE n.audience
    WHEN 'agency' THEN (SELECT a.email FROM agencies AS a WHERE a.agency_id = n.agency_id)
    ELSE (SELECT c.email FROM invoices AS i JOIN clients AS c ON c.agency_id = i.agency_id AND c.client_id = i.client_id
          WHERE i.agency_id = n.agency_id AND i.invoice_id = n.invoice_id)
END"""


def claim(tx: Transaction, agency_id: str, keys: Sequence[str], lease: timedelta) -> list[Notice]:
    """Take notices that nobody else is sending, and count the try, so that no two workers send one.

    Never tried ones come first, then those tried longest ago: one that stops the others is not the first again. One that was
    refused goes to the address that its recipient has now.
    """
    rows = tx.rows(
        f"""
        UPDATE notices AS n
        SET lease_until = :until, wake_at = :until, tries = least(n.tries + 1, 1000),
            recipient = CASE WHEN n.outcome IS NULL THEN n.recipient ELSE coalesce({ADDRESS}, n.recipient) END
        FROM (SELECT agency_id, key FROM notices
              WHERE agency_id = :agency_id AND key = ANY(CAST(:keys AS text[])) AND state = 'due'
                AND (lease_until IS NULL OR lease_until <= :as_of) AND (not_before IS NULL OR not_before <= :as_of)
              ORDER BY key FOR NO KEY UPDATE SKIP LOCKED) AS k
        WHERE n.agency_id = k.agency_id AND n.key = k.key
        RETURNING n.key, n.occasion, n.audience, n.recipient, n.subscription_id, n.invoice_id, n.context, n.created_at,
                  n.tries, n.outcome, n.tried_at, n.refused_since, n.doubts
        """,  # noqa: S608
        agency_id=agency_id,
        keys=sorted(keys),
        until=tx.as_of + lease,
        as_of=tx.as_of,
    )
    return sorted((Notice._make(row) for row in rows), key=_order)


def hold(tx: Transaction, agency_id: str, key: str, until: datetime) -> bool:
    """Lengthen the lease of a claimed notice. False: the lease was over, or the notice is settled."""
    return bool(
        tx.run(
            """
            UPDATE notices SET lease_until = :until, wake_at = :until
            WHERE agency_id = :agency_id AND key = :key AND state = 'due' AND lease_until > :as_of
            """,
            agency_id=agency_id,
            key=key,
            until=until,
            as_of=tx.as_of,
        )
    )


def _order(notice: Notice) -> tuple[bool, datetime, str]:
    return (notice.tried_at is not None, notice.tried_at or notice.created_at, notice.key)


def wake_readdressed(tx: Transaction, agency_ids: Collection[str], senders: Collection[str]) -> None:
    """Facts of these agencies have changed: a refused notice whose recipient has another address now is tried at once; of
    `senders`, which may have another address themselves, also what was refused for that. One that is being sent stays.
    """
    tx.run(
        f"""
        UPDATE notices AS n SET wake_at = :as_of, not_before = NULL
        FROM (SELECT n.agency_id, n.key FROM notices AS n
              WHERE n.agency_id = ANY(CAST(:agencies AS text[])) AND n.state = 'due' AND n.wake_at > :as_of
                AND (n.lease_until IS NULL OR n.lease_until <= :as_of)
                AND (n.outcome = 'recipient' AND coalesce({ADDRESS}, n.recipient) <> n.recipient
                     OR n.outcome = 'agency' AND n.agency_id = ANY(CAST(:senders AS text[])))
              ORDER BY n.agency_id, n.key FOR NO KEY UPDATE OF n SKIP LOCKED) AS k
        WHERE n.agency_id = k.agency_id AND n.key = k.key
        """,  # noqa: S608
        agencies=sorted(agency_ids),
        senders=sorted(senders),
        as_of=tx.as_of,
    )


class Sending(NamedTuple):
    """What became of a notice: sent, failed (given up), or due again at `wake_at`, and not before."""

    key: str
    state: NoticeState
    subject: str | None
    message_id: str | None
    reason: str | None
    wake_at: datetime | None
    sent_at: datetime | None
    tries: int
    outcome: str | None = None
    tried_at: datetime | None = None
    refused_since: datetime | None = None
    doubts: int = 0


def settle(tx: Transaction, agency_id: str, sendings: Sequence[Sending]) -> int:
    """Record what became of notices. One that another worker has settled since, its lease being over, stays as it is.

    Returns how many were recorded.
    """
    still_due = bulk.still_in("t.state", ["due"])
    columns = (*Sending._fields[1:], "not_before", "lease_until")
    rows = [(*each, each.wake_at, None) for each in sendings]
    return bulk.update_found(tx, tables.notices, agency_id, keys=("key",), columns=columns, rows=rows, where=still_due)
