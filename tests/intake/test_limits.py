"""Intake stays within limits of size and time, whatever upstream sends, and no message of others waits for that."""

import json
import time

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from shared.store import inbox
from shared.store.database import FixedClock, Store, make_engine
from shared.store.fact_buffer import FactBuffer
from shared.store.inbox import Arrived, Room
from tests.intake.test_upstream import agency, change, client, names
from tests.limits import too_large
from workers.intake import apply_facts, kinds
from workers.intake.receive_batch import receive_batch
from workers.intake.receive_changes import replay_waiting

CLIENTS = [client(number) for number in range(8)]


def fragile(monkeypatch: pytest.MonkeyPatch, act: object) -> None:
    """The client c2 meets something when it is applied."""

    def apply(work, read, data):
        if data.client_id == "c2":
            act(work)  # type: ignore[operator]
        return apply_facts.client(work, read, data)

    monkeypatch.setitem(kinds.APPLY, kinds.ClientUpserted, apply)


def test_a_message_that_takes_too_long_is_rejected_and_the_others_are_applied(
    database_url: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile(monkeypatch, lambda work: work.tx.run("SELECT pg_sleep(20)"))
    engine = make_engine(database_url, statement_timeout_ms=300)

    received = receive_batch(Store(engine, clock), [agency(), *CLIENTS])

    assert [each.state for each in received] == ["applied", *["applied"] * 2, "rejected", *["applied"] * 5]
    assert "statement timeout" in received[3].reason
    engine.dispose()


def test_a_message_that_needs_too_much_memory_is_rejected_and_the_others_are_applied(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_work: object) -> None:
        raise MemoryError

    fragile(monkeypatch, breaks)

    received = receive_batch(store, [agency(), *CLIENTS])

    assert [each.state for each in received].count("applied") == 8
    assert received[3].reason == "could not be applied (MemoryError); please report this message"


def test_a_batch_that_is_too_large_for_the_database_is_taken_in_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message is judged as ever; and in their order."""
    kept = inbox.store_all

    def narrow(tx, arrived):
        if len(arrived) > 2:
            raise too_large()
        return kept(tx, arrived)

    monkeypatch.setattr(inbox, "store_all", narrow)

    received = receive_batch(store, [agency(), *CLIENTS])

    assert [each.state for each in received] == ["applied"] * 9
    assert [name for _, name, _ in names(store)] == [f"c{number}" for number in range(8)]


@pytest.mark.parametrize("room", [Room(3, 1 << 20), Room(500, 600)], ids=["messages", "bytes"])
def test_however_many_messages_waited_a_transaction_applies_a_few_and_wakes_the_rest(
    store: Store, monkeypatch: pytest.MonkeyPatch, room: Room
) -> None:
    """Two thousand of 1 MiB may wait for an agency."""
    monkeypatch.setattr(inbox, "ROOM", room)
    assert [each.state for each in receive_batch(store, CLIENTS)] == ["waiting"] * 8

    receive_batch(store, [agency()])

    with store.transaction() as tx:
        woken = [
            str(row[0])
            for row in tx.rows("SELECT inbox_id FROM inbox WHERE state = 'waiting' AND wake_at = :at", at=tx.as_of)
        ]
    assert len(names(store)) == 3
    assert len(woken) == 5
    replay_waiting(store, "a", woken)
    assert len(names(store)) == 8


@pytest.mark.parametrize("others", [0, 3], ids=["alone", "in a batch"])
@pytest.mark.parametrize("limit", ["statement", "lock", "memory", "idle"])
def test_a_message_that_waited_and_hits_a_limit_waits_on_and_what_arrived_is_applied(
    database_url: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, limit: str, others: int
) -> None:
    """It is woken, and then looked at on its own: refused, if it still hits it, and the others that waited are not."""
    engine = make_engine(database_url, statement_timeout_ms=300)
    store = Store(engine, clock)

    def act(work: FactBuffer) -> None:
        match limit:
            case "statement":
                work.tx.run("SELECT pg_sleep(20)")
            case "lock":
                raise OperationalError(
                    "…", {}, psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
                )
            case "memory":
                raise MemoryError
            case _:
                time.sleep(0.7)
                work.tx.scalar("SELECT 1")

    assert [each.state for each in receive_batch(store, CLIENTS[:4])] == ["waiting"] * 4
    fragile(monkeypatch, act)
    beside = [agency(f"b{number}") for number in range(others)]

    received = receive_batch(store, [agency(), *beside])

    assert [each.state for each in received] == ["applied"] * (1 + others)
    assert names(store) == []
    with store.transaction() as tx:
        woken = [str(row[0]) for row in tx.rows("SELECT inbox_id FROM inbox WHERE wake_at = :at", at=tx.as_of)]
    assert len(woken) == 4
    if limit in ("statement", "memory"):
        replay_waiting(store, "a", woken)
        assert [name for _, name, _ in names(store)] == ["c0", "c1", "c3"]
    engine.dispose()


def test_a_repeat_in_a_batch_costs_no_statement_of_its_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    receive_batch(store, [agency(), *CLIENTS])
    asked: list[int] = []
    earlier = inbox.earlier
    monkeypatch.setattr(inbox, "earlier", lambda tx, arrived: asked.append(len(arrived)) or earlier(tx, arrived))

    received = receive_batch(store, [agency(), *CLIENTS])

    assert {each.state for each in received} == {"repeated"}
    assert asked == [9]


def test_of_earlier_messages_under_an_id_little_is_read(store: Store) -> None:
    """An upstream that sends a rejected message again and again, each time in other bytes, fills no memory with them."""
    bad = [change("client.upserted", "same", agency_id="a", client_id="c1", revision=number) for number in range(20)]
    large = json.dumps({**json.loads(bad[0]), "pad": "x" * 100_000}).encode()
    for raw in [*bad, large]:
        assert [each.state for each in receive_batch(store, [raw])] == ["rejected"]

    with store.transaction() as tx:
        (found,) = inbox.earlier(
            tx, [Arrived(source="/portal", id="same", agency_id="a", type="", time=None, raw=bad[0])]
        ).values()

    assert [len(each.raw) for each in found] == [len(bad[18]), len(bad[19]), 0]
    assert receive_batch(store, [bad[19]])[0].state == "repeated"
    assert receive_batch(store, [large])[0].state == "repeated"


def test_an_engine_says_how_long_a_statement_may_take(engine: Engine) -> None:
    """Without it nothing is halved: whoever waits, waits for ever."""
    with Store(engine).transaction() as tx:
        assert tx.scalar("SELECT current_setting('statement_timeout')") != "0"
