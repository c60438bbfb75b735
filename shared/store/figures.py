"""The state of the whole cluster in figures: counted by a few statements over partial indexes, so also large tables are quick.

Only rows that somebody must still look at are counted: unsettled cycles, open charges, due notices, waiting messages. Counting
finished rows needs a full scan, and never matters for an alert.

Due means here, as everywhere, that its time has come. A row whose time is still ahead (the next attempt of a ladder, a mail
that is tried again in an hour) has the state `due` in its table all the same; it is counted as planned.
"""

# ruff: noqa: S608 - statements are put together from constants of this file

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.states import CycleState
from shared.store.database import Transaction


class Count(NamedTuple):
    """How many rows of one kind there are, and the oldest instant among them."""

    rows: int
    oldest_at: datetime | None


class Cycles(NamedTuple):
    """Unsettled cycles of one stream in one state for one reason ("" for due ones)."""

    agency_id: str
    stream: str
    state: CycleState
    reason: str
    rows: int
    oldest_due_at: datetime


class Figures(NamedTuple):
    """What was true at `as_of`. Charges by open state, those of a later day as `planned`: `oldest_at` is since when they are in
    doubt, else their planned time."""

    as_of: datetime
    cycles: Sequence[Cycles]
    charges: dict[str, Count]
    charges_stuck: dict[str, Count]
    refunds_open: Count
    failing_invoices: Count
    notices: dict[str, Count]
    notices_due: Count
    notices_failed: Count
    inbox_waiting: Count
    inbox_rejected: Count
    webhooks_unproven: Count
    webhooks_set_aside: Count
    events_unpublished: Count
    events_refused: Count
    rechecks: Count
    rechecks_failing: Count
    schedules_failing: Count
    schedules_due: Count
    late_releases: int
    refused_duplicates: int
    beat_at: datetime | None
    paused: dict[str, int]
    accounts_paused: int

    def oldest_due_at(self, stream: str) -> datetime | None:
        """Since when the oldest cycle of a stream is due that nothing holds."""
        return min(
            (each.oldest_due_at for each in self.cycles if (each.stream, each.state) == (stream, "due")), default=None
        )


_FOR = "(CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)"
# Whatever is unsettled wakes somebody, so the index of what wakes holds all of it, and nothing else.
_CYCLES = f"""
SELECT {{agency}}, stream, CASE WHEN state = 'due' AND due_at > :as_of THEN 'planned' ELSE state END,
       CASE WHEN state = 'due' THEN '' ELSE coalesce(reason, '') END, count(*), min(due_at)
FROM cycles WHERE wake_at IS NOT NULL AND {_FOR} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
_CHARGES = f"""
SELECT CASE WHEN state = 'due' AND planned_at > :as_of THEN 'planned' ELSE state END, count(*),
       min(coalesce(doubtful_since, planned_at)) FILTER (WHERE coalesce(doubtful_since, planned_at) <= :as_of)
FROM charges
WHERE state IN ('due', 'sending', 'unknown', 'pending', 'action_required') AND {_FOR} GROUP BY 1"""
# Why an attempt or a refund can't go out or can't be said to have ended: what comes before the colon of its code.
_STUCK = f"""
SELECT split_part(code, ':', 1), count(*), min(coalesce(since, planned)) FROM (
    SELECT agency_id, code, doubtful_since AS since, planned_at AS planned FROM charges
    WHERE (state IN ('due', 'unknown', 'pending') OR starts_with(code, 'unrecorded')) AND code IS NOT NULL
      AND wake_at IS NOT NULL
    UNION ALL SELECT agency_id, code, doubtful_since, requested_at FROM refunds
    WHERE (state IN ('due', 'unknown', 'pending') OR starts_with(code, 'unrecorded')) AND code IS NOT NULL
      AND wake_at IS NOT NULL
    UNION ALL SELECT agency_id, unrecorded, opened_at, opened_at FROM pay_links
    WHERE unrecorded IS NOT NULL AND wake_at IS NOT NULL
    UNION ALL SELECT agency_id, code, asked_since, asked_since FROM payment_inquiries
    WHERE starts_with(code, 'unrecorded') AND wake_at IS NOT NULL
) AS stuck WHERE {_FOR} GROUP BY 1"""
# By what became of the latest try ("" before the first): since when they are refused, else since when they are there.
_NOTICES = f"""
SELECT coalesce(outcome, ''), count(*), min(coalesce(refused_since, created_at)) FROM notices
WHERE wake_at IS NOT NULL AND {_FOR} GROUP BY 1"""
_COUNTS = {
    "refunds_open": f"SELECT count(*), min(requested_at) FROM refunds WHERE wake_at IS NOT NULL AND {_FOR}",
    "failing_invoices": f"SELECT count(*), min(failing_since) FROM invoices WHERE failing_since IS NOT NULL"
    f" AND status = 'open' AND {_FOR}",
    "notices_due": f"SELECT count(*), min(coalesce(not_before, created_at)) FROM notices"
    f" WHERE wake_at IS NOT NULL AND (not_before IS NULL OR not_before <= :as_of) AND {_FOR}",
    "notices_failed": f"SELECT count(*), min(created_at) FROM notices WHERE state = 'failed' AND {_FOR}",
    "inbox_waiting": f"SELECT count(*), min(received_at) FROM inbox WHERE state = 'waiting' AND {_FOR}",
    "inbox_rejected": f"SELECT count(*), min(received_at) FROM inbox WHERE state = 'rejected' AND {_FOR}",
    "webhooks_unproven": f"SELECT count(*), min(received_at) FROM unproven_webhooks"
    f" WHERE reason NOT LIKE 'unreadable:%' IS NOT FALSE AND {_FOR}",
    "webhooks_set_aside": f"SELECT count(*), min(received_at) FROM unproven_webhooks"
    f" WHERE reason LIKE 'unreadable:%' AND {_FOR}",
    # An index each: what nobody has tried, and what waits after a refusal.
    "events_unpublished": f"""
SELECT count(*), min(at) FROM (
    SELECT agency_id, at FROM events WHERE published_at IS NULL AND NOT waits
    UNION ALL SELECT agency_id, at FROM events WHERE waits) AS unpublished WHERE {_FOR}""",
    "events_refused": f"SELECT count(*), min(refused_at) FROM refused_events WHERE {_FOR}",
    "rechecks": f"SELECT count(*), min(effective_at) FROM rechecks WHERE {_FOR}",
    "rechecks_failing": f"SELECT count(*), min(effective_at) FROM rechecks WHERE retry_at IS NOT NULL AND {_FOR}",
    "schedules_failing": f"SELECT count(*), min(next_at) FROM schedules WHERE retry_at IS NOT NULL AND {_FOR}",
    "schedules_due": f"SELECT count(*), min(next_at) FROM schedules WHERE next_at <= :as_of AND {_FOR}",
}


def snapshot(tx: Transaction, agency_id: str | None = None, *, by_agency: bool = False) -> Figures:
    """Count now, of everything or of one agency. With `by_agency` cycles are counted for each agency."""
    of = {"agency_id": agency_id}
    now = {**of, "as_of": tx.as_of}
    column = "agency_id" if by_agency else "''"
    cycles = tx.rows(_CYCLES.format(agency=column), **now)
    charges = {row[0]: Count(row[1], row[2]) for row in tx.rows(_CHARGES, **now)}
    stuck = {row[0]: Count(row[1], row[2]) for row in tx.rows(_STUCK, **of)}
    told = {row[0]: Count(row[1], row[2]) for row in tx.rows(_NOTICES, **of)}
    counts = {}
    for name, sql in _COUNTS.items():
        counts[name] = Count._make(tx.rows(sql, **(now if ":as_of" in sql else of))[0])
    alarms = dict.fromkeys(("cycle.released_late", "cycle.repeated"), 0)
    alarms |= {
        row[0]: row[1]
        for row in tx.rows(
            f"""
            SELECT type, count(*) FROM events
            WHERE type IN ('cycle.released_late', 'cycle.repeated') AND {_FOR} GROUP BY 1""",
            **of,
        )
    }
    paused = {row[0]: row[1] for row in tx.rows("SELECT pool, count(*) FROM pauses GROUP BY 1")}
    return Figures(
        as_of=tx.as_of,
        cycles=[Cycles._make(row) for row in cycles],
        charges=charges,
        charges_stuck=stuck,
        notices=told,
        **counts,
        late_releases=alarms["cycle.released_late"],
        refused_duplicates=alarms["cycle.repeated"],
        beat_at=tx.scalar("SELECT at FROM heartbeats WHERE name = 'scheduler'"),
        paused=paused,
        accounts_paused=tx.scalar("SELECT count(*) FROM gateway_accounts WHERE paused_until > :as_of", as_of=tx.as_of),
    )
