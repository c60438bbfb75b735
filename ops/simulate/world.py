"""Everything that runs, on one database and under one clock: intake, scheduler, pools, sandbox, mail."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

from scheduler.dispatch import dispatch
from scheduler.plan import plan
from scheduler.recheck import recheck
from scheduler.relay import Told, relay_pass
from shared.broker import EmbeddedBroker
from shared.broker.actors import declare
from shared.documents.sending import EmlWriter
from shared.gateways.port import Gateway
from shared.store import due_rows
from shared.store.database import Store
from shared.store.events import Unpublished
from workers.charges.charge_invoices import Runtime as Charging
from workers.charges.charge_invoices import always, charge_invoices
from workers.gateway_accounts import sandbox_of
from workers.intake.receive_changes import Received, receive_change, replay_waiting
from workers.invoices.issue_invoices import issue_invoices
from workers.notices.send_notices import Runtime as Sending
from workers.notices.send_notices import send_notices
from workers.orders.create_orders import create_orders

ROUNDS_MAX = 100_000


class Unsettled(Exception):  # noqa: N818 - it states what was found
    """The pools kept finding work at one moment: a bug, for time could never go on."""


class _Listener:
    """An exchange without consumers; the events are read from their table at the end."""

    def publish(self, batch: Sequence[Unpublished]) -> Told:
        return Told(batch)


class World:
    """The cluster in one process. Without a seed messages are processed in order; a seed shuffles them, repeatably.

    `gateways`: those there are beside the sandbox; `pay_url`: as the notices pool takes it; `broker`: one that watches.
    """

    def __init__(
        self,
        store: Store,
        mails: Path,
        seed: int = 0,
        *,
        gateways: Mapping[str, Gateway] | None = None,
        pay_url: Callable[[str, str], str] | None = None,
        broker: EmbeddedBroker | None = None,
    ) -> None:
        self.store = store
        self._broker = broker or EmbeddedBroker()
        self._random = Random(seed) if seed else None  # noqa: S311 - a shuffle, not a secret
        self._listener = _Listener()
        charging = Charging(store=store, gateways=always({**sandbox_of(store), **(gateways or {})}), concurrency=1)
        declare(self._broker, "invoices", partial(issue_invoices, store))
        declare(self._broker, "charges", partial(charge_invoices, charging))
        declare(self._broker, "orders", partial(create_orders, store))
        declare(
            self._broker,
            "notices",
            partial(send_notices, Sending(store=store, sender=EmlWriter(mails), pay_url=pay_url)),
        )
        declare(self._broker, "intake", partial(replay_waiting, store))

    def receive(self, raw: bytes) -> Received:
        """One upstream message arrives."""
        return receive_change(self.store, raw)

    def settle(self, excluded: Sequence[str] = ()) -> None:
        """Let everything that is due now happen. Raises Unsettled if it never ends."""
        for _ in range(ROUNDS_MAX):
            with self.store.transaction() as tx:
                due = due_rows.due_work(tx, excluded)
            if not due:
                break
            if due_rows.RECHECK in due:
                recheck(self.store, excluded=excluded)
            if due_rows.PLAN in due:
                plan(self.store, excluded=excluded)
            dispatch(self.store, self._broker, due, excluded=excluded)
            self._broker.drain(self._random)
        else:
            raise Unsettled(f"still busy after {ROUNDS_MAX} rounds at one moment")
        while relay_pass(self.store, self._listener).more:
            pass
