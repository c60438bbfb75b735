"""The ledger of cycles: written by plan, processed by the pools in index order, released when a cause is gone."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.domain.facts import Stream
from shared.domain.invoicing import Period
from shared.domain.planning import CYCLES_PER_PASS_MAX
from shared.domain.states import CYCLE_UNSETTLED, CycleState
from shared.store import bulk, spans, tables
from shared.store.database import Transaction
from shared.store.errors import require_all

NOWHERE: Final[Mapping[str, date]] = MappingProxyType({})
_PLANNED = (
    "agency_id",
    "subscription_id",
    "stream",
    "starts_on",
    "ends_on",
    "cycle_index",
    "due_at",
    "state",
    "reason",
    "wake_at",
    "settled_at",
)


class Cycle(NamedTuple):
    """An unsettled cycle as its pool reads it."""

    subscription_id: str
    cycle_index: int
    starts_on: date
    ends_on: date
    due_at: datetime
    state: CycleState
    reason: str | None
    blocking_starts_on: date | None
    blocking_invoice_id: str | None
    held_at: datetime | None
    blocked_at: datetime | None

    @property
    def period(self) -> Period:
        return Period(self.cycle_index, self.starts_on, self.ends_on, self.due_at)


class Settled(NamedTuple):
    """How a cycle ended: done, skipped or cancelled, with its reason, and its order."""

    subscription_id: str
    starts_on: date
    state: CycleState
    reason: str | None
    order_id: str | None = None


class LeftUnsettled(NamedTuple):
    """How a cycle is left unsettled: waiting, held or blocked, why, and when it is checked again."""

    subscription_id: str
    starts_on: date
    state: CycleState
    reason: str
    detail: str | None
    blocking_starts_on: date | None
    blocking_invoice_id: str | None
    wake_at: datetime
    held_at: datetime | None
    blocked_at: datetime | None


def insert(tx: Transaction, rows: Sequence[Sequence[object]]) -> int:
    """Write planned cycles, in the order of `_PLANNED`; one that exists already stays as it is."""
    return bulk.insert(tx, tables.cycles, _PLANNED, rows)


def unsettled(
    tx: Transaction, agency_id: str, ids: Sequence[str], stream: Stream, after: Mapping[str, date] = NOWHERE
) -> list[Cycle]:
    """The unsettled cycles of one stream of locked subscriptions, by subscription and index, at most 36 of each.

    `after`: only those that start later than this, by subscription.
    """
    rows = tx.rows(
        """
        SELECT c.subscription_id, c.cycle_index, c.starts_on, c.ends_on, c.due_at, c.state, c.reason,
               c.blocking_starts_on, c.blocking_invoice_id, c.held_at, c.blocked_at
        FROM unnest(CAST(:ids AS text[]), CAST(:after AS date[])) AS k(subscription_id, after_on)
        CROSS JOIN LATERAL (
            SELECT * FROM cycles WHERE agency_id = :agency_id AND subscription_id = k.subscription_id AND stream = :stream
              AND starts_on > coalesce(k.after_on, '-infinity')
              AND state IN ('due', 'waiting', 'held', 'blocked') ORDER BY starts_on LIMIT :limit
        ) AS c
        """,
        agency_id=agency_id,
        ids=sorted(ids),
        after=[after.get(id_) for id_ in sorted(ids)],
        stream=stream,
        limit=CYCLES_PER_PASS_MAX,
    )
    return [Cycle._make(row) for row in rows]


def settle(tx: Transaction, agency_id: str, stream: Stream, settled: Sequence[Settled]) -> None:
    """Record how unsettled cycles ended; nobody is woken for them any more. Raises MissedRowsError if one has ended already."""
    if not settled:
        return
    written = tx.run(
        f"""
        UPDATE cycles AS c SET state = v.state, reason = v.reason, order_id = v.order_id, detail = NULL, wake_at = NULL,
               settled_at = :as_of, tries = 0
        FROM unnest(CAST(:ids AS text[]), CAST(:starts AS date[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
                    CAST(:orders AS text[])) AS v(subscription_id, starts_on, state, reason, order_id)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.subscription_id AND c.stream = :stream
          AND c.starts_on = v.starts_on AND {bulk.still_in("c.state", CYCLE_UNSETTLED)}
        """,  # noqa: S608
        agency_id=agency_id,
        stream=stream,
        as_of=tx.as_of,
        ids=[each.subscription_id for each in settled],
        starts=[each.starts_on for each in settled],
        states=[each.state for each in settled],
        reasons=[each.reason for each in settled],
        orders=[each.order_id for each in settled],
    )
    require_all(written, len(settled), f"{stream} cycles of {agency_id}")


def leave_unsettled(
    tx: Transaction, agency_id: str, stream: Stream, left: Sequence[LeftUnsettled], tries: int = 0
) -> None:
    """Record why cycles stay unsettled, and when they are checked again; their dispatches are counted from 0 again.

    With `tries`, they are dispatched alone from now on. Raises MissedRowsError if one has ended.
    """
    bulk.update(
        tx,
        tables.cycles,
        agency_id,
        keys=("subscription_id", "stream", "starts_on"),
        columns=(
            "state",
            "reason",
            "detail",
            "blocking_starts_on",
            "blocking_invoice_id",
            "wake_at",
            "held_at",
            "blocked_at",
            "tries",
            "dispatches",
        ),
        rows=[(each.subscription_id, stream, each.starts_on, *each[2:], tries, 0) for each in left],
        where=bulk.still_in("t.state", CYCLE_UNSETTLED),
    )


def block_behind(tx: Transaction, agency_id: str, stream: Stream, last: Sequence[LeftUnsettled]) -> None:
    """A series is blocked: the cycles behind the last one that was read wait for it too, for the reason that one has."""
    if not last:
        return
    tx.run(
        f"""
        UPDATE cycles AS c SET state = 'blocked', reason = v.reason, wake_at = v.wake_at, dispatches = 0, tries = 0,
               blocked_at = coalesce(c.blocked_at, :as_of)
        FROM unnest(CAST(:ids AS text[]), CAST(:after AS date[]), CAST(:reasons AS text[]), CAST(:wakes AS timestamptz[]))
             AS v(subscription_id, after_on, reason, wake_at)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.subscription_id AND c.stream = :stream
          AND c.starts_on > v.after_on AND {bulk.still_in("c.state", ["due", "blocked"])}
        """,  # noqa: S608
        agency_id=agency_id,
        stream=stream,
        as_of=tx.as_of,
        ids=[each.subscription_id for each in last],
        after=[each.starts_on for each in last],
        reasons=[each.reason for each in last],
        wakes=[each.wake_at for each in last],
    )


def go_on(tx: Transaction, agency_id: str, stream: Stream, after: Sequence[tuple[str, date]]) -> None:
    """A pass came further than the last one, and there may be more behind it, given as (subscription, last start): now."""
    if not after:
        return
    tx.run(
        f"""
        UPDATE cycles AS c SET wake_at = :as_of
        FROM unnest(CAST(:ids AS text[]), CAST(:after AS date[])) AS v(subscription_id, after_on)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.subscription_id AND c.stream = :stream
          AND c.starts_on > v.after_on AND {bulk.still_in("c.state", CYCLE_UNSETTLED)}
        """,  # noqa: S608
        agency_id=agency_id,
        stream=stream,
        as_of=tx.as_of,
        ids=[each[0] for each in after],
        after=[each[1] for each in after],
    )


def release(tx: Transaction, agency_id: str, ids: Collection[str], states: Sequence[str] = ("waiting", "held")) -> None:
    """Make the held and waiting orders of these locked subscriptions due now: their cause has changed."""
    if not ids:
        return
    tx.run(
        """
        UPDATE cycles SET state = 'due', wake_at = :as_of
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND stream = 'order'
          AND state IN ('waiting', 'held') AND state = ANY(CAST(:states AS text[]))
        """,
        agency_id=agency_id,
        ids=sorted(ids),
        states=list(states),
        as_of=tx.as_of,
    )


def wake_blocked(tx: Transaction, agency_id: str, ids: Collection[str]) -> None:
    """Let the pools try the blocked cycles of these locked subscriptions now: a fact they depend on has changed."""
    if not ids:
        return
    tx.run(
        """
        UPDATE cycles SET wake_at = :as_of
        WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[])) AND state = 'blocked'
        """,
        agency_id=agency_id,
        ids=sorted(ids),
        as_of=tx.as_of,
    )


def cut(tx: Transaction, agency_id: str, subscription_id: str, starts_on: date) -> bool:
    """Make room for a period that re-anchors the invoice series of a locked subscription: the running one ends there.

    Returns False if a period that starts then or later is planned already: there is no room.
    """
    if tx.scalar(
        """
        SELECT true FROM cycles WHERE agency_id = :agency_id AND subscription_id = :subscription_id
          AND stream = 'invoice' AND starts_on >= :starts_on LIMIT 1
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        starts_on=starts_on,
    ):
        return False
    tomorrow = starts_on + timedelta(days=1)
    for span in spans.overlapping(tx, agency_id, subscription_id, stream="invoice", from_on=starts_on, to_on=tomorrow):
        if span.rhythm.boundary(span.cycle_index + span.periods - 1) >= starts_on:
            return False
    tx.run(
        """
        UPDATE cycles SET ends_on = :starts_on WHERE agency_id = :agency_id AND subscription_id = :subscription_id
          AND stream = 'invoice' AND ends_on > :starts_on
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        starts_on=starts_on,
    )
    return True


def lengthen(tx: Transaction, agency_id: str, subscription_id: str, starts_on: date, ends_on: date) -> None:
    """The latest invoice cycle of a locked subscription ends then: a new invoice has taken the place of its void one."""
    tx.run(
        """
        UPDATE cycles SET ends_on = :ends_on, settled_at = :as_of
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND stream = 'invoice' AND starts_on = :starts_on
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        starts_on=starts_on,
        ends_on=ends_on,
        as_of=tx.as_of,
    )


def with_document(tx: Transaction, agency_id: str, stream: Stream, subscription_id: str) -> dict[date, str]:
    """The documents that cycles of a stream have already: their ids by the start of the cycle."""
    table, id_ = ("orders", "order_id") if stream == "order" else ("invoices", "invoice_id")
    counts = "" if stream == "order" else "AND replaced = 0"
    rows = tx.rows(
        f"""
        SELECT cycle_starts_on, {id_} FROM {table}
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND cycle_starts_on IS NOT NULL {counts}
        """,  # noqa: S608
        agency_id=agency_id,
        subscription_id=subscription_id,
    )
    return {row[0]: row[1] for row in rows}
