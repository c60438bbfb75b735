"""Schedules: which are due, and how they move on."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from shared.domain.calendar import local_date
from shared.domain.planning import Limits, Schedule
from shared.store import bulk, tables
from shared.store.database import Transaction
from shared.store.errors import require_all
from shared.store.locks import Pair

FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=6)
_COLUMNS = Schedule._fields
_SELECT = ", ".join(f"c.{name}" for name in _COLUMNS)
_KEYS = ("subscription_id", "stream")
_MOVING = (
    "anchor_on",
    "anchor_index",
    "unit",
    "every",
    "epoch",
    "next_index",
    "next_at",
    "planned_until",
    "stopped_reason",
    "resumed_index",
)


def due(tx: Transaction, limit: int, excluded: Sequence[str]) -> list[Pair]:
    """Subscriptions with a schedule whose next instant has come, oldest first. A hint: read again under the lock.

    One whose own facts or service have changed is left out until its recheck is done: the change may count from an
    earlier boundary than those that would be planned now.
    """
    rows = tx.rows(
        """
        SELECT c.agency_id, c.subscription_id FROM schedules AS c
        WHERE c.next_at <= :as_of AND NOT c.agency_id = ANY(CAST(:excluded AS text[]))
          AND (c.retry_at IS NULL OR c.retry_at <= :as_of)
          AND NOT EXISTS (
            SELECT 1 FROM rechecks AS r
            WHERE r.agency_id = c.agency_id AND (
                (r.kind = 'subscription' AND r.ref = c.subscription_id)
                OR (r.kind = 'service' AND r.ref = (
                    SELECT s.service_id FROM subscriptions AS s
                    WHERE s.agency_id = c.agency_id AND s.subscription_id = c.subscription_id))))
        ORDER BY c.next_at LIMIT :limit
        """,
        as_of=tx.as_of,
        excluded=list(excluded),
        limit=limit,
    )
    return [(row[0], row[1]) for row in rows]


def due_of(tx: Transaction, agency_id: str | None, limit: int) -> list[Pair]:
    """Subscriptions of one agency, or of all, with a schedule whose next instant has come, oldest first."""
    rows = tx.rows(
        """
        SELECT DISTINCT agency_id, subscription_id FROM (
            SELECT agency_id, subscription_id FROM schedules
            WHERE next_at <= :as_of AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
            ORDER BY next_at LIMIT :limit) AS oldest ORDER BY 1, 2
        """,
        as_of=tx.as_of,
        agency_id=agency_id,
        limit=limit,
    )
    return [(row[0], row[1]) for row in rows]


class Bounded(NamedTuple):
    """A schedule with what bounds it."""

    schedule: Schedule
    limits: Limits


def with_limits(tx: Transaction, pairs: Sequence[Pair], *, due_only: bool) -> list[Bounded]:
    """The schedules of locked subscriptions (all, or those due now) with their agency's zone and their own bounds."""
    rows = tx.rows(
        f"""
        SELECT {_SELECT}, a.timezone, a.issue_time, s.known_since, s.bill_from,
               CASE WHEN s.status = 'cancelled' AND NOT EXISTS (
                   SELECT 1 FROM subscription_revisions AS r WHERE r.agency_id = s.agency_id
                     AND r.subscription_id = s.subscription_id AND r.status <> 'cancelled') THEN s.starts_on
               ELSE s.cancel_on END,
               CASE WHEN s.cancel_on IS NOT NULL THEN s.effective_at END, s.ended_at
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS text[])) AS k(agency_id, subscription_id)
        JOIN schedules AS c ON c.agency_id = k.agency_id AND c.subscription_id = k.subscription_id
        JOIN subscriptions AS s ON s.agency_id = c.agency_id AND s.subscription_id = c.subscription_id
        JOIN agencies AS a ON a.agency_id = c.agency_id
        WHERE NOT :due_only OR (c.next_at <= :as_of AND (c.retry_at IS NULL OR c.retry_at <= :as_of))
        ORDER BY c.next_at, c.agency_id, c.subscription_id, c.stream
        """,  # noqa: S608
        agencies=[pair[0] for pair in pairs],
        ids=[pair[1] for pair in pairs],
        as_of=tx.as_of,
        due_only=due_only,
    )
    wide = len(_COLUMNS)
    return [Bounded(Schedule._make(row[:wide]), _limits(row[wide:])) for row in rows]


def _limits(row: Any) -> Limits:
    timezone: str = row[0]
    issue_time: time = row[1]
    known_since: datetime = row[2]
    bill_from: date | None = row[3]
    # The zone's rules come from the calendar's own pinned tables, never from the server's.
    since = local_date(known_since, timezone)
    known_on = since if bill_from is None else bill_from
    cut_over_on = bill_from if known_on > since else None
    cancel_on: date | None = row[4]
    cancel_effective_at: datetime | None = row[5]
    ended_at: datetime | None = row[6]
    return Limits(
        timezone=timezone,
        issue_time=issue_time,
        known_on=known_on,
        cancel_on=cancel_on,
        cancel_effective_at=cancel_effective_at,
        ended_at=ended_at,
        cut_over_on=cut_over_on,
    )


def load(tx: Transaction, agency_id: str, subscription_id: str) -> dict[str, Bounded]:
    """The schedules of one locked subscription by stream."""
    found = with_limits(tx, [(agency_id, subscription_id)], due_only=False)
    return {bounded.schedule.stream: bounded for bounded in found}


def insert(tx: Transaction, schedules: Sequence[Schedule]) -> None:
    """Write the schedules of a new subscription."""
    bulk.insert(tx, tables.schedules, _COLUMNS, schedules)


def move(tx: Transaction, schedules: Sequence[Schedule]) -> None:
    """Write schedules back after planning: only the next cycle. `stopped_at` follows the reason."""
    written = tx.run(
        """
        UPDATE schedules AS c SET next_index = v.next_index, next_at = v.next_at, planned_until = v.planned_until,
               stopped_reason = v.stopped_reason, failures = 0, retry_at = NULL,
               stopped_at = CASE WHEN v.stopped_reason IS NULL THEN NULL ELSE coalesce(c.stopped_at, :as_of) END
        FROM unnest(CAST(:agencies AS text[]), CAST(:ids AS text[]), CAST(:streams AS text[]), CAST(:indexes AS int[]),
                    CAST(:nexts AS timestamptz[]), CAST(:until AS date[]), CAST(:reasons AS text[]))
             AS v(agency_id, subscription_id, stream, next_index, next_at, planned_until, stopped_reason)
        WHERE c.agency_id = v.agency_id AND c.subscription_id = v.subscription_id AND c.stream = v.stream
        """,
        as_of=tx.as_of,
        agencies=[each.agency_id for each in schedules],
        ids=[each.subscription_id for each in schedules],
        streams=[each.stream for each in schedules],
        indexes=[each.next_index for each in schedules],
        nexts=[each.next_at for each in schedules],
        until=[each.planned_until for each in schedules],
        reasons=[each.stopped_reason for each in schedules],
    )
    require_all(written, len(schedules), "schedules")


def set_aside(tx: Transaction, pair: Pair) -> None:
    """The due schedules of a subscription can't be planned: that is tried again after a delay that doubles each time."""
    tx.run(
        """
        UPDATE schedules SET failures = failures + 1,
               retry_at = CAST(:as_of AS timestamptz)
                        + least(CAST(:longest AS interval), CAST(:first AS interval) * power(2, least(failures, 20)))
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND next_at <= :as_of
        """,
        as_of=tx.as_of,
        first=FIRST_DELAY,
        longest=LONGEST_DELAY,
        agency_id=pair[0],
        subscription_id=pair[1],
    )


def rewrite(tx: Transaction, agency_id: str, schedules: Sequence[Schedule]) -> None:
    """Write whole schedules of one agency back: anchors and recurrences too."""
    rows = [
        (s.subscription_id, s.stream, *(getattr(s, name) for name in _MOVING), tx.as_of if s.stopped_reason else None)
        for s in schedules
    ]
    bulk.update(tx, tables.schedules, agency_id, keys=_KEYS, columns=(*_MOVING, "stopped_at"), rows=rows)


def resumed_indexes(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, int]:
    """Of each subscription's invoice stream: invoices of earlier indexes no longer stop it."""
    rows = tx.rows(
        """
        SELECT subscription_id, resumed_index FROM schedules
        WHERE agency_id = :agency_id AND stream = 'invoice' AND resumed_index > 0
          AND subscription_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: row[1] for row in rows}


def stop(tx: Transaction, agency_id: str, stopped: Sequence[tuple[str, str]], stream: str) -> list[str]:
    """Stop series, given as (subscription, reason). Returns the subscriptions that were not stopped before."""
    rows = tx.rows(
        """
        UPDATE schedules AS c SET next_at = NULL, stopped_reason = v.reason, stopped_at = :as_of
        FROM unnest(CAST(:ids AS text[]), CAST(:reasons AS text[])) AS v(subscription_id, reason)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.subscription_id AND c.stream = :stream
          AND c.stopped_reason IS NULL
        RETURNING c.subscription_id
        """,
        agency_id=agency_id,
        as_of=tx.as_of,
        ids=[each[0] for each in stopped],
        reasons=[each[1] for each in stopped],
        stream=stream,
    )
    return sorted(row[0] for row in rows)


def stopped(tx: Transaction, agency_id: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of these subscriptions have a stopped invoice series."""
    rows = tx.rows(
        """
        SELECT subscription_id FROM schedules
        WHERE agency_id = :agency_id AND stream = 'invoice' AND stopped_reason IS NOT NULL
          AND subscription_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return frozenset(row[0] for row in rows)
