"""Rooms: what waits holds up its own kind and its own agency, and nobody else."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any

import pytest

from workers.webhooks.rooms import FullError, Room


def within(steps: Callable[[Event], Coroutine[Any, Any, None]]) -> None:
    """Run the steps; whatever waits for the event is let go in the end."""
    event = Event()

    async def run() -> None:
        try:
            async with asyncio.timeout(10):
                await steps(event)
        finally:
            event.set()

    asyncio.run(run())


async def begun(room: Room, key: str, event: Event, number: int) -> "list[asyncio.Task[bool]]":
    """So many of a key that wait for the event; each has a thread or a place in the queue."""
    tasks = [asyncio.create_task(room.run(key, event.wait, 10)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


def test_a_key_that_waits_leaves_threads_to_others() -> None:
    async def steps(event: Event) -> None:
        room = Room("r", threads=4, each=2)
        hung = await begun(room, "a", event, 20)
        assert await room.run("b", lambda: "done") == "done"
        event.set()
        assert await asyncio.gather(*hung) == [True] * 20
        assert await room.run("a", lambda: "done") == "done"

    within(steps)


def test_the_queue_has_an_end_for_a_key_and_for_all() -> None:
    async def steps(event: Event) -> None:
        room = Room("r", threads=2, each=1, waiting=3, each_waiting=2)
        hung = await begun(room, "a", event, 3)
        assert not room.full()
        with pytest.raises(FullError):
            await room.run("a", event.wait, 10)
        hung += await begun(room, "b", event, 2)
        assert room.full()
        with pytest.raises(FullError):
            await room.run("c", event.wait, 10)
        event.set()
        assert await asyncio.gather(*hung) == [True] * 5
        assert not room.full()

    within(steps)


def test_nobody_waits_longer_than_his_patience() -> None:
    async def steps(event: Event) -> None:
        room = Room("r", threads=1, each=1, patience=0.05)
        hung = await begun(room, "a", event, 1)
        with pytest.raises(FullError):
            await room.run("b", event.wait, 10)
        event.set()
        await asyncio.gather(*hung)
        assert await room.run("b", lambda: "done") == "done"

    within(steps)


def test_a_place_is_free_when_its_thread_is_not_when_nobody_listens() -> None:
    """Whoever goes away does not make the thread that works for him end."""

    async def steps(event: Event) -> None:
        room = Room("r", threads=1, each=1, patience=0.05)
        (gone,) = await begun(room, "a", event, 1)
        gone.cancel()
        with pytest.raises(FullError):
            await room.run("b", lambda: "done")
        event.set()
        assert await Room.run(room, "b", lambda: "done") == "done"

    within(steps)


def test_what_the_work_raises_is_raised() -> None:
    async def steps(_event: Event) -> None:
        room = Room("r", threads=1, each=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await room.run("a", lambda: 1 // 0)

    within(steps)
