"""What operators look up and set right: blocked cycles, kept messages, and what is missing. Reads are bounded by a limit."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from shared.domain.facts import Stream
from shared.domain.states import CycleState, MessageState
from shared.store import bulk
from shared.store.database import Transaction
from shared.store.errors import require_all


class Unsettled(NamedTuple):
    """A cycle that has not ended, with why."""

    agency_id: str
    subscription_id: str
    stream: Stream
    starts_on: date
    ends_on: date
    due_at: datetime
    state: CycleState
    reason: str | None
    detail: str | None
    since: datetime
    wake_at: datetime | None
    tries: int
    blocking_invoice_id: str | None
    blocking_starts_on: date | None


class Wanted(NamedTuple):
    """Which cycles are meant; None: whichever. `state` "": every unsettled one."""

    agency_id: str | None = None
    subscription_id: str | None = None
    stream: str | None = None
    reason: str | None = None
    state: str = ""


_UNSETTLED = """
SELECT agency_id, subscription_id, stream, starts_on, ends_on, due_at, state, reason, detail,
       coalesce(CASE state WHEN 'blocked' THEN blocked_at WHEN 'held' THEN held_at END, due_at), wake_at, tries,
       blocking_invoice_id, blocking_starts_on
FROM cycles
WHERE wake_at IS NOT NULL AND state IN ('due', 'waiting', 'held', 'blocked') AND due_at <= :as_of
  AND (:state = '' OR state = :state) AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
  AND (CAST(:subscription_id AS text) IS NULL OR subscription_id = :subscription_id)
  AND (CAST(:stream AS text) IS NULL OR stream = :stream) AND (CAST(:reason AS text) IS NULL OR reason = :reason)
ORDER BY due_at, agency_id, subscription_id, stream, starts_on LIMIT :limit"""


def unsettled(tx: Transaction, wanted: Wanted, limit: int) -> list[Unsettled]:
    """Cycles that have not ended, longest due first."""
    rows = tx.rows(_UNSETTLED, **wanted._asdict(), limit=limit, as_of=tx.as_of)
    return [Unsettled._make(row) for row in rows]


def blocked_pairs(tx: Transaction, wanted: Wanted) -> list[tuple[str, str]]:
    """The subscriptions with a blocked cycle of those meant, as (agency, subscription)."""
    rows = tx.rows(
        f"SELECT DISTINCT agency_id, subscription_id FROM ({_UNSETTLED}) AS found ORDER BY 1, 2",  # noqa: S608
        **wanted._replace(state="blocked")._asdict(),
        limit=100_000,
        as_of=tx.as_of,
    )
    return [(row[0], row[1]) for row in rows]


def try_again(tx: Transaction, blocked: Unsettled) -> None:
    """A blocked cycle of a locked subscription is tried now, as if for the first time."""
    tx.run(
        """
        UPDATE cycles SET wake_at = :as_of, tries = 0, dispatches = 0
        WHERE agency_id = :agency_id AND subscription_id = :subscription_id AND stream = :stream
          AND starts_on = :starts_on AND state = 'blocked'
        """,
        as_of=tx.as_of,
        agency_id=blocked.agency_id,
        subscription_id=blocked.subscription_id,
        stream=blocked.stream,
        starts_on=blocked.starts_on,
    )


class Kept(NamedTuple):
    """A message from upstream as the inbox holds it."""

    inbox_id: int
    source: str
    id: str
    agency_id: str
    type: str
    received_at: datetime
    state: MessageState
    field: str | None
    reason: str | None
    waits_for: str | None


_KEPT = "inbox_id, source, id, agency_id, type, received_at, state, field, reason, waits_for"


def messages(tx: Transaction, state: str | None, agency_id: str | None, limit: int) -> list[Kept]:
    """Kept messages, newest first."""
    rows = tx.rows(
        f"""
        SELECT {_KEPT} FROM inbox
        WHERE (CAST(:state AS text) IS NULL OR state = :state)
          AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
        ORDER BY inbox_id DESC LIMIT :limit
        """,  # noqa: S608
        state=state,
        agency_id=agency_id,
        limit=limit,
    )
    return [Kept._make(row) for row in rows]


def message(tx: Transaction, inbox_id: int, *, lock: bool = False) -> tuple[Kept, bytes] | None:
    """One message with its bytes; with `lock` nobody else replays it meanwhile."""
    rows = tx.rows(
        f"SELECT {_KEPT}, raw FROM inbox WHERE inbox_id = :id{' FOR NO KEY UPDATE' if lock else ''}",  # noqa: S608
        id=inbox_id,
    )
    return (Kept._make(rows[0][:-1]), bytes(rows[0][-1])) if rows else None


def arrived_again(tx: Transaction, inbox_id: int, agency_id: str, type_: str, time: datetime) -> None:
    """A rejected message could be read after all: what it says of itself counts now, and it waits for its verdict."""
    tx.run(
        """
        UPDATE inbox SET agency_id = :agency_id, type = :type, time = :time, state = 'waiting', field = NULL, reason = NULL,
               settled_at = NULL WHERE inbox_id = :id
        """,
        id=inbox_id,
        agency_id=agency_id,
        type=type_,
        time=time,
    )


def last_events(tx: Transaction, agency_id: str, subject: str, limit: int) -> list[dict[str, Any]]:
    """What happened last to a subject, newest first."""
    rows = tx.rows(
        """
        SELECT at, type, data FROM events WHERE agency_id = :agency_id AND subject = :subject
        ORDER BY subject_seq DESC LIMIT :limit
        """,
        agency_id=agency_id,
        subject=subject,
        limit=limit,
    )
    return [{"at": row[0], "type": row[1], "data": row[2]} for row in rows]


def refunds_listed(tx: Transaction, agency_id: str | None, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Refunds that have not ended, or those in one state, longest first."""
    return tx.mappings(
        """
        SELECT agency_id, invoice_id, refund_seq, state, amount_minor, currency, source, origin, code, reason, key, reference,
               requested_at, settled_at, wake_at
        FROM refunds WHERE (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
          AND CASE WHEN CAST(:state AS text) IS NULL THEN state IN ('due', 'sending', 'unknown', 'pending')
              ELSE state = :state END
        ORDER BY requested_at, agency_id, invoice_id, refund_seq LIMIT :limit
        """,
        agency_id=agency_id,
        state=state,
        limit=limit,
    )


def agency_known(tx: Transaction, agency_id: str) -> bool:
    """Whether there is such an agency."""
    return bool(tx.scalar("SELECT true FROM agencies WHERE agency_id = :id", id=agency_id))


class Past(NamedTuple):
    """A cycle with what became of it; `document` is its order or invoice, `by_hand` an invoice issued inside its period."""

    agency_id: str
    subscription_id: str
    stream: Stream
    starts_on: date
    ends_on: date
    state: str
    reason: str | None
    document: str | None
    by_hand: str | None


def cycles_between(
    tx: Transaction, agency_id: str, subscription_id: str | None, *, stream: str | None, from_on: date, to_on: date
) -> list[Past]:
    """The cycles of an agency that start in the half-open span, in order."""
    rows = tx.rows(
        """
        SELECT c.agency_id, c.subscription_id, c.stream, c.starts_on, c.ends_on, c.state, c.reason,
               CASE c.stream WHEN 'order' THEN c.order_id ELSE i.invoice_id END,
               (SELECT min(h.invoice_id) FROM invoices AS h
                WHERE c.stream = 'invoice' AND h.agency_id = c.agency_id AND h.subscription_id = c.subscription_id
                  AND h.cycle_starts_on IS NULL AND h.issued_on >= c.starts_on AND h.issued_on < c.ends_on)
        FROM cycles AS c
        LEFT JOIN invoices AS i ON i.agency_id = c.agency_id AND i.subscription_id = c.subscription_id
          AND c.stream = 'invoice' AND i.cycle_starts_on = c.starts_on AND i.replaced = 0
        WHERE c.agency_id = :agency_id AND c.starts_on >= :from_on AND c.starts_on < :to_on
          AND (CAST(:subscription_id AS text) IS NULL OR c.subscription_id = :subscription_id)
          AND (CAST(:stream AS text) IS NULL OR c.stream = :stream)
        ORDER BY c.subscription_id, c.stream, c.starts_on
        """,
        agency_id=agency_id,
        subscription_id=subscription_id,
        stream=stream,
        from_on=from_on,
        to_on=to_on,
    )
    return [Past._make(row) for row in rows]


def reopen(tx: Transaction, agency_id: str, chosen: Sequence[Past]) -> None:
    """Cycles of locked subscriptions that were skipped as before_known are due after all."""
    written = tx.run(
        f"""
        UPDATE cycles AS c SET state = 'due', reason = NULL, wake_at = :as_of, settled_at = NULL, tries = 0, dispatches = 0
        FROM unnest(CAST(:ids AS text[]), CAST(:streams AS text[]), CAST(:starts AS date[])) AS v(id, stream, starts_on)
        WHERE c.agency_id = :agency_id AND c.subscription_id = v.id AND c.stream = v.stream AND c.starts_on = v.starts_on
          AND {bulk.still_in("c.state", ["skipped"])} AND c.reason = 'before_known'
        """,  # noqa: S608
        agency_id=agency_id,
        as_of=tx.as_of,
        ids=[each.subscription_id for each in chosen],
        streams=[each.stream for each in chosen],
        starts=[each.starts_on for each in chosen],
    )
    require_all(written, len(chosen), f"cycles of {agency_id}")
