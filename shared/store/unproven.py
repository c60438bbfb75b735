"""Webhooks that were kept before anybody knew whether they are the provider's, until it was asked."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain.retry_times import LEASE
from shared.store.database import Transaction

# Of one agency and provider at a time, those that can't be read apart from the others: whoever forges webhooks fills no disk.
KEPT_MAX = 1000
_UNBOUNDED = 2**31 - 1
UNREADABLE_WAIT = timedelta(hours=6)  # between two tries of what is proven and can't be applied


class Unproven(NamedTuple):
    """A webhook as it came; `tries`: how often it was asked about, with this time; `reason`: why it is still here."""

    unproven_id: int
    agency_id: str
    provider: str
    raw: bytes
    headers: Mapping[str, str]
    received_at: datetime
    tries: int
    reason: str | None


def keep(
    tx: Transaction, agency_id: str, provider: str, raw: bytes, headers: Mapping[str, str], *, most: int = KEPT_MAX
) -> bool:
    """Keep a webhook to be asked about now; a delivery that is kept already is kept. False: there are too many."""
    told = json.dumps(dict(headers), sort_keys=True)
    of = {
        "agency_id": agency_id,
        "provider": provider,
        "digest": _digest(raw, headers),
    }
    new = tx.run(
        """
        INSERT INTO unproven_webhooks (agency_id, provider, digest, raw, headers, received_at, ask_at)
        SELECT :agency_id, :provider, :digest, :raw, CAST(:headers AS jsonb), :as_of, :as_of
        WHERE (SELECT count(*) FROM unproven_webhooks
               WHERE agency_id = :agency_id AND provider = :provider AND (reason LIKE 'unreadable: %') IS NOT TRUE) < :most
        ON CONFLICT DO NOTHING
        """,
        **of,
        raw=raw,
        headers=told,
        as_of=tx.as_of,
        most=most,
    )
    return bool(new) or bool(
        tx.rows(
            """
            SELECT 1 FROM unproven_webhooks
            WHERE agency_id = :agency_id AND provider = :provider AND digest = :digest
            """,
            **of,
        )
    )


def set_aside(
    tx: Transaction, agency_id: str, provider: str, *, raw: bytes, headers: Mapping[str, str], reason: str
) -> int:
    """Keep a webhook that is proven and can't be read or applied, to be tried again.

    Of those that are kept for that reason the oldest make way; returns how many did.
    """
    keep(tx, agency_id, provider, raw, headers, most=_UNBOUNDED)
    of = {"agency_id": agency_id, "provider": provider}
    tx.run(
        """
        UPDATE unproven_webhooks SET ask_at = :ask_at, reason = :reason
        WHERE agency_id = :agency_id AND provider = :provider AND digest = :digest AND reason IS NULL
        """,
        **of,
        digest=_digest(raw, headers),
        reason=reason,
        ask_at=tx.as_of + UNREADABLE_WAIT,
    )
    return tx.run(
        """
        DELETE FROM unproven_webhooks WHERE unproven_id IN (
            SELECT unproven_id FROM unproven_webhooks
            WHERE agency_id = :agency_id AND provider = :provider AND reason LIKE 'unreadable: %'
            ORDER BY unproven_id DESC OFFSET :most)
        """,
        **of,
        most=KEPT_MAX,
    )


def _digest(raw: bytes, headers: Mapping[str, str]) -> bytes:
    """The same delivery has the same one."""
    return hashlib.sha256(json.dumps(dict(headers), sort_keys=True).encode() + b"\n" + raw).digest()


def take(tx: Transaction, most: int, each: int, busy: Mapping[tuple[str, str], int] | None = None) -> list[Unproven]:
    """Rows to ask about now, leased: the longest due of each agency and provider, then their next ones, so that many of one
    hold up none of another; `each` of one at most, less what is `busy` there already."""
    taken = list((busy or {}).items())
    rows = tx.rows(
        """
        WITH due AS (
            SELECT d.unproven_id FROM (
                SELECT u.unproven_id, u.ask_at, coalesce(b.busy, 0)
                       + row_number() OVER (PARTITION BY u.agency_id, u.provider ORDER BY u.ask_at, u.unproven_id) AS place
                FROM unproven_webhooks AS u
                LEFT JOIN unnest(CAST(:agencies AS text[]), CAST(:providers AS text[]), CAST(:numbers AS integer[]))
                          AS b(agency_id, provider, busy) USING (agency_id, provider)
                WHERE u.ask_at <= :as_of
            ) AS d WHERE d.place <= :each ORDER BY d.place, d.ask_at, d.unproven_id LIMIT :most
        ), mine AS (
            SELECT u.unproven_id FROM unproven_webhooks AS u JOIN due USING (unproven_id)
            WHERE u.ask_at <= :as_of FOR NO KEY UPDATE OF u SKIP LOCKED
        )
        UPDATE unproven_webhooks AS u SET ask_at = :until, tries = u.tries + 1 FROM mine
        WHERE u.unproven_id = mine.unproven_id
        RETURNING u.unproven_id, u.agency_id, u.provider, u.raw, u.headers, u.received_at, u.tries, u.reason
        """,
        agencies=[key[0] for key, _ in taken],
        providers=[key[1] for key, _ in taken],
        numbers=[number for _, number in taken],
        each=each,
        most=most,
        as_of=tx.as_of,
        until=tx.as_of + LEASE,
    )
    return sorted((Unproven._make(row) for row in rows), key=lambda row: row.unproven_id)


def again(tx: Transaction, row: Unproven, ask_at: datetime, reason: str) -> None:
    """It could not be said whether it is the provider's, or it could not be applied: ask again then."""
    tx.run(
        "UPDATE unproven_webhooks SET ask_at = :ask_at, reason = :reason WHERE unproven_id = :id AND tries = :tries",
        id=row.unproven_id,
        tries=row.tries,
        ask_at=ask_at,
        reason=reason,
    )


def drop(tx: Transaction, row: Unproven) -> None:
    """It is known what it is."""
    tx.run("DELETE FROM unproven_webhooks WHERE unproven_id = :id", id=row.unproven_id)
