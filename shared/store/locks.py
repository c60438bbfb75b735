"""The one lock. Whoever decides about a subscription's cycles, documents or schedules takes it here, first.

The subscription row is the aggregate's only lock. Facts are read in later statements: under READ COMMITTED a statement
sees what was committed before it began, so a fact read together with the lock may be older than the lock.
Lock order: intake's agency lock → subscriptions by id → number series.
"""

from collections.abc import Iterable

from shared.store.database import Transaction

_LOCK = """
SELECT s.agency_id, s.subscription_id FROM subscriptions AS s
JOIN unnest(CAST(:agencies AS text[]), CAST(:ids AS text[])) AS k(agency_id, subscription_id)
  ON k.agency_id = s.agency_id AND k.subscription_id = s.subscription_id
ORDER BY s.agency_id, s.subscription_id FOR NO KEY UPDATE OF s"""
_LOCK_FREE = _LOCK + " SKIP LOCKED"

Pair = tuple[str, str]


def lock_subscriptions(tx: Transaction, pairs: Iterable[Pair], *, wait: bool) -> list[Pair]:
    """Lock subscriptions, given as (agency_id, subscription_id), in the order of their ids, until the transaction ends.

    Returns the pairs that are locked now: without `wait`, those another session holds are left out; unknown ones always.
    A transaction that holds locks already must not wait for more: two of them would wait for each other.
    """
    wanted = sorted(set(pairs))
    if not wanted:
        return []
    rows = tx.rows(
        _LOCK if wait else _LOCK_FREE, agencies=[pair[0] for pair in wanted], ids=[pair[1] for pair in wanted]
    )
    return [(row[0], row[1]) for row in rows]


def lock_of_agency(tx: Transaction, agency_id: str, ids: Iterable[str], *, wait: bool) -> set[str]:
    """The same for subscriptions of one agency: the ids of those that are locked now."""
    return {id_ for _, id_ in lock_subscriptions(tx, [(agency_id, id_) for id_ in ids], wait=wait)}


def lock_agencies(tx: Transaction, agency_ids: Iterable[str]) -> None:
    """Intake's locks: messages of one agency are applied one after another. Taken before any subscription, all at once."""
    tx.run(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('duecycle agency ' || k.agency_id, 0))
        FROM unnest(CAST(:ids AS text[])) AS k(agency_id)
        """,
        ids=sorted(set(agency_ids)),
    )


def lock_agency(tx: Transaction, agency_id: str) -> None:
    """Intake's lock of one agency."""
    lock_agencies(tx, [agency_id])


def try_lock_role(tx: Transaction, role: str) -> bool:
    """True if this transaction is the only one with that role (one relay at a time)."""
    return bool(
        tx.scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('duecycle role ' || :role, 0))", role=role)
    )


def lock_subject(tx: Transaction, subject: str) -> None:
    """The lock of a subject of events that is no subscription: whoever records about it takes it first."""
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('duecycle subject ' || :subject, 0))", subject=subject)
