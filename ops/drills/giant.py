"""One agency has 100,000 due cycles, a small one a few that fall due after all of them: how long does the small one wait?"""

from datetime import datetime
from pathlib import Path

from ops.bench import seed
from ops.cluster.local import LocalCluster
from ops.cluster.waiting import until
from ops.drills.report import Report, now
from scheduler.dispatch import BATCHES
from shared.store.database import Store, make_engine
from shared.store.invariants import violations

GIANT, SMALL = 100_000, 20
BATCHES_MAX = 20  # a quarter of the pool's room, and what is under way
# A copy of a few rows of the giant, under another name.
_COPY = """
INSERT INTO {table} SELECT (jsonb_populate_record(t, '{{"agency_id": "small"}}')).* FROM {table} AS t
WHERE {id} IN (SELECT DISTINCT {id} FROM {table} ORDER BY {id} LIMIT %(rows)s)"""
_COPIED = {
    "agencies": "agency_id",
    "services": "service_id",
    "service_revisions": "service_id",
    "clients": "client_id",
    "payment_methods": "client_id",
    "subscriptions": "subscription_id",
    "subscription_revisions": "subscription_id",
    "schedules": "subscription_id",
}
_WAITED = """
SELECT extract(epoch FROM max(settled_at) - :began), count(*) FROM cycles
WHERE stream = 'invoice' AND state = 'done' AND (agency_id = 'small') = :small"""
_BEFORE = """
SELECT count(*) FROM cycles WHERE agency_id <> 'small' AND state = 'done' AND stream = 'invoice'
  AND settled_at <= (SELECT max(settled_at) FROM cycles WHERE agency_id = 'small' AND stream = 'invoice')"""


def giant(folder: Path, report: Report) -> None:
    """Run the drill in `folder`. Raises AssertionError if the small agency had to wait for the giant."""
    with LocalCluster(folder) as cluster:
        cluster.members.stop()
        _seed(cluster.database_url)
        store = Store(make_engine(cluster.database_url))
        try:
            _drill(cluster, store, report)
        finally:
            store.engine.dispose()


def _seed(url: str) -> None:
    """Everything of the small agency falls due a minute after the giant's."""
    seed.seed(url, GIANT, agencies=1)
    with seed.connect(url) as session:
        for table, id_ in _COPIED.items():
            session.execute(_COPY.format(table=table, id=id_), {"rows": SMALL})
        session.execute("UPDATE agencies SET issue_time = '00:01' WHERE agency_id = 'small'")
        session.execute("UPDATE schedules SET next_at = next_at + interval '1 minute' WHERE agency_id = 'small'")
        session.execute("VACUUM (ANALYZE)")


def _drill(cluster: LocalCluster, store: Store, report: Report) -> None:
    report(f"{GIANT:,} cycles of one agency are due, and {SMALL} of another that fell due after all of them")
    began = now(store)
    for kind, count in {"scheduler": 1, "invoices": 2}.items():
        cluster.members.scale(kind, count)
    until(lambda: _waited(store, began, small=True)[1] == SMALL, patience=600)
    until(lambda: _waited(store, began, small=False)[1] == GIANT, patience=600)
    small, all_of_giant = (_waited(store, began, small=which)[0] for which in (True, False))
    with store.transaction() as tx:
        before = int(tx.scalar(_BEFORE))
    batches = before / BATCHES["invoices"]
    report(f"the small agency's last invoice came after {small:.2f} s, the giant's after {all_of_giant:.2f} s")
    report(f"{before:,} invoices of the giant came before it: {batches:.1f} batches of {BATCHES['invoices']}")
    if batches > BATCHES_MAX:
        raise AssertionError(f"the small agency waited for {batches:.1f} batches of the giant")
    found = violations(store)
    if found:
        raise AssertionError(f"broken invariants: {found}")


def _waited(store: Store, began: datetime, *, small: bool) -> tuple[float, int]:
    with store.transaction() as tx:
        row = tx.rows(_WAITED, began=began, small=small)[0]
    return float(row[0] or 0), int(row[1])
