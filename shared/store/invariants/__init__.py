"""What must be true of any database: promises that no single constraint can keep, each as one query.

The tests, `duecycle simulate` after every run and the operator's check of a live database ask the same questions. Every
query is one set-based statement over whole tables, so what it sees is consistent while the cluster works on.
`ledger`: cycles and events. `documents`: orders, invoices and their numbers. `collection`: payments and charges.
`refunds`: money that goes back, and its credit notes.
"""

from shared.store.database import Store, Transaction
from shared.store.invariants import collection, documents, ledger, refunds
from shared.store.invariants.invariant import Invariant, Violation

__all__ = ["INVARIANTS", "Invariant", "Violation", "check", "find", "violations"]

INVARIANTS: tuple[Invariant, ...] = (
    *ledger.INVARIANTS,
    *documents.INVARIANTS,
    *collection.INVARIANTS,
    *refunds.INVARIANTS,
)
# Reading whole tables takes longer, and sorts more, than anything else that is ever asked. Whole tables are joined by hashing
# or merging: statistics that are out of date would suggest nested loops, whose time grows with the square of the rows.
_AT_LEISURE = (
    "SET TRANSACTION READ ONLY",
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL statement_timeout = '30min'",
    "SET LOCAL work_mem = '128MB'",
)


def check(store: Store, limit: int = 20) -> list[Violation]:
    """The rows that break an invariant, at most `limit` of each; empty when all hold.

    Writes nothing and locks no row. Raises what the database raises.
    """
    with store.transaction() as tx:
        for setting in _AT_LEISURE:
            tx.run(setting)
        return find(tx, limit)


def find(tx: Transaction, limit: int = 20) -> list[Violation]:
    """What `check` finds, as an open transaction sees the database."""
    return [violation for invariant in INVARIANTS for violation in _broken(tx, invariant, limit)]


def violations(store: Store, limit: int = 20) -> list[str]:
    """Every broken invariant, as lines for people; empty when all hold. After `limit` rows of one, a line says so."""
    found = check(store, limit + 1)
    lines = []
    for invariant in INVARIANTS:
        broken = [violation.line() for violation in found if violation.invariant == invariant.name]
        lines += broken[:limit]
        if len(broken) > limit:
            lines.append(f"{invariant.name}: more than {limit} rows break it; the rest is not listed")
    return lines


def _broken(tx: Transaction, invariant: Invariant, limit: int) -> list[Violation]:
    as_of = {"as_of": tx.as_of} if ":as_of" in invariant.sql else {}
    sql = f"SELECT * FROM ({invariant.sql}) AS broken ORDER BY broken LIMIT :limit"  # noqa: S608
    try:
        rows = tx.mappings(sql, limit=limit, **as_of)
    except BaseException as error:
        error.add_note(f"asked for the invariant {invariant.name}")
        raise
    return [Violation(invariant.name, invariant.promise, row) for row in rows]
