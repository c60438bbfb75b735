"""A cluster of real processes under load, and what must be there in the end: one of everything, whatever died."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ops.bench import seed
from ops.cluster.members import Members
from ops.cluster.waiting import PATIENCE, until
from shared.broker.startup_check import queue_loads
from shared.messages.work import POOLS
from shared.store.database import Store, make_engine
from shared.store.invariants import violations

# Short enough that lost work is dispatched again within the test.
QUICK = {"DUECYCLE_LEASE_SECONDS": "8", "DUECYCLE_STATEMENT_TIMEOUT_SECONDS": "2", "DUECYCLE_STOP_SECONDS": "10"}
COUNTS = """
SELECT (SELECT count(*) FROM invoices WHERE status = 'paid'), (SELECT count(*) FROM orders),
       (SELECT count(*) FROM charges WHERE state = 'succeeded'), (SELECT count(*) FROM notices WHERE state = 'sent')"""


class Load:
    """`subscriptions` of self-checkout, each with one order and one invoice due now, paid by a card that works."""

    def __init__(
        self,
        database_url: str,
        broker_url: str,
        folder: Path,
        *,
        words: Mapping[str, Sequence[str]] | None = None,
        environ: Mapping[str, str] | None = None,
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.subscriptions = 0
        self.mails = folder / "mails"
        given = {
            "DUECYCLE_DATABASE_URL": database_url,
            "DUECYCLE_BROKER_URL": broker_url,
            "DUECYCLE_MAIL_URL": f"file://{self.mails}",
            **QUICK,
            **(environ or {}),
        }
        self.database_url, self._broker_url = database_url, broker_url
        self.members = Members({**os.environ, **given}, folder / "logs", words, own)
        self.store = Store(make_engine(database_url, ping=True))

    def begin(
        self, subscriptions: int, kinds: Sequence[str] = ("scheduler", *POOLS), seed_url: str | None = None
    ) -> None:
        """Let everything fall due, and start one process of each kind. `seed_url`: the database by a plain address."""
        self.subscriptions = subscriptions
        seed.seed(seed_url or self.database_url, subscriptions, streams=["order", "invoice"])
        for kind in kinds:
            self.members.scale(kind, 1)

    def done(self) -> tuple[int, ...]:
        """How many paid invoices, orders, successful charges and sent notices there are. Restarts dead processes."""
        self.members.look_after()
        try:
            with self.store.transaction() as tx:
                return tuple(tx.rows(COUNTS)[0])
        except Exception:  # noqa: BLE001 - the database may be restarting
            return (0, 0, 0, 0)

    def reach(self, paid: int) -> None:
        """Wait until so many invoices are paid: the load is running."""
        self._until(lambda: self.done()[0] >= paid)

    def finish(self) -> None:
        """Wait for the end, and see that there is exactly one of everything. Raises AssertionError with what is not so."""
        everything = (self.subscriptions,) * 4
        self._until(lambda: self.done() == everything, patience=180)
        _same("broken invariants", violations(self.store), [])
        with self.store.transaction() as tx:
            charged = tx.rows("SELECT count(*), count(DISTINCT key) FROM sandbox_ledger WHERE outcome = 'succeeded'")[0]
            states = tx.rows("SELECT stream, state, count(*) FROM cycles GROUP BY 1, 2 ORDER BY 1")
            alarms = tx.scalar("SELECT count(*) FROM events WHERE type IN ('cycle.repeated', 'cycle.blocked')")
        _same("charges and keys of the gateway", tuple(charged), (self.subscriptions, self.subscriptions))
        ended = [("invoice", "done", self.subscriptions), ("order", "done", self.subscriptions)]
        _same("cycles", [tuple(row) for row in states], ended)
        _same("events of blocked or repeated cycles", alarms, 0)
        # A mail may be sent again after a crash, but under its own id: one file for each.
        _same("mails", len(list(self.mails.iterdir())), self.subscriptions)

    def _until(self, true: Callable[[], bool], patience: float = PATIENCE) -> None:
        try:
            until(true, patience)
        except AssertionError:
            raise AssertionError(f"{self.done()} of {self.subscriptions}: {self.story()}") from None

    def story(self) -> str:
        """What is left, and the processes' last log lines, for a failure message."""
        with self.store.transaction() as tx:
            left = [
                *tx.rows("SELECT stream, state, reason, count(*), min(wake_at - now()) FROM cycles GROUP BY 1, 2, 3"),
                *tx.rows("SELECT state, count(*), min(wake_at - now()), max(dispatches) FROM charges GROUP BY 1"),
                *tx.rows("SELECT state, count(*), min(wake_at - now()), max(dispatches) FROM notices GROUP BY 1"),
                *tx.rows("SELECT name, now() - at FROM heartbeats"),
            ]
        said = [f"{m.kind}: {m.log.read_text().splitlines()[-3:]}" for m in self.members]
        return "\n".join([*map(str, left), str(queue_loads([self._broker_url], "story")), *said])

    def close(self) -> None:
        """Kill the processes: the test is over."""
        for member in self.members:
            if member.running:
                self.members.kill(member)
        self.store.engine.dispose()


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found}, expected {expected}")
