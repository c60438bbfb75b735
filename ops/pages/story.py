"""One subscription from its first message to its last event, with everything that each step changed."""

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, NamedTuple, cast

import msgspec
from structlog.testing import capture_logs

from ops.simulate.world import World
from scheduler.dispatch import dispatch
from scheduler.outgoing import in_order
from scheduler.plan import plan
from scheduler.recheck import recheck
from scheduler.relay import Relaying, Told, relay_pass
from shared.broker import EmbeddedBroker, message_of
from shared.broker.changes_consumer import Delivery
from shared.broker.message_log import MessageLog
from shared.messages import Due
from shared.store import deployment, due_rows
from shared.store.database import FixedClock, Store
from shared.store.events import Unpublished
from workers.intake.consume_changes import run as take_messages

TOLD_AT = datetime(2026, 5, 20, 9, 6, tzinfo=UTC)
UNTIL = datetime(2026, 6, 2, tzinfo=UTC)
RUNS_MAX = 100
TABLES = (
    *("inbox", "agencies", "clients", "services", "payment_methods", "subscriptions", "schedules", "rechecks"),
    "cycles",
    *("invoices", "invoice_lines", "charges", "payments", "orders", "notices", "events"),
)
MESSAGES: Sequence[tuple[str, Mapping[str, Any]]] = (
    (
        "duecycle.agency.upserted.v1",
        {
            "revision": 1,
            "name": "Acme Studio",
            "timezone": "Europe/Berlin",
            "currency": "EUR",
            "email": "billing@acme.example",
            "invoice_prefix": "NL-",
        },
    ),
    (
        "duecycle.client.upserted.v1",
        {"client_id": "zoo", "revision": 1, "name": "City Zoo", "email": "accounts@zoo.example"},
    ),
    (
        "duecycle.payment_method.upserted.v1",
        {"client_id": "zoo", "payment_method_id": "card-1", "revision": 1, "provider": "sandbox", "token": "ok"},
    ),
    (
        "duecycle.service.upserted.v1",
        {
            "service_id": "seo",
            "revision": 1,
            "name": "SEO care",
            "currency": "EUR",
            "price_minor": 150000,
            "billing_cycle": {"unit": "month", "every": 1},
            "tax": {"name": "VAT", "rate": "19"},
        },
    ),
    (
        "duecycle.subscription.upserted.v1",
        {
            "subscription_id": "zoo-seo",
            "revision": 1,
            "client_id": "zoo",
            "service_id": "seo",
            "checkout": "self_checkout",
            "starts_on": "2026-06-01",
        },
    ),
)

Row = Mapping[str, Any]


class Change(NamedTuple):
    """What a step did to one row: the row as it was before, None if it is new, and as it is now."""

    table: str
    before: Row | None
    after: Row


class Step(NamedTuple):
    """One step: its process and time, its work message, and its results."""

    name: str
    at: datetime
    due: Sequence[Due]
    changes: Sequence[Change]
    log: Sequence[Mapping[str, Any]]
    published: Sequence[Unpublished] = ()


class Story(NamedTuple):
    """All steps of a run, in order, and the mails that were sent."""

    messages: Sequence[bytes]
    steps: Sequence[Step]
    mails: Sequence[str]


def tell(store: Store, clock: FixedClock, folder: Path) -> Story:
    """Run the subscription on an empty database: the real intake, scheduler, pools and relay, one step at a time."""
    clock.at = TOLD_AT
    with store.transaction() as tx:
        deployment.fix(tx, "documentation")
    return _Telling(store, clock, folder / "mails").go()


def messages() -> list[bytes]:
    """The messages from upstream."""
    return [
        msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": f"m-{number}",
                "source": "/portal",
                "type": name,
                "time": TOLD_AT.replace(minute=number),
                "data": {"agency_id": "acme", **data},
            }
        )
        for number, (name, data) in enumerate(MESSAGES, 1)
    ]


class _Broker(EmbeddedBroker):
    """Runs messages as a worker process does, and reports each."""

    def __init__(self, on_dispatch: Callable[[Sequence[Due]], None], on_done: Callable[[Due], None]) -> None:
        super().__init__()
        self._on_dispatch, self._on_done = on_dispatch, on_done
        self._waiting: list[Due] = []

    def publish(self, messages: Sequence[Due]) -> None:
        self._on_dispatch(messages)
        self._waiting.extend(messages)

    def drain(self, random: Random | None = None) -> int:
        del random
        done = 0
        while self._waiting:
            due = self._waiting.pop(0)
            message = message_of(due)
            message_log, proxy = MessageLog(due.pool, lambda *_: None), cast("Any", message)
            message_log.before_process_message(self, proxy)
            self.get_actor(message.actor_name).fn(**message.kwargs)
            message_log.after_process_message(self, proxy)
            self._on_done(due)
            done += 1
        return done


class _Queue:
    """The queue from upstream: everything at once, then nothing more."""

    def __init__(self, bodies: Sequence[bytes], stop: Event) -> None:
        self._bodies, self._stop = bodies, stop

    def take(self, stop: Event) -> Sequence[Delivery]:
        del stop
        return [Delivery(tag, body) for tag, body in enumerate(self._bodies, 1)]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        del deliveries
        self._stop.set()

    def give_back(self) -> None:
        """Nothing is held."""


class _Telling:
    def __init__(self, store: Store, clock: FixedClock, mails: Path) -> None:
        self._store, self._clock, self._mails = store, clock, mails
        self._steps: list[Step] = []
        self._known = self._rows()
        self._log: MutableSequence[Any] = []
        self._broker = _Broker(self._dispatched, self._done)
        World(store, mails, broker=self._broker)  # lets the pools work on this broker's messages

    def go(self) -> Story:
        told = messages()
        with capture_logs() as lines:
            self._log = lines
            stop = Event()
            take_messages(self._store, _Queue(told, stop), stop)
            self._step("intake")
            self._work()
            self._relay()
            for _ in range(RUNS_MAX):
                following = self._following()
                if following is None or following >= UNTIL:
                    break
                self._clock.at = max(following, self._clock.at)
                self._work()
                self._relay()
        return Story(told, self._steps, [path.read_text("utf-8") for path in sorted(self._mails.glob("*.eml"))])

    def _work(self) -> None:
        """Everything that is due at this moment, in the order of a scheduler tick."""
        for _ in range(RUNS_MAX):
            due = self._due()
            if not due:
                return
            if due_rows.RECHECK in due and recheck(self._store):
                self._step("recheck")
            if due_rows.PLAN in due and plan(self._store):
                self._step("plan")
            dispatch(self._store, self._broker, self._due())
            self._broker.drain()
        raise RuntimeError(f"still busy after {RUNS_MAX} rounds: {sorted(due)}")

    def _due(self) -> set[str]:
        with self._store.transaction() as tx:
            return due_rows.due_work(tx, [])

    def _following(self) -> datetime | None:
        with self._store.transaction() as tx:
            return due_rows.next_instant(tx, [])

    def _dispatched(self, due: Sequence[Due]) -> None:
        self._step("dispatch", due)

    def _done(self, due: Due) -> None:
        self._step(due.pool, [due])

    def _relay(self) -> None:
        sent: list[Unpublished] = []

        class Exchange:
            def publish(self, batch: Sequence[Unpublished]) -> Told:
                sent.extend(batch)
                return Told(batch)

        Relaying(lambda: relay_pass(self._store, Exchange())).run(Event())
        if sent:
            self._step("relay", published=sent)

    def _step(self, name: str, due: Sequence[Due] = (), published: Sequence[Unpublished] = ()) -> None:
        now = self._rows()
        changes = [
            Change(table, self._known[table].get(key), row)
            for table in TABLES
            for key, row in now[table].items()
            if self._known[table].get(key) != row
        ]
        self._steps.append(
            Step(name=name, at=self._clock.at, due=list(due), changes=changes, log=list(self._log), published=published)
        )
        self._known = now
        self._log.clear()

    def _rows(self) -> dict[str, dict[tuple[Any, ...], Row]]:
        """Every row of the tables of the story, by its key."""
        with self._store.transaction() as tx:
            keys = _keys(tx.rows(_KEYS))
            return {
                table: {
                    tuple(row[column] for column in keys[table]): row
                    for row in tx.mappings(f"SELECT * FROM {table} ORDER BY {', '.join(keys[table])}")  # noqa: S608 - ours
                }
                for table in TABLES
            }


_KEYS = """
SELECT c.conrelid::regclass::text, a.attname
FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.contype = 'p' AND c.connamespace = 'public'::regnamespace
ORDER BY c.conrelid, array_position(c.conkey, a.attnum)
"""


def _keys(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    return found


def cloud_event(event: Unpublished) -> tuple[str, bytes]:
    """The routing key and the body of a published event."""
    message = in_order(event).message
    return message.routing_key, message.body
