"""The inbox: every upstream message, with what became of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain.states import MessageState
from shared.store.database import Transaction
from shared.store.errors import require_all

TELL_WAITING_AFTER = timedelta(minutes=5)


class Arrived(NamedTuple):
    """A message as it arrived; `agency_id` and `type` are empty when they could not be read."""

    source: str
    id: str
    agency_id: str
    type: str
    time: datetime | None
    raw: bytes

    @property
    def identity(self) -> "Identity":
        """What makes two messages the same one."""
        return self.agency_id, self.source, self.id


Identity = tuple[str, str, str]
"""(agency, source, id)"""


class Earlier(NamedTuple):
    """A message kept before under the same identity, with what became of it."""

    state: MessageState
    raw: bytes
    field: str | None
    reason: str | None


class Waiting(NamedTuple):
    """A message that refers to something not yet known."""

    inbox_id: int
    source: str
    id: str
    raw: bytes
    received_at: datetime
    told_waiting_at: datetime | None
    waits_for: str


class Room(NamedTuple):
    """So many messages, and bytes of them, may still be applied in a transaction."""

    messages: int
    size: int

    def less(self, messages: int, size: int) -> "Room":
        """What is left."""
        return Room(self.messages - messages, self.size - size)

    def is_used_up(self) -> bool:
        return self.messages <= 0 or self.size <= 0


# Of messages that waited: however many did, and whatever waited for those, a transaction stays small.
ROOM = Room(500, 4 << 20)
NO_ROOM = Room(0, 0)
# Of what came earlier under an identity, only what may be the same message in other bytes is read whole.
EARLIER_REJECTED = 3
_WAITING = "inbox_id, source, id, raw, received_at, told_waiting_at, waits_for"


def store_all(tx: Transaction, arrived: Sequence[Arrived]) -> list[int | None]:
    """Keep messages, in the order they came. Returns their rows' ids, None for one that counts already under its agency,
    source and id."""
    rows = tx.rows(
        """
        INSERT INTO inbox (source, id, agency_id, type, time, received_at, raw, state)
        SELECT v.source, v.id, v.agency_id, v.type, v.time, :received_at, v.raw, 'waiting'
        FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:agencies AS text[]), CAST(:types AS text[]),
                    CAST(:times AS timestamptz[]), CAST(:raws AS bytea[])) WITH ORDINALITY
             AS v(source, id, agency_id, type, time, raw, place)
        ORDER BY v.place
        ON CONFLICT (agency_id, source, id) WHERE state <> 'rejected' DO NOTHING RETURNING agency_id, source, id, inbox_id
        """,
        sources=[each.source for each in arrived],
        ids=[each.id for each in arrived],
        agencies=[each.agency_id for each in arrived],
        types=[each.type for each in arrived],
        times=[each.time for each in arrived],
        raws=[each.raw for each in arrived],
        received_at=tx.as_of,
    )
    new = {(row[0], row[1], row[2]): row[3] for row in rows}
    return [new.pop(each.identity, None) for each in arrived]


def earlier(tx: Transaction, arrived: Sequence[Arrived]) -> dict[Identity, list[Earlier]]:
    """What was kept before under the identities of these messages, oldest first; nearly always nothing.

    Of those that were rejected the latest three. One so much longer that it can't say the same comes without its bytes.
    Reliable while the caller holds the locks of their agencies.
    """
    rows = tx.rows(
        " UNION ALL ".join(
            f"""
            SELECT i.inbox_id, k.agency_id, k.source, k.id, i.state,
                   CASE WHEN octet_length(i.raw) <= k.most THEN i.raw ELSE '' END, i.field, i.reason
            FROM (SELECT v.agency_id, v.source, v.id, 4 * max(v.size) + 4096 AS most
                  FROM unnest(CAST(:agencies AS text[]), CAST(:sources AS text[]), CAST(:ids AS text[]),
                              CAST(:sizes AS integer[])) AS v(agency_id, source, id, size) GROUP BY 1, 2, 3) AS k
            CROSS JOIN LATERAL (
                SELECT * FROM inbox AS i
                WHERE i.agency_id = k.agency_id AND i.source = k.source AND i.id = k.id AND i.state {which} 'rejected'
                ORDER BY i.inbox_id DESC LIMIT {EARLIER_REJECTED}) AS i
            """  # noqa: S608
            for which in ("<>", "=")  # an index each
        ),
        agencies=[each.agency_id for each in arrived],
        sources=[each.source for each in arrived],
        ids=[each.id for each in arrived],
        sizes=[len(each.raw) for each in arrived],
    )
    found: dict[Identity, list[Earlier]] = {}
    for row in sorted(rows):
        found.setdefault((row[1], row[2], row[3]), []).append(Earlier._make(row[4:]))
    return found


def keep_rejected(tx: Transaction, arrived: Arrived, field: str, reason: str) -> None:
    """Keep a message that is rejected because of its identity: another one counts under it."""
    tx.run(
        """
        INSERT INTO inbox (source, id, agency_id, type, time, received_at, raw, state, field, reason, settled_at)
        VALUES (:source, :id, :agency_id, :type, :time, :as_of, :raw, 'rejected', :field, :reason, :as_of)
        """,
        **arrived._asdict(),
        field=field,
        reason=reason,
        as_of=tx.as_of,
    )


class Settled(NamedTuple):
    """What became of a message: applied, stale or rejected; or it waits.

    `field` and `reason` say why it was rejected, `waits_for` what has to arrive, `wake_at` when upstream is notified that it
    waits.
    """

    state: MessageState
    field: str | None = None
    reason: str | None = None
    waits_for: str | None = None
    wake_at: datetime | None = None


def settle_all(tx: Transaction, settled: Mapping[int, Settled]) -> None:
    """Record what became of messages, by their rows' ids."""
    if not settled:
        return
    written = tx.run(
        """
        UPDATE inbox AS i SET state = v.state, field = v.field, reason = v.reason, waits_for = v.waits_for,
               wake_at = v.wake_at, settled_at = CASE WHEN v.state = 'waiting' THEN i.settled_at ELSE :as_of END
        FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:fields AS text[]), CAST(:reasons AS text[]),
                    CAST(:waits AS text[]), CAST(:wakes AS timestamptz[]))
             AS v(inbox_id, state, field, reason, waits_for, wake_at)
        WHERE i.inbox_id = v.inbox_id
        """,
        ids=list(settled),
        states=[each.state for each in settled.values()],
        fields=[each.field for each in settled.values()],
        reasons=[each.reason for each in settled.values()],
        waits=[each.waits_for for each in settled.values()],
        wakes=[each.wake_at for each in settled.values()],
        as_of=tx.as_of,
    )
    require_all(written, len(settled), "messages")


def waiting_for(tx: Transaction, agency_id: str, keys: Collection[str], room: Room = ROOM) -> list[Waiting]:
    """The messages of an agency that wait for one of these, in the order they came: the first that find room, and one more."""
    rows = tx.rows(
        f"""
        SELECT {_WAITING} FROM (
            SELECT {_WAITING}, sum(octet_length(raw)) OVER (ORDER BY inbox_id) - octet_length(raw) AS before
            FROM (SELECT {_WAITING} FROM inbox
                  WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[]))
                  ORDER BY inbox_id LIMIT greatest(:messages, 0)) AS first) AS sized
        WHERE before < :size ORDER BY inbox_id
        """,  # noqa: S608
        agency_id=agency_id,
        keys=list(keys),
        messages=room.messages,
        size=room.size,
    )
    return [Waiting._make(row) for row in rows]


def waiting_rows(tx: Transaction, agency_id: str, ids: Collection[int]) -> list[Waiting]:
    """Messages of an agency that still wait, by their row ids."""
    rows = tx.rows(
        f"""
        SELECT {_WAITING} FROM inbox
        WHERE agency_id = :agency_id AND inbox_id = ANY(CAST(:ids AS bigint[])) AND state = 'waiting' ORDER BY inbox_id
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
    )
    return [Waiting._make(row) for row in rows]


def wake(tx: Transaction, agency_id: str, keys: Collection[str]) -> int:
    """Let intake check the messages that wait for one of these again, now. Returns how many."""
    if not keys:
        return 0
    return tx.run(
        """
        UPDATE inbox SET wake_at = :as_of
        WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[]))
        """,
        agency_id=agency_id,
        keys=list(keys),
        as_of=tx.as_of,
    )


def awaited(tx: Transaction, agency_id: str, keys: Collection[str]) -> set[str]:
    """Which of these keys some message waits for."""
    rows = tx.rows(
        """
        SELECT DISTINCT waits_for FROM inbox
        WHERE agency_id = :agency_id AND state = 'waiting' AND waits_for = ANY(CAST(:keys AS text[]))
        """,
        agency_id=agency_id,
        keys=list(keys),
    )
    return {row[0] for row in rows}


def awaited_invoices(tx: Transaction, agency_id: str) -> set[str]:
    """What messages about invoices wait for: the invoice itself, or the settlement of its charge. Nearly always empty."""
    rows = tx.rows(
        """
        SELECT DISTINCT waits_for FROM inbox
        WHERE agency_id = :agency_id AND state = 'waiting'
          AND (waits_for LIKE 'invoice%' OR waits_for LIKE 'settlement/%')
        """,
        agency_id=agency_id,
    )
    return {row[0] for row in rows}


def told_waiting(tx: Transaction, inbox_id: int) -> None:
    """Upstream was notified that this message waits."""
    tx.run(
        "UPDATE inbox SET told_waiting_at = :as_of, wake_at = NULL WHERE inbox_id = :inbox_id",
        inbox_id=inbox_id,
        as_of=tx.as_of,
    )


def wake_at(tx: Transaction, inbox_id: int, at: datetime) -> None:
    """Check a waiting message again then."""
    tx.run("UPDATE inbox SET wake_at = :at WHERE inbox_id = :inbox_id", inbox_id=inbox_id, at=at)
