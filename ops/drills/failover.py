"""The PostgreSQL primary is lost under load, and its synchronous standby is promoted: no committed work may be missing."""

import threading
import time
from pathlib import Path

from ops.cluster.load import Load
from ops.drills.report import Report, longest_silence, now
from ops.drills.standby import Pair
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.store import migrate
from shared.store.database import Store

SUBSCRIPTIONS = 1500
BROKEN_AT = 300  # paid invoices
DETECTED_AFTER = 3.0  # seconds until a person or a failover manager promotes the standby


def failover(folder: Path, report: Report) -> None:
    """Run the drill in `folder`. Raises AssertionError if anything is missing or doubled."""
    with Pair(folder) as pair, PrivateRabbitmq(folder / "rabbitmq") as rabbitmq:
        migrate.upgrade(pair.primary.url())
        report("primary and synchronous standby are up; every commit waits for both")
        load = Load(pair.url, rabbitmq.url, folder)
        try:
            _drill(load, pair, report)
        finally:
            load.close()


def _drill(load: Load, pair: Pair, report: Report) -> None:
    load.begin(SUBSCRIPTIONS, seed_url=pair.primary.url())
    before = {member.kind: member.process.pid for member in load.members}
    load.reach(BROKEN_AT)
    witness = _Witness(load.store)
    time.sleep(1)
    broken = now(load.store)
    pair.lose_primary()
    report(f"primary lost, by SIGKILL to all its processes, at {load.subscriptions} subscriptions under way")
    seen = witness.end()
    time.sleep(DETECTED_AFTER)
    promoting = time.monotonic()
    pair.promote()
    report(f"standby promoted in {time.monotonic() - promoting:.2f} s, {DETECTED_AFTER:g} s after the loss")
    with load.store.transaction() as tx:
        kept = {row[0] for row in tx.rows("SELECT key FROM charges WHERE state = 'succeeded'")}
    if seen - kept:
        raise AssertionError(f"{len(seen - kept)} charges that were seen committed are missing")
    report(f"all {len(seen)} charges that were seen committed before the loss are there")
    load.finish()
    after = {member.kind: member.process.pid for member in load.members}
    if after != before:
        raise AssertionError("a process was started again; all should have survived")
    report(f"all {SUBSCRIPTIONS} are billed once and paid once, and no process was restarted")
    report(f"the longest time without a finished cycle was {longest_silence(load.store, broken):.1f} s")


class _Witness:
    """Remembers which successful charges it has seen committed, until the database is gone."""

    def __init__(self, store: Store) -> None:
        self._store, self._seen = store, set[str]()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while True:
                with self._store.transaction() as tx:
                    rows = tx.rows("SELECT key FROM charges WHERE state = 'succeeded'")
                self._seen |= {row[0] for row in rows}
                time.sleep(0.02)
        except Exception:  # noqa: BLE001 - the database is gone, as planned
            return

    def end(self) -> set[str]:
        """What was seen. The database must be gone."""
        self._thread.join(30)
        return set(self._seen)
