"""Events that the exchange did not take: each waits on its own, and the later ones of its subject wait behind it."""

from collections.abc import Sequence
from datetime import timedelta

from shared.store.events import Unpublished
from shared.store.transaction import Transaction

FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=10), timedelta(hours=1)


def due(tx: Transaction, limit: int) -> list[Unpublished]:
    """Refused events whose next try has come, the longest overdue first."""
    return [
        Unpublished._make(row)
        for row in tx.rows(
            """
            SELECT e.agency_id, e.event_id, e.type, e.subject, e.subject_seq, e.at, e.data FROM (
                SELECT agency_id, event_id, retry_at FROM refused_events
                WHERE retry_at <= :as_of ORDER BY retry_at LIMIT :limit) AS r
            JOIN events AS e ON e.agency_id = r.agency_id AND e.event_id = r.event_id
            ORDER BY r.retry_at, e.event_id
            """,
            as_of=tx.as_of,
            limit=limit,
        )
    ]


def wait_behind(tx: Transaction, fresh: Sequence[Unpublished]) -> set[tuple[str, int]]:
    """Let those events wait whose subject has a refused one. Returns them, as (agency, event id)."""
    rows = tx.rows(
        """
        UPDATE events AS e SET waits = true
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[]), CAST(:subjects AS text[]))
             AS v(agency_id, event_id, subject)
        JOIN refused_events AS r ON r.agency_id = v.agency_id AND r.subject = v.subject
        WHERE e.agency_id = v.agency_id AND e.event_id = v.event_id
        RETURNING e.agency_id, e.event_id
        """,
        **_of(fresh),
    )
    return {(row[0], row[1]) for row in rows}


def refuse(tx: Transaction, refused: Sequence[Unpublished]) -> None:
    """These were not taken, at most one of a subject: they are tried again after a delay that doubles each time."""
    if not refused:
        return
    tx.run(
        """
        WITH waiting AS (
            UPDATE events AS e SET waits = true
            FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[])) AS v(agency_id, event_id)
            WHERE e.agency_id = v.agency_id AND e.event_id = v.event_id AND NOT e.waits
        )
        INSERT INTO refused_events AS r (agency_id, subject, event_id, refusals, refused_at, retry_at)
        SELECT v.agency_id, v.subject, v.event_id, 1, :as_of, CAST(:as_of AS timestamptz) + CAST(:first AS interval)
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[]), CAST(:subjects AS text[]))
             AS v(agency_id, event_id, subject)
        ON CONFLICT (agency_id, subject) DO UPDATE SET
            refusals = r.refusals + 1,
            retry_at = excluded.refused_at
                     + least(CAST(:longest AS interval), CAST(:first AS interval) * power(2, least(r.refusals, 20)))
        """,
        **_of(refused),
        as_of=tx.as_of,
        first=FIRST_DELAY,
        longest=LONGEST_DELAY,
    )


def release(tx: Transaction, published: Sequence[Unpublished]) -> int:
    """These were refused before and are published now: what waits behind them goes out next. Returns how many there were.

    The queue that refused them has room again: twice as many of the other refused ones are due at once.
    """
    if not published:
        return 0
    released = tx.rows(
        """
        WITH gone AS (
            DELETE FROM refused_events AS r
            USING unnest(CAST(:agencies AS text[]), CAST(:ids AS bigint[]), CAST(:subjects AS text[]))
                  AS v(agency_id, event_id, subject)
            WHERE r.agency_id = v.agency_id AND r.subject = v.subject AND r.event_id = v.event_id
            RETURNING r.agency_id, r.subject
        ), following AS (
            UPDATE events AS e SET waits = false FROM gone
            WHERE e.agency_id = gone.agency_id AND e.subject = gone.subject AND e.waits
        )
        SELECT 1 FROM gone
        """,
        **_of(published),
    )
    tx.run(
        """
        UPDATE refused_events AS r SET retry_at = :as_of
        FROM (SELECT agency_id, subject FROM refused_events WHERE retry_at > :as_of ORDER BY retry_at LIMIT :count) AS others
        WHERE r.agency_id = others.agency_id AND r.subject = others.subject
        """,
        as_of=tx.as_of,
        count=2 * len(released),
    )
    return len(released)


def none(tx: Transaction) -> bool:
    """Whether no event is refused any more."""
    return not tx.scalar("SELECT EXISTS (SELECT 1 FROM refused_events)")


def _of(events: Sequence[Unpublished]) -> dict[str, list[object]]:
    return {
        "agencies": [event.agency_id for event in events],
        "ids": [event.event_id for event in events],
        "subjects": [event.subject for event in events],
    }
