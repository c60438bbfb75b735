"""The database's clock is watched: a jump stops every transaction, before anything is done by it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from ops.cli import commands
from shared.domain.clock import Jump, Reading, drift, has_come_back
from shared.process import Process
from shared.settings import Settings
from shared.store import clock_jumps, heartbeats
from shared.store.clock_watch import ANCHORED, ClockStoppedError, ClockWatch
from shared.store.database import FixedClock, Store
from tests.conftest import START

BOUND = timedelta(minutes=2)
YEAR = timedelta(days=365)


class Machine:
    """Where processes run: its own clock, and the seconds it counts. The database's clock is `database`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.database, self.own, self.counted = FixedClock(START), START, timedelta(0)
        self.heard: list[bool] = []

    def passes(self, span: timedelta) -> None:
        """Time goes by, for all."""
        self.database.at += span
        self.own += span
        self.counted += span

    def process(self, name: str = "p") -> Store:
        watch = ClockWatch(name, lambda: self.own, BOUND, counted=lambda: self.counted, on_change=self.heard.append)
        return Store(self.engine, self.database, watch)

    def jumps(self) -> list[tuple[str, bool, str | None]]:
        with Store(self.engine, self.database).transaction() as tx:
            rows = tx.rows("SELECT found_by, ended_at IS NULL, accepted_by FROM clock_jumps ORDER BY jump_id")
        return [tuple(row) for row in rows]

    def accept(self) -> None:
        with Store(self.engine, self.database).transaction() as tx:
            clock_jumps.accept(tx, "eve")


@pytest.fixture
def machine(engine: Engine) -> Machine:
    return Machine(engine)


def works(process: Store) -> bool:
    """Whether a transaction begins, and leaves a beat behind at its time."""
    try:
        with process.transaction() as tx:
            heartbeats.beat(tx, "test")
    except ClockStoppedError:
        return False
    return True


@pytest.mark.parametrize("jump", [YEAR, timedelta(minutes=3), -timedelta(minutes=3), -YEAR])
def test_a_jump_stops_a_process_before_anything_is_done_and_all_others(machine: Machine, jump: timedelta) -> None:
    """Also one that begins afterwards on a machine whose clock has jumped too; and when the clock is back, all go on."""
    first, second = machine.process("first"), machine.process("second")
    assert works(first)
    assert works(second)
    machine.passes(timedelta(hours=5))
    machine.database.at += jump
    machine.own += jump

    assert not works(first)
    assert not works(second)
    assert not works(machine.process("third"))
    assert machine.jumps() == [("first", True, None)]
    assert machine.heard == [True, True, True]

    machine.passes(timedelta(minutes=2))
    machine.database.at -= jump
    machine.own -= jump
    assert works(first)
    assert works(second)
    assert works(machine.process("third"))
    assert machine.jumps() == [("first", False, None)]
    assert machine.heard == [True, True, True, False, False]


def test_a_jump_whose_commit_fails_is_told_by_the_next_transaction(machine: Machine) -> None:
    """Else a process that begins afterwards, on a machine whose clock has jumped too, would never know."""
    process = machine.process("first")
    assert works(process)
    machine.database.at += YEAR
    machine.own += YEAR

    def away(_connection: object) -> None:
        raise OperationalError("COMMIT", None, Exception("the server went away"))

    event.listen(machine.engine, "commit", away)
    assert not works(process)
    event.remove(machine.engine, "commit", away)
    assert machine.jumps() == []

    assert not works(process)
    assert machine.jumps() == [("first", True, None)]


@pytest.mark.parametrize(
    "strays",
    [
        pytest.param(lambda m: m.passes(timedelta(days=3)), id="idle for days"),
        pytest.param(lambda m: m.passes(timedelta(seconds=100)), id="a long statement"),
        pytest.param(lambda m: setattr(m.database, "at", m.database.at + BOUND), id="stepped by less than the bound"),
        pytest.param(
            lambda m: setattr(m.database, "at", m.database.at - BOUND), id="stepped back by less than the bound"
        ),
        pytest.param(lambda m: setattr(m, "own", m.own + YEAR), id="our own machine's clock, once at work"),
    ],
)
def test_what_clocks_do_in_normal_times_stops_nobody(machine: Machine, strays: Callable[[Machine], None]) -> None:
    process = machine.process()
    assert works(process)
    strays(machine)
    assert works(process)
    assert machine.heard == []


def test_a_clock_that_is_put_right_slowly_stops_nobody(machine: Machine) -> None:
    """A twentieth of a per cent, for a week: five minutes in all."""
    process = machine.process()
    for _ in range(6 * 7):
        assert works(process)
        machine.passes(timedelta(hours=4))
        machine.database.at += timedelta(hours=4) * 0.0005


def test_a_clock_that_runs_at_double_speed_stops_within_minutes(machine: Machine) -> None:
    process = machine.process()
    done = 0
    while works(process):
        done += 1
        machine.passes(timedelta(seconds=1))
        machine.database.at += timedelta(seconds=1)
    assert done == BOUND.total_seconds() + 1


def test_at_its_start_a_process_compares_with_its_machine_and_with_what_a_scheduler_has_seen(machine: Machine) -> None:
    with machine.process().transaction() as tx:
        heartbeats.beat(tx, "scheduler")
    machine.own += YEAR
    assert not works(machine.process())
    machine.own -= YEAR
    machine.database.at -= timedelta(hours=1)
    machine.own -= timedelta(hours=1)

    with (
        pytest.raises(ClockStoppedError, match="a scheduler has worked at 2026-06-01T00:00:00"),
        machine.process().transaction(),
    ):
        pass
    machine.passes(timedelta(days=100))  # an outage is no jump
    assert works(machine.process())


def test_what_an_operator_accepts_every_process_trusts(machine: Machine) -> None:
    """The scheduler's newest beat, from a time that will not come, no longer counts."""
    process = machine.process()
    assert works(process)
    machine.database.at -= YEAR
    assert not works(process)

    machine.accept()

    assert works(process)
    assert machine.jumps() == [("p", False, "eve")]
    machine.database.at += YEAR
    assert not works(process)


def test_who_miscounts_stops_alone(machine: Machine) -> None:
    """A machine that stood still without counting: another process knows better, and a restart is enough."""
    asleep, awake = machine.process("asleep"), machine.process("awake")
    assert works(asleep)
    assert works(awake)
    machine.passes(timedelta(hours=1))
    asleep.watch._counted = lambda: machine.counted - timedelta(hours=1)  # type: ignore[union-attr]

    assert not works(asleep)
    assert works(awake)
    assert not works(asleep)
    assert machine.jumps() == [("asleep", False, None)]
    assert works(machine.process())


def test_drift_is_what_a_slow_answer_can_not_explain() -> None:
    second = timedelta(seconds=1)
    before = Reading(START, 0 * second, second)
    assert drift(before, Reading(START + 10 * second, 9 * second, 20 * second)) == timedelta(0)
    assert drift(before, Reading(START + 30 * second, 9 * second, 20 * second)) == 10 * second
    assert drift(before, Reading(START, 9 * second, 20 * second)) == -8 * second


def test_who_did_not_count_meanwhile_calls_a_jump_over_only_when_it_surely_is() -> None:
    forward = Jump(START, START + YEAR)
    assert has_come_back(forward, START + timedelta(hours=1), BOUND)
    assert not has_come_back(forward, START + YEAR + timedelta(hours=1), BOUND)
    assert not has_come_back(forward, START - timedelta(hours=1), BOUND)
    backward = Jump(START, START - YEAR)
    assert has_come_back(backward, START, BOUND)
    assert not has_come_back(backward, START - YEAR, BOUND)
    assert BOUND > ANCHORED * 0.0005 * 10


@pytest.fixture
def process(database_url: str) -> Iterator[Process]:
    made = Process("webhooks", Settings(database_url=database_url, http=None), connections=2)
    yield made
    made.close()


def test_a_real_process_trusts_the_real_clock_and_says_when_it_does_not(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness says so, in words; no simulated clock is involved."""
    assert process._clock() is None
    assert process.store.watch is not None
    monkeypatch.setattr(process.store.watch, "_counted", lambda: timedelta(0))

    words = process._clock()

    assert words is not None
    assert "by our own counting it is" in words
    assert words.endswith("duecycle clock accept")


class Said(NamedTuple):
    code: int
    text: str


def duecycle(url: str, *words: str) -> Said:
    done = CliRunner().invoke(commands, words, env={"DUECYCLE_DATABASE_URL": url})
    return Said(done.exit_code, done.output)


def test_commands_show_the_clocks_accept_one_and_do_nothing_by_a_wrong_one(database_url: str, store: Store) -> None:
    store.clock = None
    with store.transaction() as tx:
        tx.run(
            "INSERT INTO clock_jumps (expected_at, seen_at, found_by) VALUES (:at, :at - interval '1 year', 'charges')",
            at=tx.as_of + timedelta(days=1),
        )

    assert "a clock jump is open" in duecycle(database_url, "clock", "show").text
    refused = duecycle(database_url, "reconcile", "--agency", "a")
    assert (refused.code, "nobody knows whether it is right again" in refused.text) == (1, True), refused.text
    accepted = duecycle(database_url, "clock", "accept", "--by", "eve", "--reason", "looked at my watch")
    assert accepted.text.endswith("is accepted as the current time\n")
    assert "a clock jump is open" not in duecycle(database_url, "clock", "show").text
    with store.transaction() as tx:
        assert tx.scalar("SELECT data ->> 'by' FROM events WHERE type = 'clock.accepted'") == "eve"
