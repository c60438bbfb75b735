"""A diary: messages in, the clock moved from event to event, the ledger read. What the tests of journeys are written in."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from ops.simulate.run import Outage
from ops.simulate.world import World
from shared.store import due_rows, exports
from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from tests.journeys.portal import DEFAULTS, IDS
from workers.intake.receive_changes import Received

Row = SimpleNamespace


class Diary:
    """One world on one database. Dates given as text mean: in `say` noon, in `go` the end of that day, both in `zone`."""

    def __init__(self, store: Store, clock: FixedClock, folder: Path, seed: int = 0, **world: Any) -> None:
        self.store, self.clock, self.mails = store, clock, folder / "mails"
        self.world = World(store, self.mails, seed, **world)
        self.zone = "Europe/Berlin"
        self._outage: Outage | None = None
        self._told: dict[tuple[str, ...], dict[str, Any]] = {}
        self._messages = 0
        self._unsettled = False

    def say(self, name: str, /, at: str | datetime | None = None, *, id: str | None = None, **data: Any) -> Received:  # noqa: A002
        """Upstream says `duecycle.<name>.v1` at `at` (default: now; earlier than the clock: it comes late, now).

        Upserts repeat what was last said of the same thing, with `data` changed and the next revision. Whatever falls due
        before `at` happens first; what the message brings about happens when the clock moves or the ledger is read.
        """
        moment = self.moment(at, time(12)) if at is not None else self.clock.at
        self._reach(moment)
        return self.hear(self.message(name, moment, id=id, **data))

    def message(
        self,
        name: str,
        /,
        at: str | datetime,
        *,
        id: str | None = None,  # noqa: A002
        source: str = "/portal",
        **data: Any,
    ) -> bytes:
        """The bytes of what `say` says, for `hear`."""
        message = {
            "specversion": "1.0",
            "id": id or f"m{self._messages + 1}",
            "source": source,
            "type": f"duecycle.{name}.v1",
            "time": self.moment(at, time(12)).isoformat(),
            "data": self._state(name, data),
        }
        return json.dumps(message).encode()

    def hear(self, raw: bytes) -> Received:
        """Any bytes arrive, now."""
        self._messages += 1
        self._unsettled = True
        return self.world.receive(raw)

    def open(self, at: str | datetime = "2026-05-20", card: str | None = "ok", **of: dict[str, Any]) -> None:
        """An agency with a client, a monthly service of 100.00 EUR + 19 % VAT and a card with the token `card` (None: none).

        `of` changes the defaults, by `agency=`, `client=` and `service=`.
        """
        self.say("agency.upserted", at, **of.get("agency", {}))
        self.say("client.upserted", at, **of.get("client", {}))
        self.say("service.upserted", at, **of.get("service", {}))
        if card is not None:
            self.new_card(at, card)

    def new_card(self, at: str | datetime, card: str = "ok", **of: Any) -> Received:
        """A client's card changes to the token `card`; `of` may say whose."""
        return self.say("payment_method.upserted", at, token=card, **of)

    def go(self, until: str | datetime) -> None:
        """Move from event to event up to and including `until` (a date: that whole local day); the clock stands there."""
        self.settle()
        moment = self.moment(until, None)
        self._events(moment)
        self.clock.at = max(self.clock.at, self._awake(moment))

    def outage(self, since: str | datetime, until: str | datetime) -> None:
        """Nothing runs between two moments (dates: their midnights); what is said in between is heard at the end."""
        self._outage = Outage(self.moment(since, time(0)), self.moment(until, time(0)))

    def settle(self) -> None:
        """Everything that is due now happens."""
        if self._unsettled:
            self.world.settle()
            self._unsettled = False

    def wake(self) -> None:
        """The clock was moved by somebody else: everything that is due by now happens."""
        self._unsettled = True
        self.settle()

    def moment(self, at: str | datetime, when: time | None) -> datetime:
        """The instant meant: a text without a time is that day at local `when`, None its last microsecond."""
        if isinstance(at, datetime):
            return at.astimezone(UTC)
        if "T" in at:
            return datetime.fromisoformat(at).astimezone(UTC)
        zone, day = ZoneInfo(self.zone), date.fromisoformat(at)
        if when is None:
            following = datetime.combine(day + timedelta(days=1), time(0), zone)
            return following.astimezone(UTC) - timedelta(microseconds=1)
        return datetime.combine(day, when, zone).astimezone(UTC)

    def _state(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        said = {"agency_id": "ag", **DEFAULTS.get(name, {}), **data}
        if name.endswith((".upserted", ".removed")):
            kind = name.split(".")[0]
            about = (kind, said["agency_id"], *(str(said[each]) for each in IDS[kind]))
            before = self._told.get(about, {})
            kept = before if name.endswith(".upserted") else {}
            said = {**DEFAULTS[name], **kept, "agency_id": "ag", "revision": before.get("revision", 0) + 1, **data}
            self._told[about] = {**before, **said}
        if name == "agency.upserted":
            self.zone = said["timezone"]
        return said

    def _reach(self, moment: datetime) -> None:
        """Let everything before `moment` happen, and stand there; before the first message the clock is simply put."""
        awake = self._awake(moment)
        if not self._messages:
            self.clock.at = awake
        elif awake > self.clock.at:
            self.settle()
            self._events(awake - timedelta(microseconds=1))
            self.clock.at = awake
            self._unsettled = True

    def _events(self, until: datetime) -> None:
        while (following := self._following()) is not None and following <= until:
            self.clock.at = following
            self.world.settle()

    def _following(self) -> datetime | None:
        with self.store.transaction() as tx:
            at = due_rows.next_instant(tx, [])
        return None if at is None else self._awake(max(at, self.clock.at))

    def _awake(self, at: datetime) -> datetime:
        outage = self._outage
        return outage.until if outage is not None and outage.since <= at < outage.until else at

    def rows(self, table: str) -> list[Row]:
        """The rows of an output file (orders, invoices, charges, notices, cycles, events, …), settled as of now."""
        self.settle()
        with self.store.transaction() as tx:
            return [Row(**row) for row in exports.rows_of(tx, table)]

    def orders(self, sub: str = "sub") -> list[Row]:
        return [row for row in self.rows("orders") if row.subscription_id == sub]

    def invoices(self, sub: str = "sub") -> list[Row]:
        return [row for row in self.rows("invoices") if row.subscription_id == sub]

    def charges(self, invoice_id: str | None = None) -> list[Row]:
        return [row for row in self.rows("charges") if invoice_id in (None, row.invoice_id)]

    def notices(self, occasion: str | None = None, audience: str | None = None) -> list[Row]:
        found = [row for row in self.rows("notices") if occasion in (None, row.occasion)]
        return [row for row in found if audience in (None, row.audience)]

    def cycles(self, sub: str = "sub", stream: str | None = None) -> list[Row]:
        found = [row for row in self.rows("cycles") if row.subscription_id == sub]
        return [row for row in found if stream in (None, row.stream)]

    def events(self, type_: str) -> list[Row]:
        return [row for row in self.rows("events") if row.type == type_]

    def ask(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Any question to the database, its answer as texts and numbers."""
        self.settle()
        with self.store.transaction() as tx:
            return [tuple(_plain(value) for value in row) for row in tx.rows(sql, **params)]

    def check(self) -> None:
        """Every invariant of the ledger holds."""
        self.settle()
        assert violations(self.store) == []


def told(rows: Iterable[Row], fields: str) -> Sequence[Any]:
    """The named fields of rows, plain: dates and instants (UTC, to the minute) as text; one field: without tuples."""
    names = fields.split()
    listed = [tuple(_plain(getattr(row, name)) for name in names) for row in rows]
    return [each[0] for each in listed] if len(names) == 1 else listed


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    return value.isoformat() if isinstance(value, date | time) else value
